"""A bed: hosts, the switch between them and the storage that they share; and the removal of what crashed runs
left.

Everything that a bed makes on the machine has the bed's name in front (`acmdbed-…`): its directory under
/var/tmp, its cgroups, its network namespaces. Mounts and loop devices live in the hosts' own mount
namespaces.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from tests.hosts.cgroups import ROOT, Cgroup, unified_root
from tests.hosts.host import Host
from tests.hosts.image import Template, build_template
from tests.hosts.network import SUBNET, Network, namespaces
from tests.hosts.storage import Disk, SharedView, faultfs_available, loop_devices, remove_tree

PREFIX = "acmdbed-"
NEEDED_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "nft": "nftables",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "nsenter": "util-linux",
    "mkfs.ext4": "e2fsprogs",
}


def missing_needs() -> str:
    """Why no bed can be made on this machine, with the packages to install; empty when one can."""
    if os.geteuid() != 0:
        return "hosts need root"
    packages = [package for tool, package in NEEDED_TOOLS.items() if shutil.which(tool) is None]
    return f"hosts need: apt-get install {' '.join(packages)}" if packages else ""


def run_root() -> Path:
    """Where beds keep their disks while they are up."""
    return Path(os.environ.get("ACMD_BED_RUN") or "/var/tmp").resolve()


class Bed:
    """`with Bed(["alpha", "beta"]) as bed:` gives booted hosts in `bed.hosts` and `bed["alpha"]`.

    storage: "plain" is one directory for all at /shared; "faultfs" puts a file system process of its own
    between it and each host, which tests can make fail. Leaving the block removes everything, whatever state
    it is in.
    """

    def __init__(
        self,
        names: Sequence[str] = ("alpha", "beta"),
        *,
        storage: Literal["plain", "faultfs"] = "plain",
        template: Template | None = None,
        boot: bool = True,
    ) -> None:
        if storage == "faultfs" and not faultfs_available():
            raise RuntimeError("Bed(storage='faultfs') needs the Python package pyfuse3 and tests/faultfs")
        self.name = PREFIX + secrets.token_hex(3)
        self.run = run_root() / self.name
        self.shared = self.run / "shared"
        self.witness = self.run / "witness"
        self.network = Network(self.name)
        self.hosts: list[Host] = []
        self._names = list(names)
        self._faulty = storage == "faultfs"
        self._template = template
        self._boot = boot

    def __enter__(self) -> Bed:
        clean()
        template = self._template or build_template()
        try:
            self._create(template)
            if self._boot:
                self.boot()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def __getitem__(self, name: str) -> Host:
        return next(host for host in self.hosts if host.name == name)

    def boot(self) -> None:
        """Switch all hosts on together and wait until each is `running`."""
        for host in self.hosts:
            host.power_on()
        for host in self.hosts:
            host.wait_running()
            host.remember()

    def partition(self, one: Host, other: Host, *, both_ways: bool = True) -> None:
        """Drop packets from `one` to `other` (and back): each still reaches everybody else."""
        self.network.cut(one.name, other.name, True)
        if both_ways:
            self.network.cut(other.name, one.name, True)

    def heal(self) -> None:
        """Undo every partition, isolation and pulled cable."""
        self.network.heal()

    def reset(self) -> None:
        """Undo what a test did to any host, to the network and to shared storage, which is empty
        afterwards.
        """
        self.network.heal()
        for host in self.hosts:
            host.reset()
        for path in (*self.shared.iterdir(), *self.witness.iterdir()):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def remove(self) -> None:
        """Cut all power and remove everything of this bed from the machine."""
        for host in self.hosts:
            host.power_off()
        _remove_bed(self.name)

    def _create(self, template: Template) -> None:
        # The owner first, then the name: a `clean` elsewhere must never see this bed without its owner.
        unnamed = self.run.with_name(f".{self.name}")
        unnamed.mkdir(mode=0o755)
        (unnamed / "owner").write_text(_process_identity(os.getpid()))
        unnamed.rename(self.run)
        # World-writable like the export of a file server that squashes nobody: services run as their own
        # users.
        for directory in (self.shared, self.witness):
            directory.mkdir()
            directory.chmod(0o777)
        self.network.create()
        addresses = {name: f"{SUBNET}.{index}" for index, name in enumerate(self._names, start=1)}
        known = "127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for name, address in addresses.items()
        )
        for name, address in addresses.items():
            run = self.run / name
            run.mkdir()
            (run / "hosts").write_text(known)
            disk = Disk(run / "disk.img", template.lower)
            disk.wipe()
            self.network.add_host(name)
            view = SharedView(self.shared, run, self._faulty)
            self.hosts.append(Host(name, address, self.name, run, self.network, disk, view))


def _process_identity(pid: int) -> str:
    """Process id and start time: a process id alone may be another process's by now."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return f"{pid} {stat[stat.rindex(')') :].split()[20]}"


def _owned(run: Path) -> bool:
    try:
        identity = (run / "owner").read_text()
        return _process_identity(int(identity.split()[0])) == identity
    except (OSError, IndexError):
        return False


def beds() -> list[str]:
    """The names of all beds that left anything on this machine, running ones included."""
    found = {path.name for path in run_root().glob(f"{PREFIX}*")}
    found |= {path.name for path in unified_root().glob(f"{PREFIX}*")}
    found |= {"-".join(name.split("-")[:2]) for name in namespaces(PREFIX)}
    return sorted(found)


def clean() -> list[str]:
    """Remove the beds whose process is gone; returns their names. Running beds are left alone."""
    dead = [name for name in beds() if not _owned(run_root() / name)]
    for name in dead:
        _remove_bed(name)
    return dead


def _remove_bed(name: str) -> None:
    group = Cgroup(name)
    group.kill()
    run = run_root() / name
    for host in run.glob("*/disk.img"):
        Disk(host, ()).wait_released()
    for directory in [group.unified, *(path / name for path in ROOT.iterdir() if path.is_dir())]:
        if directory.is_dir():
            group.remove()
    Network(name).remove()
    remove_tree(run)


def leftovers() -> list[str]:
    """Everything on this machine that bears a bed's name: for the test that nothing is left."""
    found = [f"directory {path}" for path in run_root().glob(f"{PREFIX}*")]
    found += [f"cgroup {path}" for path in ROOT.glob(f"**/{PREFIX}*")]
    found += [f"namespace {name}" for name in namespaces(PREFIX)]
    found += [f"loop device {name}" for name in loop_devices(str(run_root() / PREFIX))]
    found += [
        f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines() if PREFIX in line
    ]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if PREFIX in command and int(process.name) != os.getpid():
            found.append(f"process {process.name} {command}")
    return found
