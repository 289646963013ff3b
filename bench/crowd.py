"""Many real nodes of one cluster, or of several, on this machine, as those of the demo."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acmd.cli.demo import machine
from acmd.cli.demo import place as places
from acmd.cli.demo.client import ask_server
from acmd.cli.demo.direct import make_cluster
from acmd.cli.demo.node import Node
from acmd.core.timing import NS_PER_S, PROFILES, Timing

START_LIMIT_S = 120.0
LOOK_EVERY_S = 0.02
_ONE_AT_A_TIME = threading.Lock()  # `acmd init` is told to be silent by way of sys.stdout
TICKS_A_S: int = os.sysconf("SC_CLK_TCK")


class Slow(Exception):
    """Something did not come about within its limit."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """A cluster whose nodes run."""

    place: places.Place
    nodes: tuple[Node, ...]
    timing: Timing

    def wait(self, what: str, happened: Callable[[], Any], limit_s: float, every_s: float = 0.1) -> Any:
        """What `happened` returned that is true. Raises Slow at the limit."""
        until = time.monotonic() + limit_s
        while True:
            found = happened()
            if found:
                return found
            if time.monotonic() > until:
                words = "\n".join(f"{node.name}: {node.last_words(4)}" for node in self.nodes[:4])
                raise Slow(f"did not come about within {limit_s:g} s: {what}\n{words}")
            time.sleep(every_s)

    def on(self) -> list[Node]:
        """Those that have power."""
        return [node for node in self.nodes if node.powered]

    def active(self) -> Node | None:
        """The node whose service answers; None while none does."""
        return next((node for node in self.on() if ask_server(node.place.port) is not None), None)

    def wait_settled(self, limit_s: float = START_LIMIT_S) -> Node:
        """Until one is active and all others with power say that they are passive and fit."""

        def settled() -> Node | None:
            active = self.active()
            snapshots = [node.status() for node in self.on()]
            roles = [snapshot["role"] if snapshot else "" for snapshot in snapshots]
            return active if sorted(roles) == sorted(["active"] + ["passive"] * (len(roles) - 1)) else None

        found: Node = self.wait("one is active, the others passive", settled, limit_s, 0.3)
        return found

    def takeover(self) -> float:
        """Seconds from the loss of the active node's power to the first answer of another one."""
        victim: Node = self.wait("somebody answers", self.active, 30.0)
        others = [node for node in self.on() if node is not victim]
        at_s = victim.power_off()
        limit_s = 3 * self.timing.takeover_wait_ns / NS_PER_S + 20
        self.wait(
            "another node answers",
            lambda: any(ask_server(node.place.port) for node in others),
            limit_s,
            LOOK_EVERY_S,
        )
        return time.monotonic() - at_s

    def processor_s(self) -> float:
        """Processor time of all processes that live, those that they waited for included."""
        pids = [pid for node in self.on() for pid in machine.descendants(node.machine_pid)]
        return sum((ticks(pid) for pid in pids if not is_service(pid)), 0.0)


def ticks(pid: int) -> float:
    """User and system time in seconds."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text()
        fields = text[text.rindex(")") + 2 :].split()
        return float(sum(int(field) for field in fields[11:15])) / TICKS_A_S
    return 0.0


def is_service(pid: int) -> bool:
    """The demo's web server is none of acmd's costs."""
    with contextlib.suppress(OSError):
        return b"/demo/server.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return True


def pss_mb(pid: int) -> float:
    """Proportional set size."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


@contextlib.contextmanager
def crowd(
    profile: str,
    count: int,
    prepare: Callable[[places.Place], contextlib.AbstractContextManager[None]] | None = None,
    history: Callable[[Path], None] | None = None,
) -> Iterator[Crowd]:
    """`count` nodes that were started one after the other; all of it is gone afterwards.

    `prepare` may put something at the cluster's directory before there is a cluster, `history` into it after.
    """
    place = places.make(profile, tuple(f"n{number:02d}" for number in range(count)))
    nodes = tuple(Node(node) for node in place.nodes)
    found = Crowd(place, nodes, PROFILES[profile])
    with contextlib.ExitStack() as stack:
        stack.callback(place.remove)
        if prepare is not None:
            stack.enter_context(prepare(place))
        for node in nodes:
            stack.callback(node.close)
        with _ONE_AT_A_TIME:
            make_cluster(place)
        if history is not None:
            history(place.shared)
        for node in nodes:
            node.power_on()
        yield found
