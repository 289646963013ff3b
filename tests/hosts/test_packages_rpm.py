"""The rpm: its contents by rpm's own tools on a scratch root, its scriptlets by rpm on real hosts.

The hosts are Debian, where rpm's database knows no Python, hence --nodeps. What a RHEL-like system
adds (another Python, SELinux) is not tried here.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.cluster import main_pid, prop, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.packaged import STAMPER, Bed, Packaged, bare, package
from tests.hosts.witness import NS_PER_S, wait_for

OLD, NEW = "0.1.0", "0.1.1"
RPM = ["rpm", "--force-debian", "--nodeps"]
RELEASED_NS = 10 * NS_PER_S  # without a release the peer waits for 14.7 s


@pytest.fixture(scope="module")
def rpms() -> dict[str, Path]:
    """Two versions of the package."""
    if shutil.which("rpmbuild") is None:
        pytest.skip("needs rpmbuild (Debian: rpm)")
    return {version: package("rpm", version) for version in (OLD, NEW)}


def query(rpm: Path, *words: str) -> str:
    """What rpm says of a package file."""
    return subprocess.run(["rpm", "-qp", *words, str(rpm)], capture_output=True, text=True, check=True).stdout


def test_contents(rpms: dict[str, Path], tmp_path: Path) -> None:
    """It installs on an empty root: files, owners, configuration; it asks for nothing but Python."""
    rpm = rpms[OLD]
    listed = set(query(rpm, "-l").split())
    assert {
        "/usr/bin/acmd",
        "/usr/lib/systemd/system/acmd.service",
        "/opt/acmd/libexec/package-step",
    } <= listed
    assert query(rpm, "--configfiles").split() == ["/etc/rsyslog.d/acmd.conf"]
    assert set(query(rpm, "--qf", "[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]").split()) == {"root:root"}
    requires = [line for line in query(rpm, "--requires").splitlines() if not line.startswith("rpmlib")]
    assert (
        "(python(abi) = 3.11 or python(abi) = 3.12 or python(abi) = 3.13 or python(abi) = 3.14)" in requires
    )
    assert not [line for line in requires if ".so" in line or line.startswith("python3")]
    root = tmp_path / "root"
    subprocess.run(["rpm", "--root", str(root), "--initdb"], check=True)
    command = [*RPM, "--root", str(root), "-i", "--noscripts", "--notriggers", str(rpm)]
    subprocess.run(command, check=True, timeout=120)
    verified = subprocess.run(
        [*RPM, "--root", str(root), "-V", "--noscripts", "acmd"], capture_output=True, text=True, timeout=120
    )
    assert verified.stdout == ""
    assert (root / "etc/acmd").stat().st_mode & 0o7777 == 0o750
    assert not (root / "etc/acmd/acmd.toml").exists()


def test_scriptlets_parse(rpms: dict[str, Path], tmp_path: Path) -> None:
    """Each is a program that sh understands."""
    for tag in ("PREIN", "POSTIN", "PREUN", "POSTUN", "POSTTRANS"):
        script = tmp_path / tag
        script.write_text(query(rpms[OLD], "--qf", f"%{{{tag}}}"))
        assert script.read_text() not in {"", "(none)"}
        subprocess.run(["sh", "-n", str(script)], check=True)


# ---------------------------------------------------------------- on hosts


def rpm_itself() -> bytes:
    """This machine's rpm with its libraries, as a tar file for a host of the same Debian."""
    listed = subprocess.run(["ldd", "/usr/bin/rpm"], capture_output=True, text=True, check=True).stdout
    libraries = [Path(word) for word in listed.split() if word.startswith("/") and "ld-linux" not in word]
    files = [Path("/usr/bin/rpm"), *Path("/usr/lib/rpm").rglob("*"), *libraries]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for file in files:
            if file.is_file():
                archive.add(file.resolve(), arcname=str(file)[1:], recursive=False)
    return made.getvalue()


class FromRpm(Packaged):
    """A cluster whose hosts have acmd from the rpm."""

    def install(self) -> None:
        """rpm, package, configuration and witness; nothing is started."""
        rpm = rpm_itself()
        for host in self.bed.hosts:
            host.push("/root/rpm.tar", rpm)
            host.exec("tar -C / --keep-directory-symlink --skip-old-files -xf /root/rpm.tar", timeout_s=120)
            host.push("/opt/stamper.py", STAMPER)
            put(host, self.deb, "-i")
            host.push("/etc/acmd/acmd.toml", self.config(host))


def put(host: Host, rpm: Path, verb: str) -> str:
    """`rpm -i`, `-U` or `-U --oldpackage`; its words."""
    host.push(f"/root/{rpm.name}", rpm.read_bytes())
    result = host.exec([*RPM, *verb.split(), f"/root/{rpm.name}"], timeout_s=400)
    return result.stdout + result.stderr


@pytest.fixture
def cluster(template: Template, rpms: dict[str, Path]) -> Iterator[FromRpm]:
    """Two hosts without acmd."""
    with Bed(["alpha", "beta"], template=bare(template)) as bed:
        yield FromRpm(bed, deb=rpms[OLD], profile="standard")
        renew(bed)


def test_upgraded_downgraded_removed(cluster: FromRpm, rpms: dict[str, Path]) -> None:
    """On the active node: an upgrade and the way back let the service run on, a removal releases first."""
    active, passive = cluster.start()
    wait_for(lambda: cluster.status(passive).get("role") == "passive", 30, "the peer is there")
    assert active.exec(["systemctl", "is-enabled", "rsyslog"]).stdout
    for version, verb in ((NEW, "-U"), (OLD, "-U --oldpackage")):
        before = main_pid(active)
        put(active, rpms[version], verb)
        wait_for(lambda version=version: cluster.status(active).get("version") == version, 60, version)  # type: ignore[misc]
        assert main_pid(active) != before
        wait_for(lambda: cluster.status(active).get("role") == "active", 60, "the new daemon adopted")
    (run,) = cluster.assert_alone()
    assert time.monotonic_ns() - run.last_ns < 2 * NS_PER_S
    active.exec([*RPM, "-e", "acmd"], timeout_s=400)
    cluster.wait_active(passive, 60)
    first, second = cluster.assert_alone()
    assert second.first_ns - first.last_ns < RELEASED_NS
    assert prop(active, "LoadState") == "not-found"
    assert active.exec("ls -d /opt/acmd /run/acmd /etc/logrotate.d/acmd", check=False).stdout == ""
    assert active.exec(["ls", "/etc/acmd"]).stdout.split() == ["acmd.toml"]
