"""What a fault is, and what its functions are given."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.campaign.place import Place
from tests.hosts.host import Host
from tests.hosts.inside import HostError

Side = Literal["active", "passive", "both"]
WAIT_S = 30.0


@dataclass(slots=True)
class Scene:
    """One fault in progress."""

    place: Place
    target: Host  # whom it hits; of `both` the active one
    other: Host
    chance: random.Random
    injected_ns: int = 0
    thawed_ns: int = 0
    notes: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)  # writes that landed after their epoch

    def shell(self, command: str, host: Host | None = None, timeout_s: float = 20.0) -> str:
        """Run it on the target; what it printed, "" when the host could not do it."""
        try:
            return (host or self.target).exec(command, check=False, timeout_s=timeout_s).stdout.strip()
        except (HostError, OSError) as problem:
            self.notes.append(str(problem)[:200])
            return ""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.place.sleep(seconds)

    def wait(self, look: Callable[[], bool], limit_s: float = WAIT_S) -> bool:
        """Until it is true, at most so long; whether it came."""
        deadline = time.monotonic() + limit_s
        while not look():
            if time.monotonic() > deadline:
                return False
            self.sleep(0.05)
        return True

    def taken_over(self) -> bool:
        """Whether the stamper runs on the other host."""
        return self.other.name in self.place.stamps.running(time.monotonic_ns(), 0.1)

    @contextlib.contextmanager
    def tolerant(self) -> Iterator[None]:
        """An order to a host that may be gone, or too busy, meanwhile."""
        try:
            yield
        except (HostError, OSError) as problem:
            self.notes.append(str(problem)[:200])


Act = Callable[[Scene], None]


def nothing(scene: Scene) -> None:
    """For a fault that heals by itself, or has no other act."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    `hold_s`: how long it lasts, from least to most, in the fast profile. `operator`: what an operator has to
    do afterwards (heal does it); empty where the cluster mends itself. `limit`: where the protocol does not
    promise S1 or S4, why; such faults are counted apart.
    """

    name: str
    group: str
    inject: Act
    heal: Act = nothing
    sides: tuple[Side, ...] = ("active", "passive")
    hold_s: tuple[float, float] = (1.0, 4.0)
    needs: frozenset[str] = frozenset()
    operator: str = ""
    limit: str = ""
    limit_without_agent: str = ""
    protocol: str = ""

    def documented_limit(self, agent: bool) -> str:
        """Why an overlap or a loss would be no violation here; "" when it would be one."""
        return self.limit or ("" if agent else self.limit_without_agent)
