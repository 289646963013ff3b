"""What the shared directory says, for a host whose daemon does not run.

Everything on shared storage is read by a process that is given up at its limit: on dead storage a command
says so and ends, with what was read until then. Nothing is decided by what is read here. One look cannot
tell whether a lease is still renewed, so its age is unknown; hand-overs are as old as wall clocks say.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from acmd import __version__
from acmd.config.glance import Glance
from acmd.core.calls import Fault, StorageFault
from acmd.drivers.aside import answers
from acmd.errors import AcmdError

if TYPE_CHECKING:
    from acmd.core.nodefile import NodeFile
    from acmd.core.timing import Timing
    from acmd.drivers.lease_worker.directory import Directory

LIMIT_S = 3.0
RECALLED = 21  # epochs: twenty hand-overs, as a daemon shows
IDLE = ("starting", "passive", "stopped")  # roles that a node may have without the lease
SAID_AT_MOST = 3  # files that cannot be read
OWN_BYTES = 32_768  # of this node's own journal
GUARD_KEYS = (
    *("alive", "armed", "epoch", "gate"),
    *("deadline_in_s", "last_resort", "last_resort_means", "watchdog"),
)

WHY = "the daemon does not run on this host"

Part = dict[str, Any]
"""Keys of the snapshot with what was read; `fault`: what is wrong; `unread`: what is not for this user."""


def look(place: Glance, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """A snapshot with the keys of the daemon's, as far as they can be known. Raises nothing expected."""
    faults: list[str] = []
    unread: list[str] = []
    parts: Iterator[Part] = iter(())
    try:
        parts = answers(lambda: _parts(place), limit_s)
    except StorageFault as failure:
        faults.append(_words(failure))
    from acmd.status import FORMAT  # beside the reading, which imports much more

    snapshot: dict[str, Any] = {
        "format": FORMAT,
        "version": __version__,
        "pid": None,
        "cluster": {"name": place.cluster, "id": None, "directory": place.directory},
        "node": place.node,
        "role": "not-running",
        "role_since_s": None,
        "active": None,
        "epoch": None,
        "reason": WHY,
        "reason_code": "not-running",
        "lease": None,
        "nodes": [],
        "maintenance": {"all": None, "nodes": {}},
        "guard": dict.fromkeys(GUARD_KEYS) | {"faults": [], "notes": [], "outdated": False},
        "fencing": None,
        "interlock": None,
        "hold_down": None,
        "handovers": [],
        "storage": {"fault": None, "abandoned_workers": 0},
        "timing": None,
    }
    try:
        for part in parts:
            if "unread" in part:
                unread.append(part.pop("unread"))
            if "fault" in part:
                faults.append(part.pop("fault"))
            snapshot.update(part)
    except StorageFault as failure:
        faults.append(_words(failure))
    except AcmdError as error:
        faults.append(error.what)
    if unread:
        faults.insert(0, f"this user may not read {', '.join(unread)}")
    if faults:
        snapshot["storage"]["fault"] = "; ".join(dict.fromkeys(faults))
    return snapshot


def _words(failure: StorageFault) -> str:
    """As a daemon's status has it."""
    return failure.detail if failure.fault is Fault.OTHER else failure.fault.value


# -- in the process that may hang -----------------------------------------------------------------


def _parts(place: Glance) -> Iterator[Part]:
    """What can hang comes last. What this user may not read is said, and the rest is read all the same."""
    from acmd.core import annals, board
    from acmd.drivers.cluster_directory import cluster_file
    from acmd.drivers.lease_worker.directory import Directory

    own = _own_journal(place)
    yield own
    directory = Directory(place.directory, place.node)
    cluster = cluster_file(directory.run(board.read_cluster()))
    yield {
        "reason": f"{own['reason']}; this is what the shared directory says",
        "cluster": {"name": cluster.name, "id": cluster.cluster_id, "directory": place.directory},
        "timing": _timing(cluster.timing),
    }
    leases: list[tuple[int, bytes]] = []
    holder: str | None = None

    def read_leases() -> Part:
        nonlocal holder
        part: Part = {}
        try:
            leases.extend(directory.run(annals.read_leases(RECALLED + 1)))
        except StorageFault as failure:
            if failure.fault is not Fault.DENIED:
                raise
            leases.extend(directory.run(annals.read_leases(1)))  # which needs no history/
            part = {"unread": "older leases"}
        part |= _lease(leases, cluster.cluster_id)
        holder = part.get("active")
        return part | _handovers(leases, (), cluster.cluster_id)

    def read_journals() -> Part:
        journals = directory.run(annals.read_journals())
        if not leases:
            return {}
        return _handovers(leases, journals, cluster.cluster_id) | _unread(directory, journals, ".events")

    readings: tuple[tuple[str, Callable[[], Part]], ...] = (
        ("the leases", read_leases),
        ("the orders", lambda: _maintenance(directory, cluster.cluster_id)),
        ("the node files", lambda: _nodes(directory, place.node, holder, cluster.cluster_id)),
        ("the journals", read_journals),
    )
    for what, read in readings:
        try:
            yield read()
        except StorageFault as failure:
            yield {"unread": what} if failure.fault is Fault.DENIED else {"fault": _words(failure)}


def _unread(directory: Directory, found: Sequence[tuple[str, bytes]], suffix: str) -> Part:
    """Which of the nodes' files are there but were left out, since this user may not read them."""
    from acmd.core.annals import NODES_DIR
    from acmd.core.calls import ListDir

    def names() -> Generator[ListDir, Any, Any]:
        return (yield ListDir(NODES_DIR))

    wanted = {name for name in directory.run(names()) if name.endswith(suffix)}
    missing = sorted(wanted - {name + suffix for name, _ in found})[:SAID_AT_MOST]
    return {"unread": ", ".join(f"{NODES_DIR}/{name}" for name in missing)} if missing else {}


def _own_journal(place: Glance) -> Part:
    """Until when the daemon ran, and which hand-overs it made: all there is where shared storage is dead."""
    from pathlib import Path

    from acmd.display.words import moment
    from acmd.drivers.journal_file import read_newest
    from acmd.history import entries_of

    entries = entries_of(read_newest(Path(place.state_dir) / "events.jsonl", OWN_BYTES))
    if not entries:
        return {"reason": WHY}
    pairs = []
    for entry in entries:
        epoch, after, how = (entry.fields.get(key) for key in ("epoch", "after", "how"))
        if entry.event != "epoch-began" or type(epoch) is not int or type(after) is not str:
            continue
        state, _, reason = str(how).partition(": ")
        before = {"epoch": epoch - 1, "holder": after, "state": state, "reason": reason or state}
        pairs.append((before, {"epoch": epoch, "holder": place.node, "from_s": entry.at_s}))
    return _recalled(*pairs) | {
        "reason": f"{WHY} (its last event: {moment(entries[-1].at_s)}, `acmd events`)"
    }


def _timing(timing: Timing) -> dict[str, Any]:
    from acmd.core.timing import PROFILES
    from acmd.status import timing_part

    profile = next((name for name, preset in PROFILES.items() if preset == timing), "custom")
    return timing_part(timing, profile)


def _lease(leases: list[tuple[int, bytes]], cluster_id: str) -> Part:
    from acmd.core.lease import LeaseState, Record, decode
    from acmd.status import record_part

    if not leases:
        return {}
    epoch, raw = leases[-1]
    record = decode(raw, cluster_id, epoch)
    if not isinstance(record, Record):
        return {"epoch": epoch, "fault": f"lease.{epoch:010d} cannot be understood: {record.value}"}
    active = record.holder if record.state is not LeaseState.RELEASED else None
    return {"epoch": epoch, "active": active, "lease": record_part(record)}


def _handovers(leases: list[tuple[int, bytes]], journals: Any, cluster_id: str) -> Part:
    from acmd.history import told

    return _recalled(told(leases, journals, "", cluster_id, RECALLED)["epochs"])


def _recalled(*epochs: Sequence[Mapping[str, Any]]) -> Part:
    """Hand-overs as a daemon tells those that were before it."""
    from acmd.drivers.clock import SystemClock
    from acmd.tasks.succession import Succession

    clock, succession = SystemClock(), Succession()
    now = clock.now()
    for some in epochs:
        succession.recall(some, now, clock.wall_time())
    return {"handovers": succession.shown(now)}


def _maintenance(directory: Directory, cluster_id: str) -> Part:
    from dataclasses import asdict

    from acmd.core import board
    from acmd.core.orders import BadOrders, from_content
    from acmd.drivers.cluster_directory import document

    number, raw = directory.run(board.read_command(-1))
    if raw is None:
        return {}
    command = document(str(number), raw, cluster_id, "number", number)
    try:
        if command.content is None:
            raise BadOrders(command.defect)
        orders = from_content(command.content)
    except BadOrders as error:
        return {"fault": f"command {command.name} cannot be followed: {error}"}
    everywhere = asdict(orders.everywhere) if orders.everywhere is not None else None
    nodes = {name: asdict(mark) for name, mark in sorted(orders.nodes.items())}
    return {"maintenance": {"all": everywhere, "nodes": nodes}}


def _nodes(directory: Directory, own: str, active: str | None, cluster_id: str) -> Part:
    """What each node last said of itself, but for what cannot be so any more.

    When it said so cannot be told: no clock is compared with another.
    """
    from acmd.core import board
    from acmd.core.nodefile import NodeFile, from_content
    from acmd.drivers.cluster_directory import document

    found = []
    files = directory.run(board.read_nodes())
    for name, raw in files:
        content = document(name, raw, cluster_id, "node", name).content
        file = from_content(content) if content is not None else ""
        if not isinstance(file, NodeFile):
            continue
        found.append(
            {
                "name": file.node,
                "address": file.address,
                "role": _role(file, own, active),
                "fit": file.fit,
                "unfit_because": file.unfit_because,
                "last_seen_s": None,
                "version": file.version,
                "held_down": file.held_down,
                "users": file.users,
                "config_digest": file.config_digest,
                "services": [_service(service, own=file.node == own) for service in file.services],
            }
        )
    return {"nodes": found} | _unread(directory, files, ".json")


def _role(file: NodeFile, own: str, active: str | None) -> str:
    if file.node == own:
        return "not-running"
    return file.role if file.role in IDLE or file.node == active else "unknown"


def _service(row: dict[str, Any], *, own: bool) -> dict[str, Any]:
    from acmd.status import service_part

    part = service_part(row, None)
    return part | {"state": "unknown"} if own and part["state"] != "stopped" else part
