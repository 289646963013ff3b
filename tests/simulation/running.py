"""A storage call while a worker runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acmd.core.calls import Call, Fault, steps_of
from acmd.core.timing import Instant

if TYPE_CHECKING:
    from tests.simulation.daemon import Daemon


class Running:
    """A call in a worker."""

    __slots__ = (
        "daemon",
        "call",
        "steps",
        "began",
        "ended",
        "deadline",
        "limit_set",
        "timed_out",
        "done",
        "syscall",
        "number",
        "value",
        "fault",
    )

    def __init__(self, daemon: Daemon, call: Call, began: Instant, deadline: int) -> None:
        self.daemon = daemon
        self.call = call
        self.steps = steps_of(call)
        self.began = began
        self.ended = began
        self.deadline = deadline
        self.limit_set = False
        self.timed_out = False
        self.done = False
        self.syscall: Any = None
        self.number = 0
        self.value: Any = None
        self.fault: Fault | None = None
