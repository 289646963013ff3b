"""One round: a fault, what the service's own stamps say of it, and everything whole again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.peers.peer import Peer, seconds
from tests.hosts.host import Host
from tests.hosts.witness import Run, overlaps_ns

FAULTS = {
    "power": "power loss of the active host",
    "partition": "network between the nodes cut",
    "isolation": "network and shared storage of the active host cut",
    "kill": "kill -9 of the manager",
    "stop": "SIGSTOP of the manager",
    "move": "planned move",
}
HOLD_S = 10.0  # a fault goes on for this long after a takeover: two copies are there for as long as it lasts
ALONE_S = 1.0  # the service ran once and undisturbed for this long: it is over


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one round."""

    fault: str
    away_s: float
    both_s: float
    took_over: bool
    lasted_s: float
    fenced: int
    load: float
    at: str

    def as_json(self) -> dict[str, object]:
        """For the file."""
        return {name: getattr(self, name) for name in self.__slots__}


def reached(found: list[Run], cut_off: str, healed_ns: int) -> list[Run]:
    """The runs as clients see them when nobody reaches a host before it is healed."""
    seen = [
        replace(run, first_ns=max(run.first_ns, healed_ns)) if run.node == cut_off else run for run in found
    ]
    return [run for run in seen if run.last_ns > run.first_ns]


def covered_ns(found: list[Run], start_ns: int, end_ns: int) -> int:
    """For how much of that time at least one run was there."""
    total, until = 0, start_ns
    for run in sorted(found, key=lambda each: each.first_ns):
        first, last = max(run.first_ns, until), min(run.last_ns, end_ns)
        if last > first:
            total += last - first
            until = last
    return total


def both_ns(found: list[Run], start_ns: int, end_ns: int) -> int:
    """For how long runs on two hosts were there together, after the fault."""
    total = 0
    for one, other, _ in overlaps_ns(found):
        first = max(one.first_ns, other.first_ns, start_ns)
        total += max(0, min(one.last_ns, other.last_ns, end_ns) - first)
    return total


def play(peer: Peer, fault: str, number: int) -> tuple[Found, Callable[[], None]]:
    """Wait until all is well, break it, watch. What was found, and what mends the rest.

    PeerError when it is not whole to begin with, and whatever a fault raises that could not be done.
    """
    peer.wait_whole()
    peer.wait(lambda: False, 1.0 + 0.37 * (number % 11))  # another phase of its heartbeat each time
    peer.wait_whole()
    active, fenced = peer.active(), len(peer.switch.fenced)
    load = os.getloadavg()[0]
    start_ns = time.monotonic_ns()
    limit_s = peer.limits.get(fault, peer.limit_s)
    heal = _BREAK[fault](peer, active)
    took = peer.wait(lambda: peer.started_elsewhere(active, start_ns), limit_s)
    if fault not in {"power", "move"}:
        if took:
            peer.wait(lambda: False, HOLD_S)
        heal()
    lasted_ns = time.monotonic_ns() - start_ns
    end_ns = _settled(peer, start_ns)
    runs = [run for run in peer.stamps.runs() if run.last_ns >= start_ns]
    served = reached(runs, active.name, start_ns + lasted_ns) if fault == "isolation" else runs
    found = Found(
        fault=fault,
        away_s=seconds(end_ns - start_ns - covered_ns(served, start_ns, end_ns)),
        both_s=seconds(both_ns(runs, start_ns, end_ns)),
        took_over=bool(took),
        lasted_s=seconds(lasted_ns),
        fenced=len(peer.switch.fenced) - fenced,
        load=round(load, 2),
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    return found, lambda: _mend(peer, fault, active, heal)


def _settled(peer: Peer, start_ns: int) -> int:
    """The last stamp once the service has run alone for a second; else of when patience ended."""
    since: list[float] = []

    def alone() -> bool:
        if len(peer.running()) == 1:
            since.append(time.monotonic())
        else:
            since.clear()
        return bool(since) and time.monotonic() - since[0] >= ALONE_S

    over = peer.wait(alone, peer.whole_s)
    last = max((run.last_ns for run in peer.stamps.runs()), default=start_ns)
    return last if over else time.monotonic_ns()


def _mend(peer: Peer, fault: str, host: Host, heal: Callable[[], None]) -> None:
    if fault in {"power", "move"}:
        heal()
    peer.wait(host.is_on, 10.0)
    if fault in peer.mended_by_hand:
        peer.rejoin(host)
    host.wait_running()


# ------------------------------------------------------------------ each gives what undoes it


def _power(peer: Peer, host: Host) -> Callable[[], None]:
    peer.switch.stays_off.add(host.name)
    host.power_off()

    def heal() -> None:
        peer.switch.stays_off.discard(host.name)
        host.boot()

    return heal


def _partition(peer: Peer, host: Host) -> Callable[[], None]:
    for other in peer.bed.hosts:
        if other is not host:
            peer.bed.partition(host, other)
    return peer.bed.heal


def _isolation(peer: Peer, host: Host) -> Callable[[], None]:
    if peer.storage == "faultfs":
        host.shared.stop()
    host.network.isolate(host.name, True)

    def heal() -> None:
        peer.bed.heal()
        if peer.storage == "faultfs":
            host.shared.go_on()

    return heal


def _kill(peer: Peer, host: Host) -> Callable[[], None]:
    peer.signal(host, "KILL")
    return lambda: peer.rejoin(host) if host.is_on() else None


def _stop(peer: Peer, host: Host) -> Callable[[], None]:
    peer.signal(host, "STOP")

    def heal() -> None:
        if host.is_on():
            peer.signal(host, "CONT")

    return heal


def _move(peer: Peer, host: Host) -> Callable[[], None]:
    peer.planned_move(host, peer.other(host))
    return lambda: peer.moved(host)


_BREAK: dict[str, Callable[[Peer, Host], Callable[[], None]]] = {
    "power": _power,
    "partition": _partition,
    "isolation": _isolation,
    "kill": _kill,
    "stop": _stop,
    "move": _move,
}
assert _BREAK.keys() == FAULTS.keys()
