"""What the measurements share: a cluster of two make-believe hosts, statistics, the JSON file."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import acmd
from acmd.cli.demo import place as places
from acmd.cli.demo.direct import make_cluster
from acmd.cli.demo.node import Node
from acmd.cli.demo.stage import Stage
from acmd.cli.demo.story import Story, Watcher
from acmd.core.lease import Record, decode, encode, lease_name
from acmd.core.timing import PROFILES, Timing

START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Bed:
    """Two nodes that run, one of them active, with the demo's client at work."""

    stage: Stage
    place: places.Place
    timing: Timing

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Both."""
        return self.stage.story.nodes

    def active(self) -> Node:
        """The one that answers clients."""
        return self.stage.story.node(self.stage.serving().node)

    def passive(self) -> Node:
        """The other."""
        return self.stage.story.other(self.stage.serving().node)


@contextlib.contextmanager
def running(profile: str, past_epochs: int = 0) -> Iterator[Bed]:
    """A bed with one node active and the other one ready to take over. Cleans up whatever happens."""
    place = places.make(profile)
    nodes = tuple(Node(node) for node in place.nodes)
    story = Story(place, nodes, lambda _: None)
    watcher = Watcher(story)
    stage = Stage(story, PROFILES[profile])
    try:
        make_cluster(place)
        if past_epochs:
            invent_history(place.shared, past_epochs)
        for node in nodes:
            node.power_on()
        story.client.start()
        watcher.start()
        stage.wait("a node answers", lambda: story.client.newest() is not None, START_LIMIT_S)
        stage.wait_for_candidate(story.other(stage.serving().node).name, START_LIMIT_S)
        yield Bed(stage, place, PROFILES[profile])
    finally:
        watcher.stop()
        story.client.stop()
        for node in nodes:
            node.close()
        place.remove()


def invent_history(shared: Path, epochs: int) -> None:
    """Lease files of earlier epochs, each released, as a long life leaves them."""
    cluster_id = json.loads((shared / "cluster.json").read_text())["id"]
    first = decode((shared / lease_name(0)).read_bytes(), cluster_id, 0)
    if not isinstance(first, Record):
        raise TypeError(f"the first record is {first}")
    for epoch in range(1, epochs + 1):
        (shared / lease_name(epoch)).write_bytes(encode(first._replace(epoch=epoch, holder="a")))


def summary(values_s: Sequence[float]) -> dict[str, Any]:
    """Median, 95th percentile (nearest rank) and worst, in seconds."""
    ordered = sorted(values_s)
    return {
        "rounds": len(ordered),
        "median_s": round(statistics.median(ordered), 4),
        "p95_s": round(ordered[math.ceil(0.95 * len(ordered)) - 1], 4),
        "worst_s": round(ordered[-1], 4),
        "all_s": [round(value, 4) for value in values_s],
    }


def machine() -> dict[str, Any]:
    """Where and when this was measured."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "load_1min": os.getloadavg()[0],
        "python": platform.python_version(),
        "acmd": acmd.__version__,
    }


def write(file: str, measured: dict[str, Any]) -> None:
    """The JSON file, if one was asked for."""
    if file:
        Path(file).write_text(json.dumps({"machine": machine(), **measured}, indent=2) + "\n")
        print(f"written: {file}")


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned columns on standard output."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(heads))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    sys.stdout.flush()
