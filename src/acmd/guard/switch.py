"""What the dead man's switch decides: no I/O and no clock, so that the simulation runs the real thing.

The switch holds the gate of all active-only services of this node and one deadline, counted from
the moment at which the last acknowledged renewal *was issued*:

    R  renew_ns   an open gate goes to closing: starts and restarts are refused, stops run on
    K  kill_ns    the gate is shut and what is left is killed, again and again
       reset_ns   D - reset_margin: without proof that all is gone, the host goes down hard

It trusts nothing but its own sight. A sight proves that all is gone only if it was taken while
the gate was not open: `tick` therefore never counts a sight against a gate that it closes itself.

Times are pairs of CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW in nanoseconds; what has passed is
the larger of the two differences.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Union

SHUT = "shut"
OPEN = "open"
CLOSING = "closing"

POLL_NS = 50_000_000  # while something has to go: how often it is looked for, and killed
IDLE_NS = 1_000_000_000  # while nothing has to happen: how often strays are looked for
SETTLE_NS = 20_000_000  # up to this, a wait ends exactly at its deadline


class Limits(NamedTuple):
    """Durations from the issue of the last acknowledged renewal, and what stands at the end."""

    renew_ns: int
    kill_ns: int
    reset_ns: int
    lease_ns: int
    watchdog_timeout_ns: int = 0  # 0: no watchdog
    last_resort: str = "reset"  # or "none"

    def broken(self) -> str:
        """Why these limits cannot be used, or an empty string."""
        if self.last_resort not in {"reset", "none"}:
            return f"last_resort is {self.last_resort!r}, but it must be 'reset' or 'none'"
        if not 0 < self.renew_ns <= self.kill_ns <= self.reset_ns <= self.lease_ns:
            return f"0 < renew <= kill <= reset <= lease does not hold: {self}"
        if not 0 <= self.watchdog_timeout_ns < self.lease_ns:
            return f"a watchdog of {self.watchdog_timeout_ns} ns cannot fire before the lease ends: {self}"
        if self.watchdog_timeout_ns and self.last_resort == "none":
            return "a watchdog resets the host, but last_resort is 'none'"
        return ""


class Sight(NamedTuple):
    """What the guard itself sees of all active-only services of this node, of whatever epoch."""

    processes: bool  # something lives in their cgroups or process groups
    jobs: bool  # PID 1 has a job, an activation or a restart pending for a unit of them
    drained: bool  # file systems synced, no request outstanding, since everything was seen gone


UNKNOWN = Sight(processes=True, jobs=True, drained=False)
"""What cannot be told counts as the worst."""


Pair = tuple[int, int]  # CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW, in nanoseconds


class SetGate(NamedTuple):
    """Put the gate into this position, before anything that follows."""

    position: str


class Do(Enum):
    """What else a tick may ask for."""

    KILL = "kill"  # everything that lives, and queued jobs
    SYNC = "sync"  # the services' file systems, in a worker that can be abandoned
    RESET = "reset"  # the host, hard, without a sync
    FEED = "feed"  # the kernel's watchdog


Action = Union[SetGate, Do]


def elapsed_ns(since: Pair, now: Pair) -> int:
    """Time that has passed for one who must stop in time: the larger of the two clocks."""
    boot = now[0] - since[0]
    raw = now[1] - since[1]
    return boot if boot > raw else raw


class Switch:
    """Requests answer "" or why they were refused; `tick` says what has to be done now.

    After each request, `tick` is due at once; its actions are performed in their order before
    anything is answered. A refused request has changed nothing.
    """

    __slots__ = (
        "_empty", "_gone", "_lost", "_placed", "clean", "detached", "detached_epoch", "ended", "epoch",
        "gate", "issued", "limits", "overdue",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        problem = limits.broken()
        if problem:
            raise ValueError(problem)
        self.limits = limits
        self.epoch: int | None = None  # armed for this epoch; None: disarmed
        self.issued: Pair | None = None
        self.gate = SHUT
        self.clean = False  # saw the services of every earlier epoch of this node gone and drained
        self.detached = False  # disarmed, and the services of `detached_epoch` stay as they are
        self.detached_epoch: int | None = None
        self.ended = -1  # no epoch up to this one is ever armed again
        self.overdue = False  # past reset_ns without proof that all is gone
        self._empty = False  # the last sight showed neither processes nor jobs, whatever the gate
        self._gone = False  # all gone and drained, seen while the gate was not open
        self._placed = ""  # the position that the last tick asked for
        self._lost = False

    @property
    def closing(self) -> bool:
        """Whether starts are refused while graceful stops run."""
        return self.gate == CLOSING

    @property
    def spent(self) -> bool:
        """Still armed, but everything that the deadline is for has gone: only `disarm` is left."""
        return self.epoch is not None and self._gone

    # -- after a restart of the switch itself -----------------------------------------------------

    def lost_while_armed(self, epoch: int, issued: Pair) -> None:
        """The switch before this one, in the same boot, ended while armed: reset, or kill everything."""
        self.epoch, self.issued, self._lost = epoch, issued, True

    def was_detached(self, epoch: int) -> None:
        """The switch before this one, in the same boot, was disarmed for a detached epoch: nobody acts."""
        self._detach(epoch)

    # -- requests ---------------------------------------------------------------------------------

    def arm(self, epoch: int, issued: Pair, now: Pair) -> str:
        """Arm for a new epoch and open the gate, or move the deadline of the armed one, never back.

        A new epoch needs a switch that is disarmed and clean. One that was detached may be armed
        again though its services run. R, once passed by this switch's own clock, is irrevocable.
        """
        if self.epoch is not None and self.epoch != epoch:
            return f"armed for epoch {self.epoch}"
        if issued[0] > now[0] or issued[1] > now[1]:
            return "that renewal was issued in the future"
        if elapsed_ns(issued, now) >= self.limits.renew_ns:
            return "that renewal is older than the renew deadline"
        if self.epoch is not None:
            return self._move(issued, now)
        if self.detached:
            if epoch != self.detached_epoch:
                return f"epoch {self.detached_epoch} is detached: shut or disarm it first"
        elif epoch <= self.ended:
            return f"epoch {self.ended} has ended, and epoch {epoch} with it"
        elif not self.clean:
            return "the services of earlier epochs were not yet seen gone and drained"
        self.epoch, self.issued, self.gate = epoch, issued, OPEN
        self.detached, self.detached_epoch = False, None
        self.clean = self._gone = False
        return ""

    def _move(self, issued: Pair, now: Pair) -> str:
        held = self._base()
        if self.gate == SHUT:
            return "the gate is shut for this epoch"
        if elapsed_ns(held, now) >= self.limits.renew_ns:
            return "the renew deadline has passed for this epoch"
        if issued[0] >= held[0] and issued[1] >= held[1]:
            self.issued = issued
        return ""

    def close(self, epoch: int) -> str:
        """Gate to closing: no start from now on. A gate that is shut stays so."""
        if not self._concerns(epoch):
            return self._other()
        if self.gate == OPEN:
            self.gate = CLOSING
        return ""

    def shut(self, epoch: int) -> str:
        """Straight to K: shut the gate and kill, of a detached epoch too, which ends by it."""
        if not self._concerns(epoch):
            return self._other()
        if self.detached:
            self._end(epoch)
        self.gate = SHUT
        return ""

    def disarm(self, epoch: int, detached: bool) -> str:
        """Disarm. Refused unless the last sight says all gone, or the epoch is detached and not yet shut.

        `detached` opens the gate for the node's own units and leaves them alone. To a switch that
        is disarmed already it says the same. Without it, a detached epoch under which nothing lives ends.
        """
        if detached:
            if self.epoch is None and epoch <= self.ended:
                return f"epoch {epoch} has ended"
            if not self._concerns(epoch) and (self.epoch is not None or self.detached):
                return self._other()
            if self.epoch is not None and self.gate == SHUT and not self._gone:
                return "the gate is shut: what was begun at the kill deadline is finished first"
            self._detach(epoch)
            return ""
        if not self._concerns(epoch) and (self.detached or self.epoch is not None):
            return self._other()
        if not (self._empty if self.detached else self._gone):
            return "services were not seen gone and drained with the gate closed"
        self._end(epoch)
        return ""

    def _detach(self, epoch: int) -> None:
        self.epoch = self.issued = None
        self.detached, self.detached_epoch, self.gate = True, epoch, OPEN
        self.clean = self._gone = self.overdue = self._lost = False

    def _end(self, epoch: int) -> None:
        self.epoch = self.issued = self.detached_epoch = None
        self.detached = self.overdue = self._lost = False
        self.ended = max(self.ended, epoch)
        self.gate = SHUT

    def _concerns(self, epoch: int) -> bool:
        return epoch == (self.detached_epoch if self.detached else self.epoch)

    def _other(self) -> str:
        """A request for an epoch that this switch does not have: done already when it has none."""
        if self.detached:
            return f"epoch {self.detached_epoch} is detached"
        return "" if self.epoch is None else f"armed for epoch {self.epoch}"

    def _base(self) -> Pair:
        if self.issued is None:
            raise RuntimeError("armed without a deadline")
        return self.issued

    def tick(self, now: Pair, sight: Sight) -> tuple[Action, ...]:
        """What has to be done at `now`, in this order. `sight` was taken after the last tick's actions."""
        passed = 0 if self.epoch is None else elapsed_ns(self._base(), now)
        armed, limits = self.epoch is not None, self.limits
        if armed and passed >= limits.kill_ns:
            self.gate = SHUT
        elif armed and passed >= limits.renew_ns and self.gate == OPEN:
            self.gate = CLOSING

        moved = self.gate != self._placed
        counts = self._placed in {SHUT, CLOSING} and self.gate != OPEN
        self._placed = self.gate
        dead = counts and not sight.processes and not self.detached
        self._empty = not sight.processes and not sight.jobs
        self._gone = self.clean = dead and not sight.jobs and sight.drained
        self.overdue = armed and not self._gone and passed >= limits.reset_ns

        actions: list[Action] = []
        if moved:
            actions.append(SetGate(self.gate))
        if self.gate == SHUT and (moved or sight.processes or sight.jobs):
            actions.append(Do.KILL)
        if dead and not sight.drained:
            actions.append(Do.SYNC)
        if limits.last_resort == "reset" and (self.overdue or self._lost):
            actions.append(Do.RESET)
        elif limits.watchdog_timeout_ns and (
            not armed or self._gone or passed + limits.watchdog_timeout_ns <= limits.lease_ns
        ):
            actions.append(Do.FEED)
        return tuple(actions)

    def wake_in_ns(self, now: Pair) -> int:
        """When `tick` is due at the latest, with no request before.

        The larger of two clocks decides, and a timer runs on one: a long wait is made in pieces.
        """
        limits = self.limits
        wait = IDLE_NS if self.gate == OPEN or self._gone or self.detached else POLL_NS
        if limits.watchdog_timeout_ns:
            wait = min(wait, limits.watchdog_timeout_ns // 4)
        if self.epoch is None:
            return wait
        passed = elapsed_ns(self._base(), now)
        if self.gate == OPEN:
            left = limits.renew_ns - passed
            wait = left if not limits.watchdog_timeout_ns else min(wait, left)
        else:
            ahead = [limit - passed for limit in (limits.kill_ns, limits.reset_ns) if limit > passed]
            wait = min([wait, *ahead])
        if wait > 2 * SETTLE_NS and self.gate == OPEN:
            wait -= wait // 8
        return max(0, wait)
