"""`core.annals`: journals and old lease files, also where one vanishes or the storage fails in the middle."""

from __future__ import annotations

import pytest

from acmd.core import annals, board
from acmd.core.calls import Fault, StorageFault
from acmd.core.lease import lease_name
from tests.fakes.memory_directory import FailingDirectory


def test_journals_come_back() -> None:
    """A journal is replaced as a whole, is no node file, and leaves nothing in tmp/."""
    directory = FailingDirectory()
    directory.run(board.steps_of_job("write_journal", ["a", "one", "u1"]))
    directory.run(annals.write_journal("a", b"two", "u2"))
    directory.put("nodes/a.json", b"{}")
    assert directory.run(annals.read_journals()) == (("a", b"two"),)
    assert directory.run(board.read_nodes()) == (("a", b"{}"),)
    assert not [name for name in directory.files if name.startswith("tmp/")]


@pytest.mark.parametrize("fault", [Fault.MISSING, Fault.DENIED, Fault.IO])
def test_a_journal_that_cannot_be_read(fault: Fault) -> None:
    """One that goes or must not be read hides no other; storage that fails is a fault."""
    directory = FailingDirectory()
    for name in ("a", "b"):
        directory.put(f"nodes/{name}.events", name.encode())
    directory.broken = {"nodes/a.events": fault}
    if fault is Fault.IO:
        with pytest.raises(StorageFault):
            directory.run(annals.read_journals())
        return
    assert directory.run(annals.read_journals()) == (("b", b"b"),)


def test_the_newest_leases() -> None:
    """Those in history/ too, once each, and only as many as asked for."""
    directory = FailingDirectory()
    for epoch in (1, 2, 3):
        directory.put(f"history/{lease_name(epoch)}", b"old%d" % epoch)
    directory.put("history/0000000001.json", b"a command")
    for epoch in (3, 4, 5):
        directory.put(lease_name(epoch), b"new%d" % epoch)
    assert directory.run(annals.read_leases(2)) == ((4, b"new4"), (5, b"new5"))
    found = directory.run(annals.read_leases(4))
    assert found == ((2, b"old2"), (3, b"new3"), (4, b"new4"), (5, b"new5"))
    directory.broken = {lease_name(4): Fault.MISSING}
    assert [epoch for epoch, _ in directory.run(annals.read_leases(3))] == [3, 5]
    directory.broken = {lease_name(4): Fault.IO}
    with pytest.raises(StorageFault):
        directory.run(annals.read_leases(3))
