"""`tasks.journal`: what is kept of what happened, and shown; nothing waits for it."""

from __future__ import annotations

import asyncio

from acmd.core.calls import Fault, StorageFault
from acmd.history import Entry, entries_of, read_shared
from acmd.tasks.journal import LEFT_OUT_S, Journal
from tests.tasks.kit import Log
from tests.tasks.virtual_time import virtual


class Lines:
    """A local file."""

    def __init__(self) -> None:
        self.fault = ""
        self.lines: list[str] = ["torn {", ""]

    def newest(self) -> list[str]:
        """What is there."""
        return list(self.lines)

    def append(self, line: str) -> None:
        """One more."""
        self.lines.append(line)


class Shelf:
    """Shared storage that can fail."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.fails = False

    async def write_journal(self, document: str) -> None:
        """One writing."""
        if self.fails:
            raise StorageFault(Fault.IO)
        self.written.append(document)


def test_what_is_kept() -> None:
    """Events that are worth it, and unknown ones that are serious; with role and epoch as told last."""
    lines = Lines()
    journal = Journal(lines, "a", lambda: 5.0)
    journal.note("reason", "info", {"role": "active", "epoch": 3})
    journal.note("service-state", "info", {"service": "web"})
    journal.note("made-up", "info", {})
    journal.note("made-up", "error", {"epoch": 9})
    found = journal.after(-1, 10)
    assert [(e.number, e.event, e.fields) for e in found] == [
        (0, "service-state", {"epoch": 3, "role": "active", "service": "web"}),
        (1, "made-up", {"epoch": 9, "role": "active"}),
    ]
    assert entries_of(lines.lines) == found
    assert journal.after(0, 10) == found[1:]
    again = Journal(lines, "a", lambda: 6.0)
    again.note("leaving", "info", {})
    assert [e.number for e in again.after(-1, 10)] == [0, 1, 2]


def test_it_is_shown_at_its_pace() -> None:
    """A flood of events is one writing; storage that fails is tried again, at the same pace; nobody waits."""
    shelf, lines = Shelf(), Lines()
    journal, log = Journal(lines, "a", lambda: 5.0), Log()

    async def story() -> None:
        sharing = asyncio.ensure_future(journal.share(shelf, "c", 3.0, log))
        for number in range(100):
            journal.note("service-state", "info", {"service": number})
        await asyncio.sleep(0.1)
        assert len(shelf.written) == 1
        shelf.fails = True
        lines.fault = "disk full"
        journal.note("leaving", "info", {})
        await asyncio.sleep(10)
        shelf.fails = False
        await asyncio.sleep(10)
        sharing.cancel()
        await asyncio.gather(sharing, return_exceptions=True)

    virtual(lambda clock: story())()
    assert len(shelf.written) == 2
    found = read_shared(shelf.written[-1].encode(), "c", "a")
    assert len(found) == 101
    assert [event for event, _ in log.lines] == ["journal-fault"]


def test_a_flood_pushes_nothing_out() -> None:
    """What comes too often is counted and the number told; what was before is there; hooks hear of all."""
    shelf, lines = Shelf(), Lines()
    now = [1000.0]
    journal = Journal(lines, "a", lambda: now[0])
    heard: list[Entry] = []
    journal.listeners.append(heard.append)

    async def story() -> None:
        sharing = asyncio.ensure_future(journal.share(shelf, "c", 3.0, Log()))
        journal.note("epoch-began", "info", {"epoch": 7})
        for number in range(5000):
            journal.note("order-given", "info", {"what": "enable", "by": "mallory", "about": str(number)})
            journal.note("order-refused", "info", {"what": "fence", "by": "mallory", "because": "no"})
        journal.note("order-given", "info", {"what": "service stop", "by": "mallory", "about": "side"})
        await asyncio.sleep(1)
        now[0] += 2 * LEFT_OUT_S
        await asyncio.sleep(2 * LEFT_OUT_S)
        sharing.cancel()
        await asyncio.gather(sharing, return_exceptions=True)

    virtual(lambda clock: story())()
    assert len(heard) == 10_002
    kept = [(entry.event, entry.fields.get("what")) for entry in journal.entries]
    assert kept[0] == ("epoch-began", None)
    assert kept.count(("order-given", "enable")) == kept.count(("order-refused", "fence")) == 20
    assert ("order-given", "service stop") in kept
    left_out = [entry.fields["count"] for entry in journal.entries if entry.event == "log-lines-suppressed"]
    assert left_out == [4980, 4980]
    shown = read_shared(shelf.written[-1].encode(), "c", "a")
    assert shown == list(journal.entries)
