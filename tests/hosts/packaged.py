"""Hosts without anything of acmd, and packages of it in several versions to put there."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.hosts.bed import Bed
from tests.hosts.cluster import Cluster
from tests.hosts.host import Host
from tests.hosts.image import REPO, Template, cache_dir, packages

BUILD_LIMIT_S = 600
STAMPER = (REPO / "tests/hosts/stamper.py").read_bytes()


def bare(template: Template) -> Template:
    """The template's Debian alone."""
    return Template(lower=template.lower[-1:], acmd_from_wheel=False)


@functools.cache
def package(kind: str, version: str) -> Path:
    """The package of this checkout as `version`, built once a run. AssertionError with the build's words."""
    out = Path(tempfile.mkdtemp(prefix="acmd-packages-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    command = [sys.executable, "-m", "tools.pack", kind, "--as", version, "--out", str(out), "--quick"]
    done = subprocess.run(
        [*command, "--cache", str(cache_dir())],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=BUILD_LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.split()[-1])


def cached_deb() -> Path:
    """The package of this checkout, built once for all tests and runs of it."""

    def build(target: Path) -> None:
        shutil.copy(package("deb", "0.1.0"), target)

    (found,) = packages(REPO, build).glob("*.deb")
    return found


def dpkg(host: Host, *words: str, check: bool = True) -> str:
    """dpkg's words, standard error too."""
    result = host.exec(["dpkg", *words], timeout_s=400, check=check)
    return result.stdout + result.stderr


def put(host: Host, deb: Path, check: bool = True) -> str:
    """`dpkg -i`: installs, upgrades and downgrades."""
    host.push(f"/root/{deb.name}", deb.read_bytes())
    return dpkg(host, "-i", f"/root/{deb.name}", check=check)


@dataclass(slots=True)
class Packaged(Cluster):
    """A `Cluster` whose hosts have acmd from a package."""

    deb: Path = field(default_factory=Path)

    def install(self) -> None:
        """Package, configuration and witness on every host; nothing is started."""
        for host in self.bed.hosts:
            host.push("/opt/stamper.py", STAMPER)
            put(host, self.deb)
            host.push("/etc/acmd/acmd.toml", self.config(host))


def files(host: Host) -> set[str]:
    """Everything on the host's own disk and in /run, without what others write all the time."""
    script = (
        "find / /run -xdev \\( -path /proc -o -path /sys -o -path /var/log -o -path /var/lib/dpkg "
        "-o -path /tmp -o -path /var/tmp -o -path /var/cache -o -path /root -o -path /run/systemd/journal "
        "-o -path /run/systemd/units -o -path /run/systemd/sessions -o -path /run/log -o -path /run/user "
        "\\) -prune -o -print | sort -u"
    )
    return set(host.exec(script, timeout_s=60).stdout.splitlines())


__all__ = ["Bed", "Packaged", "bare", "cached_deb", "dpkg", "files", "package", "put"]
