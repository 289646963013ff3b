"""What the nodes keep for people beside the lease: their journals, and the lease files of old epochs.

Sans-I/O procedures as in `core.board`, which lists them among its jobs. Nothing is decided by what they read.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from acmd.core.calls import TMP_DIR, Create, Fault, ListDir, ReadFile, Rename, StorageFault, Syscall
from acmd.core.lease import RECORD_BYTES, epoch_of, lease_name

NODES_DIR = "nodes"
HISTORY_DIR = "history"
JOURNAL_SUFFIX = ".events"
JOURNAL_LIMIT = 65_536
"""Bytes of a node's journal on shared storage; one more is read, so that an oversized file shows."""
JOURNALS_LIMIT = 64
LEASES_LIMIT = 500
"""Lease files read in one job: a bound on its length."""

Steps = Generator[Syscall, Any, Any]


def write_journal(node: str, data: bytes, unique: str) -> Steps:
    """-> None: replace the journal of this node, which no other writes."""
    temporary = f"{TMP_DIR}/events.{node}.{unique}"
    yield Create(temporary, data)
    yield Rename(temporary, f"{NODES_DIR}/{node}{JOURNAL_SUFFIX}")


def read_journals() -> Steps:
    """-> tuple of (node, bytes). A file that cannot be read, or vanished, is left out."""
    names = yield ListDir(NODES_DIR)
    found = []
    for name in sorted(name for name in names if name.endswith(JOURNAL_SUFFIX))[:JOURNALS_LIMIT]:
        try:
            file = yield ReadFile(f"{NODES_DIR}/{name}", JOURNAL_LIMIT + 1)
        except StorageFault as failure:
            if failure.fault not in (Fault.MISSING, Fault.DENIED):
                raise
            continue
        found.append((name[: -len(JOURNAL_SUFFIX)], file.data))
    return tuple(found)


def read_leases(newest: int) -> Steps:
    """-> tuple of (epoch, bytes) of the newest lease files, ascending, those in history/ too."""
    names = yield ListDir(".")
    where = {epoch: "" for epoch in map(epoch_of, names) if epoch is not None}
    if len(where) < newest:
        names = yield ListDir(HISTORY_DIR)
        for epoch in map(epoch_of, names):
            if epoch is not None:
                where.setdefault(epoch, f"{HISTORY_DIR}/")
    found = []
    for epoch in sorted(where)[-max(1, min(newest, LEASES_LIMIT)) :]:
        try:
            file = yield ReadFile(where[epoch] + lease_name(epoch), RECORD_BYTES + 1)
        except StorageFault as failure:
            if failure.fault is not Fault.MISSING:  # the holder has just moved or removed it
                raise
            continue
        found.append((epoch, file.data))
    return tuple(found)
