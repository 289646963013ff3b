"""What is written down of orders: who gave which, about whom and why, also of those that came to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from acmd.core.timing import NS_PER_S, Instant, elapsed_for_observer_ns
from acmd.errors import AcmdError
from acmd.tasks.console.desk import REASON_LIMIT, Answer, Log, Request, text
from acmd.tasks.console.services import DEEDS

ROOT = "root"
AT_ONCE, A_S = 100.0, 1.0
SAME_AGAIN_S = 60.0
"""The same refusal of the same order is written down once in so long: clients ask again until they may."""
WORD_LIMIT = 60


@dataclass(slots=True)
class Allowance:
    """How many orders each user may give. Each is written down: this bounds what they fill a disk with."""

    _left: dict[str, tuple[float, Instant]] = field(default_factory=dict)

    def ask(self, who: str, now: Instant) -> None:
        """Raises AcmdError when there have been too many. Root may give any number."""
        left, before = self._left.get(who, (AT_ONCE, now))
        left = min(AT_ONCE, left + _passed_s(before, now) * A_S)
        self._left[who] = left, now
        if left < 1 and who != ROOT:
            raise AcmdError(
                f"{who} has given {AT_ONCE:g} orders in a short time",
                "wait a moment; is it a script that loops?",
            )

    def take(self, who: str) -> None:
        """One was given."""
        left, before = self._left[who]
        self._left[who] = left - 1, before


@dataclass(slots=True)
class Scribe:
    """Logs orders."""

    log: Log
    _last: tuple[tuple[str, ...], Instant] | None = None  # the refusal before

    def given(self, request: Request, answer: Answer, who: str) -> None:
        """An order is in force. What it is about is what the daemon understood."""
        about = "all" if answer.get("all") else text(answer.get("service") or answer.get("node"))
        self.log("order-given", **_words(request, who, about or text(answer.get("to"))))

    def refused(self, request: Request, who: str, because: str, now: Instant) -> None:
        """An order that changed nothing."""
        words = _words(request, who, _about(request))
        this = (*words.values(), because)
        before = self._last
        if before is not None and before[0] == this and _passed_s(before[1], now) < SAME_AGAIN_S:
            return
        self._last = this, now
        self.log("order-refused", **words, because=because)

    def uncertain(self, request: Request, who: str, because: str) -> None:
        """An order that may be in force or not."""
        self.log("order-uncertain", level="warning", **_words(request, who, _about(request)), because=because)


def _passed_s(since: Instant, now: Instant) -> float:
    return elapsed_for_observer_ns(since, now) / NS_PER_S


def _about(request: Request) -> str:
    """What it is about by its client's word."""
    if request.get("all") is True:
        return "all"
    return text(request.get("service") or request.get("node") or request.get("to"))[:WORD_LIMIT]


def _words(request: Mapping[str, Any], who: str, about: str) -> dict[str, str]:
    what = str(request["do"])
    if what == "service":
        deed = text(request.get("deed"))
        what = f"service {deed if deed in DEEDS else '?'}"
    said = {"about": about, "reason": text(request.get("reason"))[:REASON_LIMIT]}
    return {"what": what, "by": who, **{key: value for key, value in said.items() if value}}
