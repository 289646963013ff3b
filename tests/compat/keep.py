"""Write the records of the version that is checked out, to be read by all later ones: see README.md.

`python -m tests.compat.keep [DIRECTORY]` makes tests/compat/VERSION, once, with the product's own writers.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import acmd
from acmd.core import nodefile, orders
from acmd.core.lease import LeaseState, Record, encode, lease_name
from acmd.core.state import Lease, Remembered
from acmd.core.timing import NS_PER_S, PROFILES, Instant
from acmd.drivers.clock import SystemClock
from acmd.drivers.cluster_directory import ClusterDirectory
from acmd.drivers.lease_directory import LeaseDirectory
from acmd.drivers.run_store import FileRunStore

HERE = Path(__file__).parent
AT = 1_700_000_000

NODE = nodefile.NodeFile(
    node="alpha",
    address="10.99.0.1",
    role="active",
    fit=True,
    unfit_because="",
    disabled=False,
    version=acmd.__version__,
    incarnation="inc-alpha",
    boot_id="boot-alpha",
    beat=4711,
    services=({"name": "MYSQL", "state": "running", "runs_on": "active"},),
)
ORDERS = orders.Orders(
    by="root on alpha",
    at=AT,
    what="disable beta",
    everywhere=orders.Disabled("root on beta", AT - 60, "upgrade of the storage"),
    nodes={"beta": orders.Disabled("root on alpha", AT, "new memory", forced=True)},
    switchover_epoch=41,
    switchover_to="beta",
    dead_holder=40,
    hold_downs_cleared={"alpha": 3},
)
REMEMBERED = Remembered("boot-alpha", Lease(42, "try", "inc", 77, 5, 4, 4, Instant(1, 2), ("gamma",), 9), 1)


def records(cluster_id: str) -> list[Record]:
    """One of each state, with everything in it that a record can say."""
    held = Record(
        cluster_id, 42, 1234, "alpha", "inc-alpha", "try-42", "machine-alpha", "boot-alpha", 12_000,
        LeaseState.HELD, "", "", ("gamma",), "10.99.0.1", AT, AT - 3600,
    )  # fmt: skip
    released = held._replace(epoch=41, state=LeaseState.RELEASED, reason="switchover", successor="beta")
    detached = held._replace(epoch=40, state=LeaseState.DETACHED, reason="maintenance", unfenced=("*",))
    return [held, released, detached]


async def _directory(path: Path) -> None:
    store = LeaseDirectory(path, "alpha", 10 * NS_PER_S, SystemClock())
    try:
        cluster = ClusterDirectory(store, str(path), "alpha", 10.0)
        made = await cluster.initialise("compat", PROFILES["standard"], AT, "mysql")
        cluster.use_cluster(made.cluster_id)
        await cluster.write_node(nodefile.to_content(NODE))
        await cluster.post_control(1, orders.to_content(ORDERS))
    finally:
        await store.close()
    for record in records(made.cluster_id):
        (path / lease_name(record.epoch)).write_bytes(encode(record))


def keep(target: Path) -> None:
    """Write everything into `target`, which must not be there yet. Raises FileExistsError."""
    target.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        shared, local = Path(scratch, "shared"), Path(scratch, "run/c")
        shared.mkdir()
        asyncio.run(_directory(shared))
        store = FileRunStore(local, Path(scratch, "lib/c"))
        store.prepare()
        store.remember(REMEMBERED)
        found: dict[str, Any] = {
            str(path.relative_to(shared)): path.read_bytes() for path in shared.rglob("*") if path.is_file()
        }
        found["run/lease.json"] = (local / "lease.json").read_bytes()
    for name, data in found.items():
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


if __name__ == "__main__":
    keep(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / acmd.__version__)
