"""The storage procedures step by step: which system calls, in which order, and what a fault of each does."""

from __future__ import annotations

import pytest

from acmd.core import board
from acmd.core.calls import (
    CLUSTER_FILE,
    Call,
    Create,
    Fault,
    FileData,
    Kind,
    Link,
    ListDir,
    Listing,
    OpenForWriting,
    Overwrite,
    ReadBack,
    ReadFile,
    StorageFault,
    SyncDir,
    steps_of,
)
from acmd.core.lease import lease_name
from tests.fakes.memory_directory import MemoryDirectory

RAW = b"r" * 512


def shared() -> MemoryDirectory:
    """A cluster's directory with epochs 1 and 2."""
    directory = MemoryDirectory()
    directory.directories.update(board.DIRECTORIES)
    directory.put(CLUSTER_FILE, b"cluster")
    for epoch in (2, 1):
        directory.put(lease_name(epoch), RAW)
    return directory


def test_a_call_says_all_that_a_worker_needs() -> None:
    """A field added to `Call` has to be sent to the worker processes as well."""
    assert Call._fields == ("number", "kind", "epoch", "raw", "attempt", "inode", "sequence")


def test_a_fault_tells_what_happened() -> None:
    """For the log: the kind, and the detail if there is one."""
    assert str(StorageFault(Fault.IO)) == "io-error"
    assert str(StorageFault(Fault.IO, "ReadFile x")) == "io-error: ReadFile x"


def test_list() -> None:
    """cluster.json first, then the names; strangers are left out, epochs ascend."""
    directory = shared()
    directory.put("lease.tmp", b"")
    assert directory.run(steps_of(Call(1, Kind.LIST))) == Listing((1, 2), b"cluster")
    assert directory.calls == ["ReadFile", "ListDir"]


def test_read() -> None:
    """The record first, then cluster.json; one byte more than a record is asked for."""
    steps = steps_of(Call(1, Kind.READ, 2))
    assert next(steps) == ReadFile(lease_name(2), 513)
    assert steps.send(FileData(RAW, 7)) == ReadFile(CLUSTER_FILE, 4096)
    with pytest.raises(StopIteration) as end:
        steps.send(FileData(b"cluster", 8))
    assert end.value.value == ReadBack(RAW, 7, b"cluster")


@pytest.mark.parametrize("kind", [Kind.LIST, Kind.READ])
def test_no_cluster_file(kind: Kind) -> None:
    """Its absence is a fault of its own, any other fault stays what it is."""
    directory = shared()
    del directory.files[CLUSTER_FILE]
    with pytest.raises(StorageFault) as failure:
        directory.run(steps_of(Call(1, kind, 2)))
    assert failure.value.fault is Fault.NOT_A_CLUSTER
    directory.fail[ReadFile] = Fault.STALE
    with pytest.raises(StorageFault) as failure:
        directory.run(steps_of(Call(1, Kind.LIST)))
    assert failure.value.fault is Fault.STALE


@pytest.mark.parametrize("kind", [Kind.WRITE, Kind.RELEASE])
def test_write(kind: Kind) -> None:
    """Open by inode, then one overwrite through that handle, and nothing after it."""
    steps = steps_of(Call(1, kind, 2, RAW, inode=7))
    assert next(steps) == OpenForWriting(lease_name(2), 7)
    assert steps.send("handle") == Overwrite("handle", RAW)
    with pytest.raises(StopIteration):
        steps.send(None)


def test_link() -> None:
    """A finished temporary file of this attempt, link(), then the directory is synced."""
    steps = steps_of(Call(1, Kind.LINK, 3, RAW, attempt="mine"))
    temporary = "tmp/claim.0000000003.mine"
    assert next(steps) == Create(temporary, RAW)
    assert steps.send("handle") == Link(temporary, lease_name(3))
    assert steps.send(None) == SyncDir(".")
    with pytest.raises(StopIteration):
        steps.send(None)


def test_link_stops_at_a_fault() -> None:
    """Without a finished temporary file nothing is linked."""
    directory = shared()
    directory.fail[Create] = Fault.NO_SPACE
    with pytest.raises(StorageFault):
        directory.run(steps_of(Call(1, Kind.LINK, 3, RAW, "mine")))
    assert directory.calls == ["Create"]
    assert lease_name(3) not in directory.files


# ---------------------------------------------------------------- beside the lease


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("0000000001.json", 1),
        ("0000000001.jsox", None),
        ("1.json", None),
        ("000000000x.json", None),
        ("٠٠٠٠٠٠٠٠٠١.json", None),
    ],
)
def test_command_names(name: str, number: int | None) -> None:
    """Ten ASCII digits and .json; anything else is a stranger."""
    assert board.command_number(name) == number


def test_command_names_lead_back() -> None:
    """A number's name stands for that number."""
    assert board.command_number(board.command_name(77)) == 77


def test_jobs_by_name() -> None:
    """Strings stand for bytes where a procedure wants bytes."""
    directory = shared()
    directory.run(board.steps_of_job("write_node", ["a", "caf\xe9", "u"]))
    assert directory.files["nodes/a.json"].data == b"caf\xe9"
    assert directory.run(board.steps_of_job("read_cluster", [])) == b"cluster"
    with pytest.raises(KeyError):
        board.steps_of_job("format_disk", [])


def test_initialise_stops_at_any_other_fault() -> None:
    """A directory that is there already is fine; a server that refuses to make one is not."""
    directory = MemoryDirectory()
    directory.directories.add("tmp")
    directory.run(board.initialise(b"{}", RAW, "u"))
    assert set(directory.files) == {CLUSTER_FILE, lease_name(0)}
    directory = MemoryDirectory()
    directory.fail[board.MakeDir] = Fault.READ_ONLY
    with pytest.raises(StorageFault, match="read-only"):
        directory.run(board.initialise(b"{}", RAW, "u"))
    assert directory.files == {}


@pytest.mark.parametrize("fault", [Fault.MISSING, Fault.DENIED, Fault.IO])
def test_node_files_that_cannot_be_read(fault: Fault) -> None:
    """One that vanished, or is no regular file, is left out; storage that fails is a fault."""
    steps = board.read_nodes()
    assert next(steps) == ListDir("nodes")
    assert steps.send(("a.json", "notes.txt", "b.json")) == ReadFile("nodes/a.json", board.DOCUMENT_LIMIT + 1)
    if fault is Fault.IO:
        with pytest.raises(StorageFault):
            steps.throw(StorageFault(fault))
        return
    steps.throw(StorageFault(fault))
    with pytest.raises(StopIteration) as end:
        steps.send(FileData(b"b", 1))
    assert end.value.value == (("b", b"b"),)


def test_reading_the_newest_command() -> None:
    """None yet; a new one with its bytes; a known one without."""
    directory = shared()
    assert directory.run(board.read_command(-1)) == board.Command(-1, None)
    for number in (3, 12):
        directory.put(f"control/{board.command_name(number)}", b"%d" % number)
    directory.put("control/README", b"")
    assert directory.run(board.read_command(3)) == board.Command(12, b"12")
    assert directory.run(board.read_command(12)) == board.Command(12, None)


def test_posting_a_command() -> None:
    """EEXIST is decided by the bytes: mine, or somebody else's; another fault stays one."""
    directory = shared()
    directory.run(board.post_command(1, b"mine", "u1"))
    directory.run(board.post_command(1, b"mine", "u2"))
    with pytest.raises(StorageFault) as failure:
        directory.run(board.post_command(1, b"other", "u3"))
    assert failure.value.fault is Fault.EXISTS
    directory.fail[Link] = Fault.IO
    with pytest.raises(StorageFault, match="io-error"):
        directory.run(board.post_command(2, b"mine", "u4"))


def test_a_reserve_of_the_wrong_size_does_not_count() -> None:
    """A preallocated file that was cut short would not hold a record."""
    directory = shared()
    directory.put("tmp/reserve.a.torn", b"r")
    assert directory.run(board.prepare_reserve("a", "u1")) is True
    assert directory.run(board.prepare_reserve("a", "u2")) is False
    assert directory.run(board.prepare_reserve("b", "u3")) is True


@pytest.mark.parametrize("fault", [Fault.MISSING, Fault.IO])
def test_housekeeping_meets_a_fault(fault: Fault) -> None:
    """A file that another took away is passed over; storage that fails ends the run."""
    directory = shared()
    directory.put("tmp/a", b"", age_ns=2 * board.TMP_STAYS_NS)
    directory.put("tmp/b", b"", age_ns=2 * board.TMP_STAYS_NS)
    steps = board.keep_house("u")
    request = next(steps)
    while not isinstance(request, board.Remove) or request.path != "tmp/a":
        request = steps.send(directory.run(iter_once(request)))
    if fault is Fault.IO:
        with pytest.raises(StorageFault):
            steps.throw(StorageFault(fault))
        return
    steps.throw(StorageFault(fault))  # the look at tmp/b, which comes next
    assert steps.send(board.FileStat(0, 0)) == board.Remove("tmp/b")
    assert steps.send(None) == ListDir("history")


def iter_once(request: board.BoardCall) -> board.Steps:
    """A procedure of one system call."""
    result = yield request
    return result
