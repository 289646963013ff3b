"""Everything in the cluster's directory beside the lease: making it, node files, commands, keeping house.

Sans-I/O procedures as in `core.calls`, executed by a worker process too. None of them matters
for safety: node files and commands are for people and for choosing, and keeping house moves
only files that no decision reads any more.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Callable, NamedTuple, Union

from acmd.core.annals import HISTORY_DIR, NODES_DIR, read_journals, read_leases, write_journal
from acmd.core.calls import (
    CLUSTER_FILE,
    CLUSTER_FILE_LIMIT,
    TMP_DIR,
    Create,
    Fault,
    Link,
    ListDir,
    ReadFile,
    Rename,
    StorageFault,
    SyncDir,
    Syscall,
)
from acmd.core.lease import RECORD_BYTES, epoch_of, lease_name

CONTROL_DIR = "control"
DIRECTORIES = (NODES_DIR, CONTROL_DIR, TMP_DIR, HISTORY_DIR)
DOCUMENT_LIMIT = 65_536
"""Bytes of a node file or a command; one more is read, so that an oversized file shows."""
NODE_FILES_LIMIT = 64
NOT_OURS = frozenset(("lost+found", ".snapshot", ".zfs", ".nfs"))
"""What a fresh file system may hold without being in use."""

_NS_PER_DAY = 24 * 3600 * 1_000_000_000  # not core.timing's: importing that costs each worker a megabyte
NEWEST_LEASES_STAY = 16
NEWEST_COMMANDS_STAY = 16
LEASES_STAY_NS = _NS_PER_DAY
NEWEST_HISTORY_STAYS = 1000
HISTORY_STAYS_NS = 30 * _NS_PER_DAY
TMP_STAYS_NS = _NS_PER_DAY // 24
FILES_A_RUN = 64
"""At most so many files are looked at in one run of keeping house: a bound on its length."""


class FileStat(NamedTuple):
    """Size, and modification time on the *server's* clock: compared only with others of that clock."""

    size: int
    modified_ns: int


class StatFile(NamedTuple):
    """-> FileStat of a file, links not followed."""

    path: str


class Remove(NamedTuple):
    """-> None: unlink(2). Faults MISSING when absent."""

    path: str


class MakeDir(NamedTuple):
    """-> None: mkdir(2), mode 0750. Faults EXISTS when there."""

    path: str


BoardCall = Union[Syscall, StatFile, Remove, MakeDir]
Steps = Generator[BoardCall, Any, Any]


class Command(NamedTuple):
    """The operators' newest command; `data` None when its number is the one already known."""

    number: int
    data: bytes | None


def command_name(number: int) -> str:
    """The file name of a command."""
    return f"{number:010d}.json"


def command_number(name: str) -> int | None:
    """The number that a file name stands for, or None when it is not a command's."""
    digits = name[:10]
    if len(name) != 15 or name[10:] != ".json" or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits)


def initialise(cluster_file: bytes, lease: bytes, unique: str) -> Steps:
    """-> None: an empty directory becomes a cluster's. Faults EXISTS when it is one, OTHER when not empty.

    `cluster.json` comes to its name complete and only once, by link(), before the lease file: a crash
    at any point leaves a directory that can be initialised again, or one that works.
    """
    names = yield ListDir(".")
    if CLUSTER_FILE in names:
        raise StorageFault(Fault.EXISTS, "cluster.json is there already")
    strangers = sorted(set(names) - NOT_OURS - set(DIRECTORIES))
    if strangers:
        raise StorageFault(Fault.OTHER, f"the directory is not empty: it holds {', '.join(strangers[:5])}")
    for directory in DIRECTORIES:
        try:
            yield MakeDir(directory)
        except StorageFault as failure:
            if failure.fault is not Fault.EXISTS:
                raise
    for data, target in ((cluster_file, CLUSTER_FILE), (lease, lease_name(0))):
        temporary = f"{TMP_DIR}/init.{unique}.{target}"
        yield Create(temporary, data)
        yield Link(temporary, target)
        yield SyncDir(".")
        yield Remove(temporary)


def read_cluster() -> Steps:
    """-> bytes of cluster.json."""
    found = yield ReadFile(CLUSTER_FILE, CLUSTER_FILE_LIMIT)
    return found.data


def write_node(node: str, data: bytes, unique: str) -> Steps:
    """-> None: replace the file of this node, which no other writes."""
    temporary = f"{TMP_DIR}/node.{node}.{unique}"
    yield Create(temporary, data)
    yield Rename(temporary, f"{NODES_DIR}/{node}.json")


def remove_node(node: str) -> Steps:
    """-> None: the file of a node that is no more. Nothing there is fine."""
    try:
        yield Remove(f"{NODES_DIR}/{node}.json")
    except StorageFault as failure:
        if failure.fault is not Fault.MISSING:
            raise


def replace_cluster(old: bytes, new: bytes, unique: str) -> Steps:
    """-> None: other timing for a cluster that nobody runs. Faults NOT_A_CLUSTER unless it holds `old`.

    A daemon that still runs finds other bytes than it started with, and neither renews nor claims any more.
    """
    found = yield ReadFile(CLUSTER_FILE, CLUSTER_FILE_LIMIT)
    if found.data != old:
        raise StorageFault(Fault.NOT_A_CLUSTER, "cluster.json was changed meanwhile")
    temporary = f"{TMP_DIR}/cluster.{unique}"
    yield Create(temporary, new)
    yield Rename(temporary, CLUSTER_FILE)
    yield SyncDir(".")


def read_nodes() -> Steps:
    """-> tuple of (node, bytes). A file that cannot be read, or vanished, is left out."""
    names = yield ListDir(NODES_DIR)
    found = []
    for name in sorted(name for name in names if name.endswith(".json"))[:NODE_FILES_LIMIT]:
        try:
            file = yield ReadFile(f"{NODES_DIR}/{name}", DOCUMENT_LIMIT + 1)
        except StorageFault as failure:
            if failure.fault not in (Fault.MISSING, Fault.DENIED):
                raise
            continue
        found.append((name[: -len(".json")], file.data))
    return tuple(found)


def read_command(known: int) -> Steps:
    """-> Command: the highest number; its bytes only when it is not `known`. Number -1: none yet."""
    names = yield ListDir(CONTROL_DIR)
    highest = max((n for n in map(command_number, names) if n is not None), default=-1)
    if highest in (-1, known):
        return Command(highest, None)
    found = yield ReadFile(f"{CONTROL_DIR}/{command_name(highest)}", DOCUMENT_LIMIT + 1)
    return Command(highest, found.data)


def post_command(number: int, data: bytes, unique: str) -> Steps:
    """-> None: `data` is the command of that number. Faults EXISTS when somebody else's is.

    A server may answer EEXIST to a link() that it executed and got twice, so the bytes decide.
    """
    temporary = f"{TMP_DIR}/command.{unique}"
    target = f"{CONTROL_DIR}/{command_name(number)}"
    yield Create(temporary, data)
    try:
        yield Link(temporary, target)
    except StorageFault as failure:
        if failure.fault is not Fault.EXISTS:
            raise
        found = yield ReadFile(target, DOCUMENT_LIMIT + 1)
        if found.data != data:
            raise
    yield SyncDir(CONTROL_DIR)
    yield Remove(temporary)


def reserve_prefix(node: str) -> str:
    """How the names of a node's preallocated files in tmp/ begin."""
    return f"reserve.{node}."


def prepare_reserve(node: str, unique: str) -> Steps:
    """-> bool, whether one was made: a preallocated file for this node's next claim on a full disk."""
    names = yield ListDir(TMP_DIR)
    for name in names:
        if name.startswith(reserve_prefix(node)):
            found = yield StatFile(f"{TMP_DIR}/{name}")
            if found.size == RECORD_BYTES:
                return False
    yield Create(f"{TMP_DIR}/{reserve_prefix(node)}{unique}", b"r" * RECORD_BYTES)
    return True


def keep_house(unique: str) -> Steps:
    """-> int, the files that went: the holder's part. Ages are differences of the server's own times."""
    probe = f"{TMP_DIR}/probe.{unique}"
    yield Create(probe, b"the server's time\n")
    now_ns = (yield StatFile(probe)).modified_ns
    yield Remove(probe)
    gone = 0

    names = yield ListDir(".")
    leases = sorted(name for name in names if epoch_of(name) is not None)[:-NEWEST_LEASES_STAY]
    gone += yield from _those_older(now_ns - LEASES_STAY_NS, "", leases, move=True)

    names = yield ListDir(CONTROL_DIR)
    commands = sorted(name for name in names if command_number(name) is not None)[:-NEWEST_COMMANDS_STAY]
    gone += yield from _those_older(now_ns - LEASES_STAY_NS, f"{CONTROL_DIR}/", commands, move=True)

    names = yield ListDir(TMP_DIR)
    left = sorted(name for name in names if not name.startswith("reserve."))
    gone += yield from _those_older(now_ns - TMP_STAYS_NS, f"{TMP_DIR}/", left)

    names = yield ListDir(HISTORY_DIR)
    for belongs in (epoch_of, command_number):
        old = sorted(name for name in names if belongs(name) is not None)[:-NEWEST_HISTORY_STAYS]
        gone += yield from _those_older(now_ns - HISTORY_STAYS_NS, f"{HISTORY_DIR}/", old)
    return gone


def _those_older(than_ns: int, prefix: str, names: list[str], move: bool = False) -> Steps:
    """-> int: move to history/, or remove, those that were last written before `than_ns`."""
    gone = 0
    for name in names[:FILES_A_RUN]:
        try:
            found = yield StatFile(prefix + name)
            if found.modified_ns >= than_ns:
                continue
            if move:
                yield Rename(prefix + name, f"{HISTORY_DIR}/{name}")
            else:
                yield Remove(prefix + name)
        except StorageFault as failure:
            if failure.fault is not Fault.MISSING:  # another holder's run, or a late one, was faster
                raise
            continue
        gone += 1
    return gone


_JOBS: dict[str, Callable[..., Steps]] = {
    job.__name__: job
    for job in (
        initialise,
        read_cluster,
        replace_cluster,
        remove_node,
        write_node,
        read_nodes,
        read_command,
        post_command,
        prepare_reserve,
        keep_house,
        write_journal,
        read_journals,
        read_leases,
    )
}


def steps_of_job(name: str, arguments: list[Any]) -> Steps:
    """The procedure of that name; strings stand for bytes where the procedure wants bytes (Latin-1)."""
    job = _JOBS[name]
    hints = job.__annotations__
    return job(
        *(
            value.encode("latin-1") if hints[parameter] == "bytes" else value
            for parameter, value in zip(hints, arguments)
        )
    )
