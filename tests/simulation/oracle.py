"""The one place where a schedule can deviate from the benign one.

Every choice point of the world asks its oracle. The answer 0 means 'as usual'. The random oracle
counts down to its next deviation (no random number is drawn at an ordinary point), the scripted one
deviates at given points only.
"""

from __future__ import annotations

import math
import random
from typing import Any, Callable

# Kinds of choice points.
DECIDE = 0  # between an event and the decision
EFFECT = 1  # before each effect of a decision
ISSUE = 2  # in a worker, before a system call
SERVE = 3  # what server and network do with a system call
REPORT = 4  # in a worker, between the return of its call and the daemon's inbox
START = 5  # in supervision, between the check of the deadline and the start job
JOB = 6  # in PID 1, before a job's conditions are looked at
FORK = 7  # in PID 1, between the conditions and the first process
MESSAGE = 8  # from the daemon to the switch
TICK = 9  # the switch wakes up
VIEW = 10  # from the switch, or from the services, to the daemon
DIRTY = 11  # when the last writes of an ended process land
STOP = 12  # a graceful stop
KILL = 13  # a kill
KINDS = 14
NAMES = (
    "decide",
    "effect",
    "issue",
    "serve",
    "report",
    "start",
    "job",
    "fork",
    "message",
    "tick",
    "view",
    "dirty",
    "stop",
    "kill",
)

# Answers beside a delay in nanoseconds (those are positive).
CRASH_DAEMON = -1
CRASH_SWITCH = -2
CRASH_BOTH = -3
POWER_LOSS = -4
LOCAL_FAILURE = -5
NEVER = -6

Answer = Any
NEVER_AGAIN = 1 << 60


class Oracle:
    """The benign schedule."""

    __slots__ = ()

    def at(self, kind: int, host: Any, detail: Any = None) -> Answer:
        """The deviation at this choice point, or 0."""
        return 0

    def quiet(self) -> None:
        """No deviation from now on."""


class RandomOracle(Oracle):
    """Deviates with a probability for each kind; `deviate` draws the answer."""

    __slots__ = ("left", "rng", "scale", "deviate")

    def __init__(
        self,
        rng: random.Random,
        probabilities: dict[int, float],
        deviate: Callable[[int, Any, Any], Answer],
    ) -> None:
        self.rng = rng
        self.scale = [0.0] * KINDS
        for kind, probability in probabilities.items():
            self.scale[kind] = 1.0 / math.log1p(-probability)
        self.left = [self._draw(kind) for kind in range(KINDS)]
        self.deviate = deviate

    def _draw(self, kind: int) -> int:
        scale = self.scale[kind]
        return int(math.log(1.0 - self.rng.random()) * scale) if scale else NEVER_AGAIN

    def at(self, kind: int, host: Any, detail: Any = None) -> Answer:
        left = self.left[kind]
        if left:
            self.left[kind] = left - 1
            return 0
        self.left[kind] = self._draw(kind)
        return self.deviate(kind, host, detail)

    def quiet(self) -> None:
        self.left = [NEVER_AGAIN] * KINDS


class ScriptedOracle(Oracle):
    """Deviates at the given choice points: point -> place in the menu of its kind."""

    __slots__ = ("plan", "point", "first", "last", "menu", "offered", "silent")

    def __init__(
        self,
        plan: dict[int, int],
        menu: Callable[[int, Any, Any], tuple[Answer, ...]],
        record: bool = False,
    ) -> None:
        self.plan = plan
        self.menu = menu
        self.point = 0
        self.silent = False
        self.offered: list[tuple[int, int]] = []  # (point, length of its menu)
        self.first = -1 if record else 0

    def at(self, kind: int, host: Any, detail: Any = None) -> Answer:
        if self.silent:
            return 0
        point = self.point
        self.point = point + 1
        choice = self.plan.get(point)
        if choice is not None:
            return self.menu(kind, host, detail)[choice]
        if self.first < 0:
            size = len(self.menu(kind, host, detail))
            if size:
                self.offered.append((point, size))
        return 0

    def quiet(self) -> None:
        self.silent = True
