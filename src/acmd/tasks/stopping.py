"""How long services took to stop: what the stop budget is compared with.

Counted from the order to stop until nothing of a service lives, in orderly stops and in those that were
cut short by a kill. The last few of each service outlive the daemon and the host's run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from acmd.core.timing import NS_PER_S, Instant, elapsed_for_observer_ns
from acmd.errors import AcmdError
from acmd.tasks.unit import Unit

KEPT = 8


class StopShelf(Protocol):
    """Where the lengths are kept."""

    def load(self) -> dict[str, list[float]]:
        """Seconds of the last stops by the service's name, the newest last; nothing where none is kept."""
        ...

    def save(self, times: dict[str, list[float]]) -> None:
        """Replace atomically. Raises LocalFailure."""
        ...


def _silent(*_: Any, **__: Any) -> None:
    """For a group that nobody listens to."""


@dataclass(slots=True)
class StopTimes:
    """Shared by the groups of a daemon. Without a shelf it forgets with the daemon."""

    shelf: StopShelf | None = None
    log: Callable[..., None] = _silent
    times: dict[str, list[float]] = field(default_factory=dict)
    _refused: bool = False

    def __post_init__(self) -> None:
        """Take over what the daemon before this one measured."""
        if self.shelf is not None:
            self.times = {name: found[-KEPT:] for name, found in self.shelf.load().items() if found}

    def last_s(self, name: str) -> float | None:
        """The newest stop's length in seconds; None while none was measured."""
        return found[-1] if (found := self.times.get(name)) else None

    def longest_s(self, name: str) -> float | None:
        """The longest of the last few."""
        return max(found) if (found := self.times.get(name)) else None

    def seen(self, unit: Unit, now: Instant) -> None:
        """After each look at a service: a stop that has come to its end is measured."""
        if unit.stop_began is None or not unit.gone:
            return
        took_s = round(elapsed_for_observer_ns(unit.stop_began, now) / NS_PER_S, 3)
        unit.stop_began = None
        known_s = self.last_s(unit.service.name)
        if unit.stop_cut and known_s is not None and took_s <= known_s:
            return  # a kill ended it: it would have taken longer, and that is all there is to learn
        name = unit.service.name
        self.times[name] = [*self.times.get(name, ()), took_s][-KEPT:]
        self._keep()

    def _keep(self) -> None:
        if self.shelf is None:
            return
        try:
            self.shelf.save(self.times)
            self._refused = False
        except AcmdError as error:
            if not self._refused:
                self._refused = True
                self.log("stop-times-unkept", level="warning", because=error.what, remedy=error.remedy)
