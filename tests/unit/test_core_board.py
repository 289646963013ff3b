"""`core.board` where a file vanishes, or the storage fails, in the middle of a procedure."""

from __future__ import annotations

import pytest

from acmd.core import board
from acmd.core.calls import CLUSTER_FILE, Create, Fault, Link, ListDir, StorageFault
from acmd.core.lease import lease_name
from tests.fakes.memory_directory import FailingDirectory, MemoryDirectory


def test_init_on_storage_that_makes_no_directories() -> None:
    """Nothing but 'is there already' is passed over; cluster.json is not made then."""
    directory = MemoryDirectory()
    directory.fail = {board.MakeDir: Fault.READ_ONLY}
    with pytest.raises(StorageFault, match="read-only"):
        directory.run(board.initialise(b"{}", b"r", "u"))
    assert CLUSTER_FILE not in directory.files


def test_init_where_only_directories_are() -> None:
    """What an interrupted init left does not keep the next one from working, nor does lost+found."""
    directory = MemoryDirectory()
    directory.directories.update((*board.DIRECTORIES, "lost+found"))
    directory.run(board.initialise(b"{}", b"r", "u"))
    assert directory.run(board.read_cluster()) == b"{}"
    assert lease_name(0) in directory.files


@pytest.mark.parametrize("fault", [Fault.MISSING, Fault.DENIED])
def test_a_node_file_that_vanishes(fault: Fault) -> None:
    """One that goes between listing and reading, or must not be read, hides no other."""
    directory = FailingDirectory()
    for name in ("a", "b", "c"):
        directory.put(f"nodes/{name}.json", name.encode())
    directory.put("nodes/readme.txt", b"")
    directory.broken = {"nodes/b.json": fault}
    assert directory.run(board.read_nodes()) == (("a", b"a"), ("c", b"c"))


def test_a_node_file_that_fails() -> None:
    """Storage that fails is no reason to take the other nodes for gone."""
    directory = FailingDirectory()
    directory.put("nodes/a.json", b"a")
    directory.broken = {"nodes/a.json": Fault.IO}
    with pytest.raises(StorageFault, match="io-error"):
        directory.run(board.read_nodes())


def test_the_same_command_twice() -> None:
    """EEXIST for a link that was executed: the own bytes are there, so it is this command."""
    directory = FailingDirectory()
    directory.put(f"control/{board.command_name(1)}", b"mine")
    directory.run(board.post_command(1, b"mine", "u"))
    assert directory.files.keys() == {f"control/{board.command_name(1)}"}
    with pytest.raises(StorageFault, match="exists"):
        directory.run(board.post_command(1, b"another", "u"))


def test_a_command_that_cannot_be_linked() -> None:
    """Any other fault is reported as it is."""
    directory = FailingDirectory()
    directory.fail = {Link: Fault.STALE}
    with pytest.raises(StorageFault, match="stale"):
        directory.run(board.post_command(1, b"mine", "u"))


@pytest.mark.parametrize(
    "name", ["", "1.json", "0000000001.jso", "000000001x.json", "0000000001.json~", "٠٠٠٠٠٠٠٠٠٠.json"]
)
def test_names_that_are_no_commands(name: str) -> None:
    """Ten ASCII digits and `.json`, nothing else."""
    assert board.command_number(name) is None


def test_a_reserve_of_the_wrong_size() -> None:
    """One that a full disk left empty is none; another node's is not ours."""
    directory = FailingDirectory()
    directory.put("tmp/reserve.a.torn", b"")
    directory.put("tmp/reserve.b.good", b"r" * 512)
    directory.put("tmp/claim.0000000001.x", b"")
    assert directory.run(board.prepare_reserve("a", "u")) is True
    assert directory.files["tmp/reserve.a.u"].data == b"r" * 512
    assert directory.run(board.prepare_reserve("a", "v")) is False


def test_a_reserve_on_a_full_disk() -> None:
    """It cannot be made then, and that is said."""
    directory = FailingDirectory()
    directory.fail = {Create: Fault.NO_SPACE}
    with pytest.raises(StorageFault, match="no-space"):
        directory.run(board.prepare_reserve("a", "u"))


def test_keeping_house_beside_somebody_else() -> None:
    """What another holder moved away meanwhile is no failure; any other fault ends the run."""
    directory = FailingDirectory()
    for number in range(3):
        directory.put(f"tmp/old{number}", b"", age_ns=2 * board.TMP_STAYS_NS)
    directory.broken = {"tmp/old1": Fault.MISSING}
    assert directory.run(board.keep_house("u")) == 2
    directory.broken = {"tmp/old1": Fault.IO}
    with pytest.raises(StorageFault, match="io-error"):
        directory.run(board.keep_house("v"))


def test_jobs_by_name() -> None:
    """Strings stand for bytes where bytes are wanted; a name that is none is a bug, and raises."""
    directory = FailingDirectory()
    directory.run(board.steps_of_job("write_node", ["a", "\u00ff", "u"]))
    assert directory.files["nodes/a.json"].data == b"\xff"
    assert directory.run(board.steps_of_job("read_command", [-1])) == (-1, None)
    with pytest.raises(KeyError):
        board.steps_of_job("explode", [])
    directory.fail = {ListDir: Fault.TIMEOUT}
    with pytest.raises(StorageFault, match="timeout"):
        directory.run(board.steps_of_job("read_command", [-1]))


def test_a_node_file_that_cannot_be_removed() -> None:
    """One that is gone is fine; storage that fails is said."""
    directory = FailingDirectory()
    directory.run(board.remove_node("b"))
    directory.fail = {board.Remove: Fault.READ_ONLY}
    with pytest.raises(StorageFault, match="read-only"):
        directory.run(board.remove_node("b"))


def test_a_cluster_file_is_replaced_only_as_it_was_read() -> None:
    """Somebody's change in between is not written over."""
    directory = FailingDirectory()
    directory.put(CLUSTER_FILE, b"old")
    with pytest.raises(StorageFault, match="changed meanwhile"):
        directory.run(board.replace_cluster(b"older", b"new", "u"))
    directory.run(board.replace_cluster(b"old", b"new", "u"))
    assert directory.run(board.read_cluster()) == b"new"
    assert not [name for name in directory.files if name.startswith("tmp/")]
