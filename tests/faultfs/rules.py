"""What to do to which operation: the rules of the fault-injecting file system."""

from __future__ import annotations

import asyncio
import errno
import fnmatch
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

ACTIONS = {
    "stall": "wait until the rule is cleared, then do it",
    "done-stall": "do it, then wait with the answer until the rule is cleared",
    "delay": "wait `seconds`, and up to `jitter` seconds more, then do it",
    "errno": "fail, and never do it",
    "done-error": "do it, and say that it failed",
    "late": "say that it failed, and do it `seconds` later",
    "hide": "do it, and do not show the new name for `seconds`",
    "tear": "write half of the bytes, and say that all were",
}


@dataclass(slots=True)
class Rule:
    """Applies to the first `count` matching operations after `skip` others; `name` is a glob of the path."""

    action: str
    ops: list[str]
    name: str = "*"
    error: int = errno.EIO
    seconds: float = 0.0
    jitter: float = 0.0
    count: int = -1
    skip: int = 0
    hits: int = 0
    cleared: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"{self.action!r} is none of {', '.join(ACTIONS)}")

    def takes(self, op: str, path: str) -> bool:
        """Whether it applies to this operation; counts it."""
        if self.count == 0 or op not in self.ops or not fnmatch.fnmatch(path, self.name):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.count -= self.count > 0
        self.hits += 1
        return True


class Injector:
    """The rules in force, and a count of all operations."""

    def __init__(self) -> None:
        self.rules: dict[int, Rule] = {}
        self.counts: Counter[str] = Counter()
        self._made = 0
        self._hidden: dict[str, float] = {}
        self._later: set[asyncio.TimerHandle] = set()

    def add(self, rule: Rule) -> int:
        """Put it in force; earlier rules go first."""
        self._made += 1
        self.rules[self._made] = rule
        return self._made

    def clear(self, number: int | None = None) -> None:
        """Take one rule, or all, out of force; what is stalled goes on."""
        for key in list(self.rules) if number is None else [number]:
            rule = self.rules.pop(key, None)
            if rule is not None:
                rule.cleared.set()

    def hidden(self, path: str) -> bool:
        """Whether a new name is not shown yet."""
        return time.monotonic() < self._hidden.get(path, 0.0)

    async def apply(
        self, op: str, path: str, perform: Callable[[], T], torn: Callable[[], T] | None = None
    ) -> T:
        """Perform the operation as the first rule that takes it says. Raises OSError."""
        self.counts[op] += 1
        rule = next((rule for rule in self.rules.values() if rule.takes(op, path)), None)
        if rule is None:
            return perform()
        if rule.action == "stall":
            await rule.cleared.wait()
        elif rule.action == "delay":
            await asyncio.sleep(rule.seconds + random.uniform(0.0, rule.jitter))
        elif rule.action == "errno":
            raise OSError(rule.error, "injected")
        elif rule.action == "late":
            self._perform_later(rule.seconds, perform)
            raise OSError(rule.error, "injected")
        elif rule.action == "tear" and torn is not None:
            return torn()
        result = perform()
        if rule.action == "done-stall":
            await rule.cleared.wait()
        elif rule.action == "done-error":
            raise OSError(rule.error, "injected")
        elif rule.action == "hide":
            self._hidden[path] = time.monotonic() + rule.seconds
        return result

    def _perform_later(self, seconds: float, perform: Callable[[], Any]) -> None:
        def now() -> None:
            self._later.discard(timer)
            perform()

        timer = asyncio.get_running_loop().call_later(seconds, now)
        self._later.add(timer)
