"""Which events are the same one over again, and how often such may be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ACTS = frozenset(("order-given", "order-refused", "order-uncertain"))
"""What a person did: never the same as what was done before."""
SUBJECTS = (
    "role", "service", "probe", "host", "check", "fit", "fault", "number", "what", "key", "about", "unit",
    "node", "address", "to", "part", "of", "command",
)  # fmt: skip
"""Fields that make two events of one name different ones."""
PACED_BY = dict.fromkeys(("orders", "order-given", "order-refused", "order-uncertain"), ("what", "by"))
"""The same for the pace, where whoever causes the event could make up ever new subjects."""
KNOWN = 2000  # subjects; above, those that had no event lately are forgotten


class Rate(NamedTuple):
    """So many at once, so many a second for ever."""

    burst: float
    a_s: float


OF_A_SUBJECT, OF_AN_EVENT = Rate(60, 1.0), Rate(300, 5.0)
SLOW = Rate(20, 1 / 60)
"""For what people cause at will, of each kind and each of them: it must not push out what else is kept."""


def subject(name: str, fields: Mapping[str, Any]) -> str:
    """What of its fields tells an event from another of its name. The role does for changes of role alone."""
    keys = SUBJECTS if name == "role" else SUBJECTS[1:]
    return " ".join(str(fields[key]) for key in keys if fields.get(key) is not None)


class Pace:
    """How often events may be told. `rates`: of a subject, for some events. Those in `always` always may."""

    def __init__(self, rates: Mapping[str, Rate], always: frozenset[str] = frozenset()) -> None:
        self.left_out: dict[str, int] = {}  # by event, since it was taken
        self._rates = rates
        self._always = always
        self._left: dict[tuple[str, str | None], tuple[float, float]] = {}  # lines left, when

    def ask(self, event: str, fields: Mapping[str, Any], now_s: float) -> bool:
        """Whether it may be told now; if not it is counted."""
        if event in self._always:
            return True
        if len(self._left) >= KNOWN:
            self._forget(now_s)
        keys = PACED_BY.get(event)
        about = " ".join(str(fields.get(key)) for key in keys) if keys else subject(event, fields)
        mine = self._has_left((event, about), self._rates.get(event, OF_A_SUBJECT), now_s)
        if not mine or not self._has_left((event, None), OF_AN_EVENT, now_s):
            self.left_out[event] = self.left_out.get(event, 0) + 1
            return False
        for key in ((event, about), (event, None)):
            left, at_s = self._left[key]
            self._left[key] = left - 1, at_s
        return True

    def take(self, event: str) -> int:
        """How many of that event were left out, since the last time."""
        return self.left_out.pop(event, 0)

    def _has_left(self, key: tuple[str, str | None], rate: Rate, now_s: float) -> bool:
        left, before_s = self._left.get(key, (rate.burst, now_s))
        left = min(rate.burst, left + max(0.0, now_s - before_s) * rate.a_s)
        self._left[key] = left, now_s
        return left >= 1

    def _forget(self, now_s: float) -> None:
        """Subjects without an event for a minute; all where that leaves too many: events stay paced."""
        recent = {key: value for key, value in self._left.items() if now_s - value[1] < 60}
        if len(recent) >= KNOWN:
            recent = {key: value for key, value in recent.items() if key[1] is None}
        self._left = recent if len(recent) < KNOWN else {}
