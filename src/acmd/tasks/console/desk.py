"""What all orders need: what is known at this moment, whose order it is, and who could take over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from acmd.core import orders
from acmd.core.decision import Decision
from acmd.core.observation import Observation
from acmd.core.state import State
from acmd.core.text import printable
from acmd.core.timing import NS_PER_S, elapsed_for_observer_ns
from acmd.errors import AcmdError
from acmd.ports import Clock
from acmd.tasks.board import BoardKeeper
from acmd.tasks.snapshot import Snapshot

REASON_LIMIT = 200
TEXT_LIMIT = 400
LONGEST_QUOTE = 40

Request = Mapping[str, Any]
Answer = dict[str, Any]
Log = Callable[..., None]


@dataclass(slots=True)
class Desk:
    """Shared by the handlers; changes nothing by itself."""

    now_known: Snapshot
    board: BoardKeeper
    clock: Clock
    log: Log

    @property
    def latest(self) -> tuple[State, Observation, Decision]:
        """What the heartbeat came to last. Raises AcmdError before that."""
        latest = self.now_known.latest
        if latest is None:
            raise AcmdError("the daemon is starting", "ask again in a moment")
        return latest

    @property
    def me(self) -> str:
        """This node's name."""
        return self.latest[0].me.node

    def mark(self, request: Request, who: str) -> orders.Disabled:
        """Who, when and why. Raises AcmdError for an end that lies in the past."""
        now = self.clock.wall_time()
        until = request.get("until") or 0
        if type(until) is not int or until < 0:
            raise AcmdError("`until` is not a time", "use the acmd command")
        if until >= orders.NUMBERS_END:
            raise AcmdError("that end is too far away", "name one of these centuries, or none")
        if 0 < until <= now:
            raise AcmdError(
                f"by the clock of {self.me} that end was {_length(now - until)} ago already",
                "name a later one; if it is later, set the clocks of the nodes",
            )
        reason = text(request.get("reason"))[:REASON_LIMIT]
        return orders.Disabled(who, now, reason, said(request, "force"), until)

    def known_node(self, name: str) -> str:
        """That name. Raises AcmdError when no node has it."""
        if name not in self.board.heard:
            raise AcmdError(
                f"there is no node {quoted(name)}", f"nodes known: {', '.join(sorted(self.board.heard))}"
            )
        return name

    def silent_s(self, name: str) -> float | None:
        """For how long a node was not heard, in seconds; None for one that is heard, or this one."""
        heard, now = self.board.heard.get(name), self.clock.now()
        if heard is None:
            return float("inf")
        if name == self.me or self.board.alive(heard, now):
            return None
        return elapsed_for_observer_ns(heard.changed_at, now) / NS_PER_S

    def candidates(self, found: orders.Orders, active: str) -> dict[str, str]:
        """Other nodes than the active one, each with why it cannot take over, or ''."""
        rows = {}
        for name, heard in self.board.heard.items():
            file = self.now_known.own_file(0) if name == self.me else heard.file
            if name == active:
                continue
            if self.silent_s(name) is not None:
                rows[name] = "it was not heard lately"
            elif name in found.nodes:
                rows[name] = "it is disabled"
            elif file.held_down:
                rows[name] = f"it holds down after failures (`acmd clear-hold-down {name}` ends that)"
            else:
                rows[name] = "" if file.fit else file.unfit_because or "it is not fit"
        return rows


def said(request: Request, key: str) -> bool:
    """Whether a client said yes to that, and not something that merely counts as true."""
    return request.get(key) is True


def quoted(name: str) -> str:
    """What was asked for, in a refusal: not a page of it."""
    return repr(name if len(name) <= LONGEST_QUOTE else f"{name[:LONGEST_QUOTE]}...")


def _length(seconds: int) -> str:
    if seconds < 180:
        return f"{seconds} s"
    if seconds < 3 * 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 72 * 3600 else f"{seconds // 86_400} days"


def text(value: Any) -> str:
    """A text that a client sent, as it may be kept and shown; anything else counts as nothing."""
    return printable(value, TEXT_LIMIT) if isinstance(value, str) else ""
