"""The plain values of `[[hook]]`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HookSettings:
    """A command that is run when something happens."""

    on: tuple[str, ...]  # "role", "failover", "switchover", "alarm", or names of events
    command: tuple[str, ...]
    timeout_s: float
    repeat_s: float  # 0: the same thing once in an epoch
