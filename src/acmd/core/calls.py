"""What is done to the shared directory, one call at a time, as sans-I/O procedures.

Each procedure is a generator that yields one `Syscall` after the other and returns the call's
result. A worker process runs it against the operating system; the simulation runs the *same*
generator against a model of a file server, with other nodes' steps in between. An executor
throws `StorageFault` into the generator where a system call failed.

All paths are relative to the cluster's directory.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import StrEnum
from typing import Any, NamedTuple, Union

from acmd.core.lease import RECORD_BYTES, epoch_of, lease_name

CLUSTER_FILE = "cluster.json"
CLUSTER_FILE_LIMIT = 4096
TMP_DIR = "tmp"


class Fault(StrEnum):
    """How a storage call failed. Every one of them means *unknown*: it proves nothing and extends nothing."""

    TIMEOUT = "timeout"  # no answer within the limit; its worker was abandoned; it may yet execute
    WORKER_LOST = "worker-lost"
    BUSY = "busy"  # too many abandoned workers: nothing was issued
    LOCAL = "local"  # a local step before it failed (/run/acmd): nothing was issued
    IO = "io-error"
    STALE = "stale"
    NO_SPACE = "no-space"
    READ_ONLY = "read-only"
    DENIED = "denied"
    MISSING = "missing"
    EXISTS = "exists"
    NOT_A_CLUSTER = "no-cluster-file"  # cluster.json is absent: the storage is not mounted
    OTHER = "other"


NEVER_ISSUED = frozenset((Fault.BUSY, Fault.LOCAL))


class StorageFault(Exception):
    """A system call on shared storage failed; `fault` says how, `detail` is for the log."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault.value}: {detail}" if detail else fault.value)
        self.fault = fault
        self.detail = detail


class Kind(StrEnum):
    """The calls that the protocol makes."""

    LIST = "list"
    READ = "read"
    WRITE = "write"
    RELEASE = "release"  # a write too; alone may be issued over an outstanding one
    LINK = "link"


class Call(NamedTuple):
    """One call that the core asks for. `number` is unique in this start of the daemon."""

    number: int
    kind: Kind
    epoch: int = -1
    raw: bytes = b""
    attempt: str = ""
    inode: int = 0
    sequence: int = -1  # of the record in `raw`, for WRITE and RELEASE


class FileData(NamedTuple):
    """The bytes of a file (at most the limit asked for) and its inode number."""

    data: bytes
    inode: int


# -- system calls ---------------------------------------------------------------------------------


class ListDir(NamedTuple):
    """-> tuple[str, ...]: the names in a directory, read afresh."""

    path: str


class ReadFile(NamedTuple):
    """-> FileData: open anew, read at most `limit` bytes, close. Faults MISSING when absent."""

    path: str
    limit: int


class Create(NamedTuple):
    """-> handle: O_CREAT|O_EXCL, write the data, fsync. Faults EXISTS when the name is taken."""

    path: str
    data: bytes


class OpenForWriting(NamedTuple):
    """-> handle of the existing file, which must be `inode` (else STALE); may reuse a kept descriptor."""

    path: str
    inode: int


class Overwrite(NamedTuple):
    """-> None: one synchronous positional write of the whole record through a handle."""

    handle: Any
    data: bytes


class Link(NamedTuple):
    """-> None: link(2), `source` to the new name `target`. Faults EXISTS when the name is taken."""

    source: str
    target: str


class Rename(NamedTuple):
    """-> None: rename(2). No procedure uses it on a lease file: last writer wins."""

    source: str
    target: str


class SyncDir(NamedTuple):
    """-> None: fsync of a directory."""

    path: str


Syscall = Union[ListDir, ReadFile, Create, OpenForWriting, Overwrite, Link, Rename, SyncDir]
Steps = Generator[Syscall, Any, Any]


# -- results --------------------------------------------------------------------------------------


class Listing(NamedTuple):
    """The epochs that have a lease file, ascending, and the content of cluster.json."""

    epochs: tuple[int, ...]
    cluster_file: bytes


class ReadBack(NamedTuple):
    """A lease file's bytes and inode, and the content of cluster.json read after them."""

    data: bytes
    inode: int
    cluster_file: bytes


# -- procedures -----------------------------------------------------------------------------------


def _cluster_file() -> Steps:
    try:
        found = yield ReadFile(CLUSTER_FILE, CLUSTER_FILE_LIMIT)
    except StorageFault as failure:
        if failure.fault is Fault.MISSING:
            raise StorageFault(Fault.NOT_A_CLUSTER, "cluster.json is absent") from None
        raise
    return found.data


def list_epochs() -> Steps:
    """LIST -> Listing."""
    cluster_file = yield from _cluster_file()
    names = yield ListDir(".")
    epochs = sorted(epoch for epoch in map(epoch_of, names) if epoch is not None)
    return Listing(tuple(epochs), cluster_file)


def read_record(epoch: int) -> Steps:
    """READ -> ReadBack. One byte more than a record is read, so that an oversized file shows."""
    found = yield ReadFile(lease_name(epoch), RECORD_BYTES + 1)
    cluster_file = yield from _cluster_file()
    return ReadBack(found.data, found.inode, cluster_file)


def write_record(epoch: int, raw: bytes, inode: int) -> Steps:
    """WRITE, RELEASE -> None: overwrite the own record in place, through a descriptor of that inode."""
    handle = yield OpenForWriting(lease_name(epoch), inode)
    yield Overwrite(handle, raw)


def link_record(epoch: int, raw: bytes, attempt: str) -> Steps:
    """LINK -> None: the claim. What it returns proves nothing; the caller looks at the linked file."""
    temporary = f"{TMP_DIR}/claim.{epoch:010d}.{attempt}"
    yield Create(temporary, raw)
    yield Link(temporary, lease_name(epoch))
    yield SyncDir(".")


def steps_of(call: Call) -> Steps:
    """The procedure of a call."""
    if call.kind is Kind.LIST:
        return list_epochs()
    if call.kind is Kind.READ:
        return read_record(call.epoch)
    if call.kind is Kind.LINK:
        return link_record(call.epoch, call.raw, call.attempt)
    return write_record(call.epoch, call.raw, call.inode)
