"""Hooks: commands that people want to be run when something happens on this node.

Each hook has a short queue and runs one command at a time, beside everything else: nothing waits for it,
and what comes faster than it can tell is dropped and counted. An event runs a hook once in an epoch: what
it was begun for is remembered in a local file *before* it is begun, so that no restart runs it twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from acmd.events import ALARMS, NEVER_HOOKED
from acmd.history import Entry
from acmd.pace import ACTS, subject

QUEUE = 64  # events that wait for one hook
REMEMBERED = 1000  # events that were told, of all hooks
LATE_S = 600.0  # what happened that long before this daemon began, and was not told, is told late
NOT_OF_THE_NODE = ("starting", "stopped")  # roles of the daemon


class Marks(Protocol):
    """A small local file. Neither method raises; `save` ends within its own limit."""

    def load(self) -> Mapping[str, Any]:
        """What was saved last, {} when nothing, or nothing that can be understood."""
        ...

    async def save(self, content: Mapping[str, Any]) -> None:
        """Replace it."""
        ...


Run = Callable[[tuple[str, ...], Mapping[str, str], float], Awaitable[str]]
"""Run a command in an environment within a limit in seconds: "", or what went wrong. Never raises."""


@dataclass(slots=True)
class Hook:
    """One command and what waits for it."""

    on: frozenset[str]
    command: tuple[str, ...]
    timeout_s: float
    repeat_s: float = 0.0
    waiting: deque[tuple[str, Entry]] = field(default_factory=deque)
    poke: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: int = 0

    @property
    def key(self) -> str:
        """The same for the same command, whatever else of the configuration changes."""
        return hashlib.sha256("\0".join(self.command).encode()).hexdigest()[:12]

    def wants(self, entry: Entry) -> str:
        """Which of the things that it asks for this event is, or ""."""
        if entry.event in NEVER_HOOKED:
            return ""
        if entry.event == "role" and entry.fields.get("role") in NOT_OF_THE_NODE:
            return ""
        if entry.event in self.on:
            return entry.event
        alarm = entry.event in ALARMS and entry.level in ("warning", "error")
        return "alarm" if alarm and "alarm" in self.on else ""


class Hooks:
    """Listens to the journal; `loops` do the work."""

    def __init__(
        self,
        hooks: Iterable[Hook],
        about: Mapping[str, str],
        marks: Marks,
        run: Run,
        log: Callable[..., None],
    ) -> None:
        self._hooks = list(hooks)
        self._about = about  # ACMD_NODE, ACMD_CLUSTER
        self._marks = marks
        self._run = run
        self._log = log
        saved = marks.load() if self._hooks else {}
        told = saved.get("told")
        self._told: dict[str, float] = _times(told) if isinstance(told, dict) else {}
        known = saved.get("hooks")
        self._last_role = -1  # the entry of the newest change of role, before this daemon or in it
        self._known = set(known) if isinstance(known, list) and all(type(k) is str for k in known) else set()

    def catch_up(self, entries: Iterable[Entry], now_s: float) -> None:
        """Events of the daemon before this one that a hook of then was not told."""
        for entry in entries:
            self._look(entry)
            if 0 <= now_s - entry.at_s <= LATE_S:
                for hook in self._hooks:
                    if hook.key in self._known:
                        self._offer(hook, entry)

    def listen(self, entry: Entry) -> None:
        """Take an event to the hooks that ask for it. Never blocks."""
        self._look(entry)
        for hook in self._hooks:
            self._offer(hook, entry)

    def _look(self, entry: Entry) -> None:
        if entry.event == "role" and entry.fields.get("role") not in NOT_OF_THE_NODE:
            self._last_role = entry.number

    def _era(self, entry: Entry) -> str:
        """Within what the same event is told once: its epoch.

        A daemon that does not come as far as a role knows no epoch. Then it is the time since one did, and
        another cause is another event: a start that is refused again and again is told once, not for ever.
        """
        if entry.event in ACTS:
            return f"at {entry.at_s}"
        epoch = entry.fields.get("epoch")
        return (
            str(epoch) if epoch is not None else f"since {self._last_role} {entry.fields.get('because', '')}"
        )

    def _offer(self, hook: Hook, entry: Entry) -> None:
        if not hook.wants(entry):
            return
        mark = f"{hook.key} {entry.event} {self._era(entry)} {subject(entry.event, entry.fields)}"
        before_s = self._told.get(mark)
        if before_s is not None and not 0 < hook.repeat_s <= entry.at_s - before_s:
            return
        if len(hook.waiting) >= QUEUE:
            hook.dropped += 1
            return
        self._told.pop(mark, None)
        self._told[mark] = entry.at_s
        hook.waiting.append((mark, entry))
        hook.idle.clear()
        hook.poke.set()

    def loops(self) -> list[Any]:
        """A coroutine for each hook, until cancelled."""
        return [self._tell(hook) for hook in self._hooks]

    async def _tell(self, hook: Hook) -> None:
        while True:
            if not hook.waiting:
                hook.idle.set()
            await hook.poke.wait()
            hook.poke.clear()
            while hook.waiting:
                _, entry = hook.waiting.popleft()
                await self._marks.save(self._content())
                problem = await self._run(hook.command, self._environment(hook, entry), hook.timeout_s)
                if problem:
                    self._log("hook-failed", command=hook.command[0], of=entry.event, problem=problem)
                if hook.dropped:
                    dropped, hook.dropped = hook.dropped, 0
                    self._log("hooks-dropped", count=dropped, command=hook.command[0])

    def _content(self) -> dict[str, Any]:
        """What was begun, or is about to be; what waits still is not."""
        waiting = {mark for hook in self._hooks for mark, _ in hook.waiting}
        told = [(mark, at_s) for mark, at_s in self._told.items() if mark not in waiting]
        self._told = dict(list(self._told.items())[-REMEMBERED:])
        return {"hooks": [hook.key for hook in self._hooks], "told": dict(told[-REMEMBERED:])}

    async def settle(self, limit_s: float) -> None:
        """Wait until all was told, for at most `limit_s`."""
        try:
            async with asyncio.timeout(limit_s):
                for hook in self._hooks:
                    await hook.idle.wait()
        except TimeoutError:
            pass

    def _environment(self, hook: Hook, entry: Entry) -> dict[str, str]:
        fields = entry.fields
        named = {
            "ACMD_EVENT": entry.event,
            "ACMD_KIND": hook.wants(entry),
            "ACMD_LEVEL": entry.level,
            "ACMD_TIME": f"{entry.at_s:.3f}",
            "ACMD_EPOCH": _text(fields.get("epoch")),
            "ACMD_ROLE": _text(fields.get("role")),
            "ACMD_PREVIOUS_ROLE": _text(fields.get("was")) if entry.event == "role" else "",
            "ACMD_REASON": _text(fields.get("reason")),
            "ACMD_ACTIVE": _text(fields.get("active")),
            "ACMD_SERVICE": _text(fields.get("service")),
            "ACMD_DETAIL": " ".join(f"{key}={_text(value)!r}" for key, value in fields.items()),
        }
        return {**self._about, **named}


def _text(value: Any) -> str:
    """A value as text without a zero byte, which no environment can hold."""
    return "" if value is None else str(value).replace("\0", "�")


def _times(told: Mapping[Any, Any]) -> dict[str, float]:
    return {
        mark: float(at_s) for mark, at_s in told.items() if type(mark) is str and type(at_s) in (int, float)
    }
