"""A cluster of two make-believe hosts, as the demo has it, for the programs that measure one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
