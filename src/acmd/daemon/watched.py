"""What the armed guard watches, held against what this daemon is told to keep.

A guard keeps what it was started with for as long as it is armed (ADR 0012). A service that was configured
since is none that it could kill, so it is not started before another guard is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from acmd.config.model import Config
from acmd.daemon.building import guard_settings

KILLED_BY = ("cgroup", "unit", "address")
"""The guard's lists by which a service is seen and killed; `sync` only says what has to land."""


def needs(config: Config) -> dict[str, tuple[str, ...]]:
    """The guard's lists as this configuration makes them."""
    settings = guard_settings(config)
    return {key: tuple(settings[key]) for key in (*KILLED_BY, "sync")}


class Watched:
    """`told` is the guard's last view, as it sent it."""

    def __init__(self, config: Config, told: Callable[[], Mapping[str, Any]]) -> None:
        self._told = told
        self._of = {
            entry.name: needs(replace(config, services=(entry,)))
            for entry in config.services
            if entry.runs_on == "active"
        }

    def bar(self, name: str) -> str:
        """Why this active-only service must not be started; "" when the armed guard could kill it."""
        told = self._told()
        watched = told.get("watched")
        if told.get("epoch") is None or watched is None:
            return ""  # nothing is armed; or by an older version, for what runs already
        if all(set(self._of[name][key]) <= set(watched.get(key, ())) for key in KILLED_BY):
            return ""
        return "the guard that is armed was started before this service was configured and could not kill it"
