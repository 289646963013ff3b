"""The failback policy as a plain value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailbackSettings:
    """`node` is empty unless `policy` is "preferred"."""

    policy: str = "manual"
    node: str = ""
    delay_s: float = 300.0


MANUAL = FailbackSettings()
