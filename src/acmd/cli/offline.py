"""What the shared directory says, for a host whose daemon does not run.

Everything on shared storage is read by a worker process that is given up at its limit: on dead
storage a command says so and ends. Nothing is decided by what is read here. One look cannot tell
whether a lease is still renewed, so ages are unknown.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from acmd import __version__
from acmd.config.glance import Glance
from acmd.core.calls import Call, Kind, Listing, ReadBack, StorageFault
from acmd.core.lease import Defect, LeaseState, Record, decode
from acmd.core.nodefile import NodeFile
from acmd.core.nodefile import from_content as node_from
from acmd.core.orders import BadOrders
from acmd.core.orders import from_content as orders_from
from acmd.core.timing import NS_PER_S
from acmd.drivers.clock import SystemClock
from acmd.drivers.cluster_directory import ClusterDirectory
from acmd.drivers.lease_directory import LeaseDirectory
from acmd.errors import AcmdError
from acmd.ports import Document
from acmd.status import FORMAT, record_part
from acmd.tasks.service_rows import complete

LIMIT_S = 3.0
GUARD_KEYS = (
    "alive",
    "armed",
    "epoch",
    "gate",
    "deadline_in_s",
    "last_resort",
    "last_resort_means",
    "watchdog",
)


def look(place: Glance, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """A snapshot with the keys of the daemon's, as far as they can be known. Raises nothing expected."""
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
        "reason": "the daemon does not run on this host; this is what the shared directory says",
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
    asyncio.run(_fill(snapshot, place, limit_s))
    return snapshot


async def _fill(snapshot: dict[str, Any], place: Glance, limit_s: float) -> None:
    directory = LeaseDirectory(Path(place.directory), place.node, round(limit_s * NS_PER_S), SystemClock())
    try:
        async with asyncio.timeout(limit_s):
            await _read(
                snapshot, directory, ClusterDirectory(directory, place.directory, place.node, limit_s)
            )
    except (StorageFault, AcmdError) as failure:
        snapshot["storage"]["fault"] = failure.what if isinstance(failure, AcmdError) else str(failure)
    except TimeoutError:
        snapshot["storage"]["fault"] = f"the storage did not answer within {limit_s:g} s"
    finally:
        await directory.close()


async def _read(snapshot: dict[str, Any], store: LeaseDirectory, board: ClusterDirectory) -> None:
    cluster = await board.read()
    snapshot["cluster"] |= {"name": cluster.name, "id": cluster.cluster_id}
    epoch, found = await _newest_lease(store, cluster.cluster_id)
    snapshot["epoch"] = epoch
    if isinstance(found, Record):
        snapshot["lease"] = record_part(found)
        if found.state is not LeaseState.RELEASED:
            snapshot["active"] = found.holder
    elif found is not None:
        snapshot["storage"]["fault"] = f"lease.{epoch:010d} cannot be understood: {found.value}"
    number, command = await board.read_control()
    if number >= 0:
        _maintenance(snapshot, command)
    for found_file in await board.read_nodes():
        file = node_from(found_file.content) if found_file.content is not None else found_file.defect
        if isinstance(file, NodeFile):
            snapshot["nodes"].append(_node(file))


def _maintenance(snapshot: dict[str, Any], command: Document) -> None:
    try:
        if command.content is None:
            raise BadOrders(command.defect)
        orders = orders_from(command.content)
    except BadOrders as error:
        snapshot["storage"]["fault"] = f"command {command.name} cannot be followed: {error}"
        return
    snapshot["maintenance"] = {
        "all": asdict(orders.everywhere) if orders.everywhere is not None else None,
        "nodes": {name: asdict(mark) for name, mark in sorted(orders.nodes.items())},
    }


def _node(file: NodeFile) -> dict[str, Any]:
    """What a node last said of itself. When that was cannot be told: no clock is compared with another."""
    return {
        "name": file.node,
        "address": file.address,
        "role": file.role,
        "fit": file.fit,
        "unfit_because": file.unfit_because,
        "last_seen_s": None,
        "version": file.version,
        "held_down": file.held_down,
        "users": file.users,
        "config_digest": file.config_digest,
        "services": [complete(service, None) for service in file.services],
    }


async def _newest_lease(store: LeaseDirectory, cluster_id: str) -> tuple[int | None, Record | Defect | None]:
    listing = await _call(store, Call(1, Kind.LIST))
    if not isinstance(listing, Listing) or not listing.epochs:
        return None, None
    epoch = max(listing.epochs)
    found = await _call(store, Call(2, Kind.READ, epoch))
    if not isinstance(found, ReadBack):
        return epoch, None
    return epoch, decode(found.data, cluster_id, epoch)


async def _call(store: LeaseDirectory, call: Call) -> Listing | ReadBack | None:
    store.issue(call)
    while True:
        await store.changed.wait()
        for outcome in store.take_outcomes():
            if outcome.call.number == call.number:
                if outcome.fault is not None:
                    raise StorageFault(outcome.fault, store.last_detail)
                return outcome.value
