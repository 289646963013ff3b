"""The guard's one loop: requests, time and sights go to the switch; what it decides is done.

Each request is answered by the whole view, after what it caused was done. The guard outlives its
clients, and SIGTERM while it is armed.
"""

from __future__ import annotations

import os
import select
from typing import Any

from acmd.guard import system
from acmd.guard.channel import Channel, Signals, notify
from acmd.guard.helper import Helper
from acmd.guard.ladder import Ladder
from acmd.guard.last_resort import Rung, Watchdog
from acmd.guard.places import Places
from acmd.guard.settings import Settings
from acmd.guard.switch import OPEN, SHUT, UNKNOWN, Action, Do, SetGate, Sight, Switch

AFTER_KILL_NS = 10_000_000  # the next look after a kill that had something to kill


class Server:
    """One guard. `notes` are what it could not get from the kernel; `rungs` end the host."""

    def __init__(
        self,
        settings: Settings,
        ladder: Ladder,
        places: Places,
        rungs: tuple[Rung, ...],
        watchdog: Watchdog | None,
        notes: dict[str, str],
    ) -> None:
        self.switch = Switch(settings.limits)
        self._ladder, self._places = ladder, places
        self._rungs, self._watchdog, self._notes = rungs, watchdog, notes
        self._poll = select.epoll()
        self._timer = system.Timer()
        self._signals = Signals()
        self._needs_watchdog = settings.watchdog_mode == "required"
        self._helper = Helper(settings.helper, settings.lock, settings.socket, self._poll)
        self._ending = False
        self._reset_fault = ""
        self._sight = UNKNOWN
        self._replies: list[tuple[int, Any, str]] = []
        self._fingerprint = settings.fingerprint
        self._watched = {key: getattr(settings, key) for key in ("cgroup", "unit", "address", "sync")}
        self._limit_us = int(os.environ.get("WATCHDOG_USEC", "0"))
        if self._limit_us:  # PID 1's limit: half the reset margin, whatever the unit says
            margin_ns = settings.lease_ns - settings.reset_ns
            self._limit_us = margin_ns // 2000 or self._limit_us
        self._beat_ns = self._limit_us * 1000 // 3 or 60_000_000_000
        self._story = places.recall(self.switch)
        ladder.jobs.attach(self._poll)
        self._poll.register(self._timer.handle, select.EPOLLIN)
        self._poll.register(self._signals.handle, select.EPOLLIN)
        self._channel = Channel(settings.socket, self._poll)

    def run(self) -> None:
        """Serve until told to end while disarmed."""
        self._turn()
        notify(f"READY=1\nWATCHDOG_USEC={self._limit_us}" if self._limit_us else "READY=1")
        while not (self._ending and self.switch.epoch is None and self._helper.handle == -1):
            for handle, _ in self._poll.poll():
                self._answer(handle)
            self._turn()
            view = self.view()
            for handle, number, refusal in self._replies:
                self._channel.send(handle, {**view, "id": number, "refused": refusal})
            self._replies.clear()
            self._channel.push(view)
            notify("WATCHDOG=1")
        self._close()

    def _answer(self, handle: int) -> None:
        if handle == self._timer.handle:
            self._timer.clear()
        elif self._channel.is_listener(handle):
            self._channel.accept(self.view())
        elif handle == self._signals.handle:
            self._ending |= self._signals.take()
        elif handle == self._ladder.drain.handle:
            self._ladder.drain.ended()
        elif handle == self._ladder.jobs.handle:
            self._ladder.jobs.receive()
        elif handle == self._helper.handle:
            released = self._helper.ended()
            if released is not None:
                self._turn(look=True)
                self.switch.disarm(released, detached=False)
        else:
            self._receive(handle)

    # -- a turn -----------------------------------------------------------------------------------

    def _turn(self, look: bool = False) -> None:
        """Look, decide, do; again when the gate moved or a sync had nothing to wait for.

        Only a sight from after that proves something.
        """
        switch, wait_ns = self.switch, self._beat_ns
        self._ladder.jobs.calm = switch.epoch is None and switch.clean
        for _ in range(3):
            sight = Sight(*self._ladder.look()) if look or switch.gate != OPEN else UNKNOWN
            if self._places.fault:
                sight = sight._replace(jobs=True)  # a start that cannot be refused may be about to come
            self._sight = sight
            actions = switch.tick(system.now(), sight)
            self._perform(actions)
            if Do.KILL in actions and sight.processes and self._ladder.killable:
                wait_ns = min(wait_ns, AFTER_KILL_NS)
            moved = any(isinstance(action, SetGate) for action in actions)
            if not moved and not (Do.SYNC in actions and self._ladder.drain.done):
                break
        helper_ns = self._helper.consider(
            None if switch.gate == OPEN else switch.epoch, switch.spent and switch.gate == SHUT
        )
        wait_ns = wait_ns if helper_ns is None else min(wait_ns, helper_ns)
        self._timer.set(min(wait_ns, switch.wake_in_ns(system.now())))

    def _perform(self, actions: tuple[Action, ...]) -> None:
        """In their order; the gate's file first and always, since it carries the deadline too."""
        if SetGate(OPEN) in actions:
            self._ladder.drain.spoil()
            self._ladder.freeze(False)
        self._places.put(self.switch)
        if any(isinstance(action, SetGate) for action in actions):
            self._ladder.jobs.forget()
        if SetGate(SHUT) in actions:
            self._ladder.freeze(True)
        if Do.KILL in actions:
            self._ladder.kill()
        if Do.SYNC in actions and self._ladder.drain.begin():
            self._poll.register(self._ladder.drain.handle, select.EPOLLIN)
        if Do.RESET in actions:
            self._reset()
        if self._watchdog is not None:
            self._watchdog.wanted = self.switch.epoch is not None
            if self.switch.epoch is None:
                self._watchdog.stop()
            if Do.FEED in actions:
                self._watchdog.feed()
        if self.switch.epoch is None:  # what is armed was written down before it was armed
            state = "detached" if self.switch.detached else "disarmed"
            self._notes["state"] = self._places.keep(state, self.switch.detached_epoch, None)

    def _reset(self) -> None:
        for rung in self._rungs:
            try:
                rung()
            except OSError as problem:
                self._reset_fault = f"the host could not be reset: {problem}"

    # -- requests ---------------------------------------------------------------------------------

    def _receive(self, handle: int) -> None:
        number = None
        try:
            request = self._channel.receive(handle)
            if request is None:
                return
            number = request.get("id") if isinstance(request, dict) else None
            refusal = self._request(request)
        except (ValueError, TypeError, KeyError, RecursionError) as problem:
            refusal = f"not understood: {problem!r}"
        self._replies.append((handle, number, refusal))

    def _request(self, request: dict[str, Any]) -> str:
        """Perform one request. Raises ValueError, TypeError or KeyError for one that makes no sense."""
        verb = request["do"]
        if verb == "view":
            return ""
        epoch = request["epoch"]
        if type(epoch) is not int or epoch < 0:
            raise ValueError("epoch")
        if verb == "arm":
            boot_ns, raw_ns = request["issued"]
            if type(boot_ns) is not int or type(raw_ns) is not int:
                raise ValueError("issued")
            return self._arm(epoch, (boot_ns, raw_ns))
        if verb == "close":
            return self.switch.close(epoch)
        if verb == "shut":
            return self.switch.shut(epoch)
        if verb != "disarm" or type(request["detached"]) is not bool:
            raise ValueError("do")
        self._turn(look=True)
        return self.switch.disarm(epoch, request["detached"])

    def _arm(self, epoch: int, issued: tuple[int, int]) -> str:
        """A guard that comes after this one must know of it before anything can start under it."""
        if self.switch.epoch is not None:
            if self.switch.gate == OPEN:
                self._ladder.remember()
            return self.switch.arm(epoch, issued, system.now())
        if self._ending:
            return "the guard was told to end"
        self._turn(look=True)
        refusal = self._places.keep("armed", epoch, issued)
        if not refusal and self._watchdog is not None:
            self._watchdog.start()
            refusal = self._watchdog.fault if self._needs_watchdog else ""
        return refusal or self.switch.arm(epoch, issued, system.now())

    def view(self) -> dict[str, Any]:
        """What status shows and the daemon acts on. Durations are counted from now."""
        switch, limits, drain = self.switch, self.switch.limits, self._ladder.drain
        left: dict[str, int | None] = dict.fromkeys(
            ("renew_in_ns", "kill_in_ns", "reset_in_ns", "lease_in_ns")
        )
        if switch.issued is not None:
            passed = max(b - a for a, b in zip(switch.issued, system.now(), strict=True))
            for key in left:
                left[key] = getattr(limits, key.replace("_in_", "_")) - passed
        ladder = self._ladder
        faults = (
            self._places.fault,
            ladder.fault,
            ladder.jobs.fault,
            drain.fault,
            self._helper.fault,
            self._reset_fault,
            f"not said to be stopped: {', '.join(ladder.marked)}"
            if ladder.marked and switch.gate == SHUT
            else "",
            "" if self._watchdog is None else self._watchdog.check(),
        )
        watchdog = "none" if self._watchdog is None else self._watchdog.fault or "ok"
        return {
            "pid": os.getpid(),
            "epoch": switch.epoch,
            "issued": switch.issued,
            "gate": switch.gate,
            "clean": switch.clean,
            "ended": switch.ended,
            "detached": switch.detached,
            "detached_epoch": switch.detached_epoch,
            "overdue": switch.overdue,
            "spent": switch.spent,
            **left,
            "sight": {"processes": self._sight.processes, "jobs": self._sight.jobs, "drained": drain.done},
            "last_resort": limits.last_resort,
            "watchdog": watchdog,
            "watchdog_ok": watchdog in {"none", "ok"} or not self._needs_watchdog,
            "killed": self._ladder.killed,
            "addresses": ladder.held,
            "syncs_hanging": len(drain.abandoned),
            "ending": self._ending,
            "limits": limits[:4],
            "settings": self._fingerprint,
            "watched": self._watched,
            "story": self._story,
            "faults": [fault for fault in faults if fault],
            "notes": [note for note in self._notes.values() if note],
            "refused": "",
        }

    def _close(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
        self._ladder.jobs.close()
        self._channel.close()
        self._signals.close()
        self._poll.close()
        os.close(self._timer.handle)
