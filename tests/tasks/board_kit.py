"""A board keeper over a directory in memory, and files that others put there."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from acmd.core.board import DIRECTORIES, command_name
from acmd.core.nodefile import NodeFile, to_content
from acmd.core.orders import Orders
from acmd.core.orders import to_content as orders_to
from acmd.core.timing import PROFILES
from acmd.drivers.cluster_directory import ClusterDirectory
from acmd.tasks.board import BoardKeeper
from tests.fakes.clock import FakeClock
from tests.fakes.lease_store import FakeLeaseStore
from tests.fakes.memory_directory import MemoryDirectory
from tests.tasks.kit import Log
from tests.unit.core_kit import CLUSTER

TIMING = PROFILES["standard"]


def node_file(name: str, beat: int = 0, **more: Any) -> NodeFile:
    """What a healthy node says of itself."""
    values: dict[str, Any] = {
        "node": name,
        "address": "192.0.2.1",
        "role": "passive",
        "fit": True,
        "unfit_because": "",
        "disabled": False,
        "version": "1.0",
        "incarnation": f"incarnation-{name}",
        "boot_id": f"boot-{name}",
        "beat": beat,
    }
    return NodeFile(**{**values, **more})


class Bench:
    """A node's board with the directory under it."""

    def __init__(self, clock: FakeClock, node: str = "a", directory: MemoryDirectory | None = None) -> None:
        self.clock = clock
        self.node = node
        self.directory = directory if directory is not None else MemoryDirectory()
        self.directory.directories.update(DIRECTORIES)
        self.store = FakeLeaseStore(self.directory, clock)
        self.documents = ClusterDirectory(self.store, "/shared", node, 2.0, CLUSTER)
        self.log = Log()
        self.file = node_file(node)
        self.active = False
        self.keeper = BoardKeeper(
            self.documents,
            clock,
            TIMING,
            node,
            asyncio.Event(),
            own_file=lambda beat: NodeFile(**{**_fields(self.file), "beat": beat}),
            holds_lease=lambda: self.active,
            log=self.log,
        )

    def put(self, path: str, data: bytes) -> None:
        """Somebody's file."""
        self.directory.put(path, data)

    def put_node(self, file: NodeFile, **wire: Any) -> None:
        """Another node's file."""
        whole = {"v": 1, "cluster": CLUSTER, "node": file.node, "content": to_content(file), **wire}
        self.put(f"nodes/{file.node}.json", json.dumps(whole).encode())

    def put_orders(self, number: int, orders: Orders, **wire: Any) -> None:
        """Somebody's command."""
        whole = {"v": 1, "cluster": CLUSTER, "number": number, "content": orders_to(orders), **wire}
        self.put(f"control/{command_name(number)}", json.dumps(whole).encode())


def _fields(file: NodeFile) -> dict[str, Any]:
    return {name: getattr(file, name) for name in NodeFile.__dataclass_fields__}
