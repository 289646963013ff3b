"""What an active node is seen to do while nothing happens."""

from __future__ import annotations

import time
from dataclasses import dataclass

from acmd.cli.demo.node import Node

SAMPLE_S = 0.1


@dataclass(slots=True)
class Watched:
    """What was seen of the active node."""

    took_s: float
    renewals: int
    demotions: int
    ages_s: list[float]

    def missed_percent(self, heartbeat_s: float) -> float:
        """Of the renewals that the heartbeat would allow; one beat lies on the edge."""
        expected = max(1.0, self.took_s / heartbeat_s - 1)
        return max(0.0, 100 * (1 - self.renewals / expected))


def watch(node: Node, for_s: float) -> Watched:
    """Ask it ten times a second."""
    began = time.monotonic()
    renewals, demotions, ages_s = 0, 0, []
    epoch, sequence = None, None
    while time.monotonic() - began < for_s:
        snapshot = node.status()
        lease = snapshot["lease"] if snapshot is not None and snapshot["role"] == "active" else None
        if lease is None:
            demotions += epoch is not None
            epoch = None
        else:
            assert snapshot is not None
            if epoch == snapshot["epoch"] and sequence is not None:
                renewals += lease["sequence"] - sequence
            epoch, sequence = snapshot["epoch"], lease["sequence"]
            ages_s.append(float(lease["age_s"]))
        time.sleep(SAMPLE_S)
    return Watched(time.monotonic() - began, renewals, demotions, ages_s)
