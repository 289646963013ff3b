"""One way to speak to a lease store, whether it is the fake, a plain directory, or a failing file system."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from acmd.core.board import DIRECTORIES
from acmd.core.calls import Call, Kind, ReadBack
from acmd.core.lease import LeaseState, Record, encode, lease_name
from acmd.core.observation import Outcome
from acmd.core.timing import NS_PER_S
from acmd.drivers.clock import SystemClock
from acmd.drivers.lease_directory import LeaseDirectory
from tests.fakes.clock import FakeClock
from tests.fakes.lease_store import FakeLeaseStore
from tests.fakes.memory_directory import MemoryDirectory
from tests.faultfs.client import FaultFS, missing

CLUSTER_ID = "3f0c8a52-6f0e-4d52-9a3b-0d6d0f0c5a11"
CLUSTER_FILE = b'{"v": 1, "id": "3f0c8a52"}\n'
NODE = "a"
ALL_OPS = ("lookup", "getattr", "open", "read", "write", "fsync", "create", "link", "opendir", "readdir")
KINDS = ("fake", "directory", "faultfs")


def record(
    epoch: int, sequence: int = 0, state: LeaseState = LeaseState.HELD, attempt: str = "try"
) -> Record:
    """A record of this cluster."""
    return Record(CLUSTER_ID, epoch, sequence, NODE, "inc", attempt, "machine", "boot", 12_000, state)


def raw(epoch: int, sequence: int = 0, attempt: str = "try") -> bytes:
    """Its bytes."""
    return encode(record(epoch, sequence, attempt=attempt))


class Rig:
    """A store and what lies under it. Subclasses say how to look under it, and how to stall it."""

    store: LeaseDirectory | FakeLeaseStore

    def __init__(self) -> None:
        self._number = 0

    def next(
        self, kind: Kind, epoch: int = -1, data: bytes = b"", inode: int = 0, sequence: int = -1
    ) -> Call:
        """A call with a number of its own."""
        self._number += 1
        attempt = uuid.uuid4().hex if kind is Kind.LINK else ""
        return Call(self._number, kind, epoch, data, attempt, inode, sequence)

    async def outcome(self) -> Outcome:
        """The next one that ends; there must be exactly one."""
        await asyncio.wait_for(self.store.changed.wait(), 20)
        (found,) = self.store.take_outcomes()
        return found

    async def call(
        self, kind: Kind, epoch: int = -1, data: bytes = b"", inode: int = 0, sequence: int = -1
    ) -> Outcome:
        """Issue a call and wait for its outcome."""
        self.store.issue(self.next(kind, epoch, data, inode, sequence))
        return await self.outcome()

    async def inode(self, epoch: int) -> int:
        """Of an epoch's file."""
        value = (await self.call(Kind.READ, epoch)).value
        assert isinstance(value, ReadBack)
        return value.inode

    async def warm(self, epoch: int) -> int:
        """Have a worker of each class; the inode of the epoch's file."""
        inode = await self.inode(epoch)
        for kind in (Kind.WRITE, Kind.RELEASE):
            assert (await self.call(kind, epoch, raw(epoch, 1), inode, 1)).fault is None
        return inode

    async def timeout(self) -> Outcome:
        """The outcome of a call that does not return."""
        return await self.outcome()

    def put(self, path: str, data: bytes) -> None:
        """A file as somebody else left it."""
        raise NotImplementedError

    def get(self, path: str) -> bytes:
        """What is really stored."""
        raise NotImplementedError

    def remove(self, path: str) -> None:
        """Take a name away."""
        raise NotImplementedError

    def stall(self) -> None:
        """From now on no call returns."""
        raise NotImplementedError

    def resume(self) -> None:
        """All goes on."""
        raise NotImplementedError


class FakeRig(Rig):
    """On the fake."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = MemoryDirectory()
        self.directory.directories.update(DIRECTORIES)
        self.store: FakeLeaseStore = FakeLeaseStore(self.directory, FakeClock())

    async def timeout(self) -> Outcome:
        self.store.expire()
        return await self.outcome()

    def put(self, path: str, data: bytes) -> None:
        self.directory.put(path, data)

    def get(self, path: str) -> bytes:
        return self.directory.files[path].data

    def remove(self, path: str) -> None:
        del self.directory.files[path]

    def stall(self) -> None:
        self.store.stall()

    def resume(self) -> None:
        self.store.resume()


class DirectoryRig(Rig):
    """On a plain directory; a stall stops all worker processes."""

    def __init__(self, real: Path, seen: Path, run_dir: Path, limit_s: float) -> None:
        super().__init__()
        self.real = real
        self.seen = seen
        self.run_dir = run_dir
        for path in (run_dir, *(real / name for name in DIRECTORIES)):
            path.mkdir(mode=0o700, exist_ok=True)
        self.store: LeaseDirectory = LeaseDirectory(
            seen, NODE, round(limit_s * NS_PER_S), SystemClock(), run_dir
        )
        self._stopped: set[int] = set()

    def put(self, path: str, data: bytes) -> None:
        (self.real / path).write_bytes(data)

    def get(self, path: str) -> bytes:
        return (self.real / path).read_bytes()

    def remove(self, path: str) -> None:
        (self.real / path).unlink()

    def stall(self) -> None:
        self._stopped.update(self.store.workers.pids())
        for pid in self._stopped:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._stopped.clear()


class FaultRig(DirectoryRig):
    """On the fault-injecting file system."""

    def __init__(self, faults: FaultFS, run_dir: Path, limit_s: float) -> None:
        super().__init__(faults.backing, faults.mountpoint, run_dir, limit_s)
        self.faults = faults
        self._stalled = 0

    def stall(self) -> None:
        if not self._stalled:
            self._stalled = self.faults.add("stall", *ALL_OPS)

    def resume(self) -> None:
        if self._stalled:
            self.faults.clear(self._stalled)
        self._stalled = 0


def mounted(tmp_path: Path) -> contextlib.AbstractContextManager[FaultFS]:
    """The failing file system, or a skip that says what is missing."""
    lacks = missing()
    if lacks:
        pytest.skip(f"no fault-injecting file system: {lacks}")
    return FaultFS(tmp_path / "backing", tmp_path / "mounted")


@contextlib.contextmanager
def _rig(kind: str, tmp_path: Path, limit_s: float) -> Iterator[Rig]:
    if kind == "fake":
        yield FakeRig()
    elif kind == "directory":
        shared = tmp_path / "shared"
        shared.mkdir()
        yield DirectoryRig(shared, shared, tmp_path / "run", limit_s)
    else:
        with mounted(tmp_path) as faults:
            yield FaultRig(faults, tmp_path / "run", limit_s)


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def until_gone(pids: tuple[int, ...]) -> None:
    """Wait a little for processes to end; fail when one does not."""
    for _ in range(500):
        if all(gone(pid) for pid in pids):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"processes are left: {[pid for pid in pids if not gone(pid)]}")


@contextlib.asynccontextmanager
async def rig(kind: str, tmp_path: Path, limit_s: float = 2.0) -> AsyncIterator[Rig]:
    """A cluster directory with the released epoch 0; afterwards no process is left."""
    with _rig(kind, tmp_path, limit_s) as made:
        made.put("cluster.json", CLUSTER_FILE)
        made.put(lease_name(0), encode(record(0, state=LeaseState.RELEASED)))
        try:
            yield made
        finally:
            made.resume()
            pids = made.store.workers.pids() if isinstance(made.store, LeaseDirectory) else ()
            await made.store.close()
            await until_gone(pids)


@contextlib.asynccontextmanager
async def fault_rig(tmp_path: Path, limit_s: float = 2.0) -> AsyncIterator[FaultRig]:
    """`rig` on the failing file system."""
    async with rig("faultfs", tmp_path, limit_s) as made:
        assert isinstance(made, FaultRig)
        yield made


@contextlib.asynccontextmanager
async def directory_rig(tmp_path: Path, limit_s: float = 2.0) -> AsyncIterator[DirectoryRig]:
    """`rig` on a plain directory."""
    async with rig("directory", tmp_path, limit_s) as made:
        assert isinstance(made, DirectoryRig)
        yield made
