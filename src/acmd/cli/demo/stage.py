"""What scenes act on: the nodes, waiting with limits, and the results."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from acmd.cli.demo.client import Served
from acmd.cli.demo.story import GOOD, Result, Story
from acmd.core.timing import NS_PER_S, Timing

POLL_S = 0.02
DWELL_S = 1.0


class Missed(Exception):
    """Something did not happen within its limit, or two nodes answered."""


@dataclass(slots=True)
class Stage:
    """What scenes act on."""

    story: Story
    timing: Timing

    # -- waiting ----------------------------------------------------------------------------------

    def wait(self, what: str, happened: Callable[[], bool], limit_s: float) -> None:
        """Until it has happened. Raises Missed at the limit, and at once when two nodes answered."""
        until = time.monotonic() + limit_s
        while True:
            if self.story.client.overlap:
                raise Missed(f"TWO NODES ANSWERED: {self.story.client.overlap}")
            if happened():
                return
            if time.monotonic() > until:
                raise Missed(f"did not happen within {limit_s:.1f} s: {what}")
            time.sleep(POLL_S)

    def dwell(self, for_s: float = DWELL_S) -> None:
        """Let people look, and the client go on checking."""
        until = time.monotonic() + for_s
        self.wait("time passes", lambda: time.monotonic() > until, for_s + 1)

    def serving(self) -> Served:
        """The epoch that answers now."""
        served = self.story.client.newest()
        if served is None:
            raise Missed("nobody has answered yet")
        return served

    def wait_for_service(self, node: str, after: int, limit_s: float) -> None:
        """Until a node answers clients in a later epoch than `after`."""

        def answers() -> bool:
            served = self.story.client.newest()
            return served is not None and served.epoch > after and served.node == node

        self.wait(f"{node} answers", answers, limit_s)

    def wait_for_candidate(self, name: str, limit_s: float) -> None:
        """Until a node is passive, and all daemons say that it is fit."""

        def ready() -> bool:
            served = self.story.client.newest()
            if self.story.says(name, "role") != "passive" or served is None:
                return False
            if any(self.story.says(node.name, "active") != served.node for node in self.story.nodes):
                return False
            rows = [
                row
                for node in self.story.nodes
                for row in self.story.says(node.name, "nodes") or ()
                if row["name"] == name
            ]
            return len(rows) == len(self.story.nodes) and all(
                r["fit"] and r["role"] == "passive" for r in rows
            )

        self.wait(f"{name} is passive and fit", ready, limit_s)

    # -- results ----------------------------------------------------------------------------------

    def note(self, scene: str, expected: str, measured: str, gap_s: float | None, epochs: str) -> None:
        """The scene went well."""
        self.story.results.append(Result(scene, expected, measured, gap_s, epochs, ok=True))
        self.story.tell(GOOD, f"{scene}: {measured}")

    def takeover_limit_s(self) -> float:
        """The longest that an unplanned takeover may take."""
        timing = self.timing
        return (timing.takeover_wait_ns + timing.heartbeat_ns) / NS_PER_S + 1.6
