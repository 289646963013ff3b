"""What happened: entries of the nodes' journals, and the epochs that they and the lease files tell of.

Pure, as `core`. Times are wall clocks of the hosts that wrote them, for people only: hosts' clocks may
differ, and a difference between two hosts' times is as good as their clocks are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from acmd.core.decision import PLANNED
from acmd.core.lease import LeaseState, Record, decode

FORMAT = 1
SHARED_ENTRIES = 200
SHARED_BYTES = 60_000
"""What a node shows of its journal on shared storage: the newest of it."""
VALUE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of one node. `number` grows by one with each on that node; `at_s` is its wall clock."""

    number: int
    at_s: float
    level: str
    event: str
    fields: Mapping[str, Any]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def entry_of(wire: Any) -> Entry | None:
    """The entry that a JSON value stands for, or None when it is none. Never raises."""
    if not isinstance(wire, dict) or not isinstance(wire.get("fields"), dict):
        return None
    number, at_s, level, event = (wire.get(key) for key in ("number", "at_s", "level", "event"))
    if type(number) is not int or not isinstance(at_s, (int, float)) or number < 0:
        return None
    if type(level) is not str or type(event) is not str or len(event) > 64 or not 0 <= float(at_s) < 1e11:
        return None
    return Entry(number, float(at_s), level[:10], event, short(wire["fields"]))


def short(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with plain values of bounded length, and not too many."""
    return {str(key)[:50]: _short(value) for key, value in list(fields.items())[:20]}


def _short(value: Any) -> Any:
    if value is None or isinstance(value, (bool, float)) or (type(value) is int and abs(value) < 1 << 63):
        return value
    text = str(value)
    return text if len(text) <= VALUE_LENGTH else f"{text[:VALUE_LENGTH]}…"


def line_of(entry: Entry) -> str:
    """The entry as one line of JSON."""
    return json.dumps(entry.plain(), separators=(",", ":"))


def entries_of(lines: Iterable[str]) -> list[Entry]:
    """The entries in lines of JSON; what is torn or foreign is left out."""
    found = []
    for line in lines:
        try:
            entry = entry_of(json.loads(line))
        except (ValueError, RecursionError):
            continue
        if entry is not None:
            found.append(entry)
    return found


def shared(cluster_id: str, node: str, entries: Iterable[Entry]) -> str:
    """The newest entries as a node's document on shared storage, bounded in number and size."""
    room = SHARED_BYTES
    kept: list[dict[str, Any]] = []
    for entry in reversed(list(entries)[-SHARED_ENTRIES:]):
        room -= len(line_of(entry)) + 2
        if room < 0:
            break
        kept.insert(0, entry.plain())
    return json.dumps(
        {"v": FORMAT, "cluster": cluster_id, "node": node, "entries": kept}, separators=(",", ":")
    )


def read_shared(raw: bytes, cluster_id: str, node: str) -> list[Entry] | str:
    """The entries of a node's document, or what is wrong with it. Never raises."""
    if len(raw) > SHARED_BYTES + 5_000:
        return "it is too large"
    try:
        wire = json.loads(raw)
    except (ValueError, RecursionError):
        return "it is not JSON, or torn"
    if (
        not isinstance(wire, dict)
        or type(wire.get("v")) is not int
        or not isinstance(wire.get("entries"), list)
    ):
        return "it is not a journal of acmd"
    if wire["v"] > FORMAT:
        return f"it has format {wire['v']} of a newer acmd"
    if wire.get("cluster") != cluster_id:
        return "it is of another cluster"
    if wire.get("node") != node:
        return "it is another node's"
    return [entry for entry in map(entry_of, wire["entries"][-SHARED_ENTRIES:]) if entry is not None]


def in_order(journals: Mapping[str, list[Entry]]) -> list[tuple[str, Entry]]:
    """All entries by the wall clocks of their hosts; those of one node stay in its own order."""
    rows: list[tuple[float, str, int, Entry]] = []
    for node, entries in journals.items():
        latest_s = 0.0
        for entry in entries:
            latest_s = max(latest_s, entry.at_s)  # a clock that was set back changes no order
            rows.append((latest_s, node, entry.number, entry))
    return [(node, entry) for _, node, _, entry in sorted(rows, key=lambda row: row[:3])]


def told(
    leases: Iterable[tuple[int, bytes]],
    documents: Iterable[tuple[str, bytes]],
    cluster: str,
    cluster_id: str,
    newest: int,
) -> dict[str, Any]:
    """`epochs`, the newest last; `events` of all nodes in order; `ignored`, nodes and why.

    Of `newest` epochs, given the lease of one more: the one before tells the first one's interruption.
    """
    journals: dict[str, list[Entry]] = {}
    ignored: dict[str, str] = {}
    for node, raw in documents:
        found = read_shared(raw, cluster_id, node)
        if isinstance(found, str):
            ignored[node[:64]] = found
        else:
            journals[node] = found
    return {
        "cluster": cluster,
        "epochs": [epoch.plain() for epoch in epochs(leases, cluster_id, journals)][-newest:],
        "events": [{"node": node, **entry.plain()} for node, entry in in_order(journals)],
        "ignored": ignored,
    }


# -- epochs ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Epoch:
    """One epoch. Times are Unix seconds of the holder's host; None: not known, or not over."""

    epoch: int
    holder: str
    state: str  # "held", "released" or "detached"; "unreadable" with the defect as reason
    from_s: float | None
    to_s: float | None
    length_s: float | None
    reason: str  # why it ended; "" while it lasts
    planned: bool | None  # whether its end was meant; None while it lasts
    interruption_s: float | None  # without active services before this epoch's came up
    outage_s: float  # without active services between, while it lasted
    unfenced: list[str]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def epochs(
    leases: Iterable[tuple[int, bytes]], cluster_id: str, journals: Mapping[str, list[Entry]]
) -> list[Epoch]:
    """The epochs of these lease files, oldest first, with what the journals add."""
    found = [_epoch(epoch, raw, cluster_id) for epoch, raw in sorted(leases)]
    down_s: float | None = None
    for position, one in enumerate(found):
        last = position == len(found) - 1
        told = [entry for entry in journals.get(one.holder, ()) if entry.fields.get("epoch") == one.epoch]
        _end(one, told, last=last)
        if one.holder:
            down_s = _count(one, told, down_s)
    return found


def _epoch(epoch: int, raw: bytes, cluster_id: str) -> Epoch:
    record = decode(raw, cluster_id, epoch)
    if not isinstance(record, Record):
        return Epoch(epoch, "", "unreadable", None, None, None, record.value, None, None, 0.0, [])
    ended = record.state is LeaseState.RELEASED
    written_s = float(record.written_at) or None
    return Epoch(
        epoch,
        record.holder,
        record.state.value,
        float(record.claimed_at or record.written_at) or None,
        written_s,
        None,
        record.reason if ended else "",
        record.reason in PLANNED if ended else None,
        None,
        0.0,
        list(record.unfenced),
    )


def _end(one: Epoch, told: list[Entry], *, last: bool) -> None:
    """Until when: its release; for one that was not released its last sign of life."""
    if one.state == "unreadable":
        return
    began = next((entry for entry in told if entry.event == "epoch-began"), None)
    if began is not None:
        one.from_s = began.at_s  # records have whole seconds
    end = next((entry for entry in reversed(told) if entry.event == "epoch-ended"), None)
    if one.state != "released":
        if last:
            one.to_s = None
            return
        one.reason = str(end.fields.get("reason", "expired")) if end is not None else "expired"
        one.planned = False
    if end is not None:
        one.to_s = max(one.to_s or 0.0, end.at_s)
    if one.from_s is not None and one.to_s is not None:
        one.length_s = round(max(0.0, one.to_s - one.from_s), 3)


def _count(one: Epoch, told: list[Entry], down_s: float | None) -> float | None:
    """Take the interruption before it and the outages in it from its journal.

    `down_s`: since when no active service runs, as far as known. Returns the same for the next epoch.
    """
    up, first = False, True
    for entry in told:
        if entry.event == "services-up" and not up:
            gap_s = None if down_s is None else round(max(0.0, entry.at_s - down_s), 3)
            if first:
                one.interruption_s = gap_s
            else:
                one.outage_s = round(one.outage_s + (gap_s or 0.0), 3)
            up, first, down_s = True, False, None
        elif entry.event == "services-down" and up:
            up, down_s = False, entry.at_s
    if up and one.to_s is not None:
        return one.to_s  # it never said that they went: its last sign of life
    return down_s
