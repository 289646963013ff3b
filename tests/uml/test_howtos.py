"""nfs.md, install.md and watchdog.md, word for word: kernels of their own, a real NFS server, softdog."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.hosts.cluster import install_units
from tests.hosts.image import REPO
from tests.hosts.pages import Pages
from tests.hosts.witness import overlaps_ns, runs, wait_for
from tests.uml.bed import STORE, STORE_ADDRESS, UmlBed
from tests.uml.image import Image

COMES_S = 120.0
ACMD = "/opt/acmd/venv/bin/acmd"
CONFIG = """
[cluster]
directory = "/srv/acmd/cluster"
[[service]]
name = "witness"
kind = "command"
command = ["/usr/bin/python3", "/opt/stamper.py", "/witness/stamps"]
data_directories = ["/srv/data"]
"""


@dataclass(slots=True)
class OnNfs(Pages):
    """Hosts a and b, and what the steps of nfs.md and install.md said."""

    exports: str = ""
    unmounted: str = ""
    checks: list[str] = field(default_factory=list)

    def make(self) -> None:
        """Follow nfs.md and, where it says so, install.md."""
        self.names["server"] = STORE
        self.here['"/dev/watchdog"'] = '"/dev/watchdog1"'  # the first one is this kernel's own
        for host in self.bed.hosts:
            host.push("/opt/stamper.py", (REPO / "tests/hosts/stamper.py").read_bytes())
            host.push("/etc/acmd/acmd.toml", CONFIG, 0o600)
            host.exec(f"ln -s {ACMD} /usr/local/bin/; echo '{STORE_ADDRESS} files.example' >> /etc/hosts")
            install_units(host)
        (self.exports,) = self.follow("howto/nfs.md", heading="On the file server")
        self.checks = self.follow("howto/nfs.md", self._install, heading="On each node")[-2:]

    def _install(self, script: str) -> None:
        if "acmd check" in script:
            self.bed["b"].exec("umount /srv/acmd")
            self.unmounted = self.bed["b"].exec(["acmd", "init"], check=False).stderr
            self.bed["b"].exec("mount /srv/acmd")
            self.follow("install.md", heading="Install")
            wait_for(lambda: self.settled("a", "b"), COMES_S, "a is active, b could take over")


@pytest.fixture(scope="module")
def on_nfs(image: Image) -> Iterator[OnNfs]:
    """Two clients and a server; acmd runs on what nfs.md had them mount."""
    with UmlBed(["a", "b"], image=image) as bed:
        made = OnNfs(bed)
        made.make()
        yield made


def test_nfs(on_nfs: OnNfs) -> None:
    """Exports are sync, mounts as the check wants them, and nothing is made where nothing is mounted."""
    ours = re.findall(r"^/export/(?:acmd|data)\s+\S+\((\S+)\)", on_nfs.exports, re.MULTILINE)
    assert [options.split(",")[0] for options in ours] == ["sync"] * 4
    assert "cannot be made: operation not permitted" in on_nfs.unmounted
    for said in on_nfs.checks:
        assert "/srv/acmd is mounted as the lease wants it" in said, said
        assert "data is mounted hard and locked (/srv/data)" in said, said
        assert "KO" not in said, said


def test_watchdog(on_nfs: OnNfs) -> None:
    """Missing before; afterwards the guard of the active node has it, and nothing overlapped."""
    a, b = (on_nfs.bed[name] for name in "ab")
    assert "watchdog none" in a.exec(["acmd", "status"], check=False).stdout
    before_it = a.exec(["acmd", "check", "--group", "daemon"], check=False).stdout
    assert "WARN there is no watchdog /dev/watchdog" in before_it
    (snippet,) = on_nfs.snippets("howto/watchdog.md")

    def before(script: str) -> None:
        if "config check" in script:
            for host in on_nfs.bed.hosts:
                host.push("/etc/acmd/acmd.toml", CONFIG + snippet, 0o600)
        if "switchover" in script:
            wait_for(lambda: on_nfs.settled("a", "b"), COMES_S, "b could take over")
        if "acmd status" in script:
            wait_for(lambda: on_nfs.settled("b", "a"), COMES_S, "b is active, a could take over")

    said = on_nfs.follow("howto/watchdog.md", before)
    assert "RuntimeWatchdogUSec=0" in "".join(said)
    assert "watchdog ok" in said[-1]
    assert "the watchdog /dev/watchdog1 is fed (automatic)" in said[-1]
    guard = b.exec(["systemctl", "show", "-P", "MainPID", "acmd-guard"]).stdout.strip()
    assert f"/proc/{guard}/fd/" in b.exec("find /proc/[0-9]*/fd -lname '/dev/watchdog*'", check=False).stdout
    assert overlaps_ns(runs(on_nfs.bed.shared / "stamps")) == []
