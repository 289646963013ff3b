"""Everything that a decision may know, as immutable values."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Union

from acmd.core.calls import Call, Fault, Listing, ReadBack
from acmd.core.state import Remembered
from acmd.core.timing import Instant


class Outcome(NamedTuple):
    """How a storage call ended.

    `began` was noted before its first system call was issued, `ended` after its last returned.
    `fault` TIMEOUT says that nobody knows; should the call return later, a second outcome with
    the same number and `late` set follows, and until then the call stays outstanding.
    """

    call: Call
    began: Instant
    ended: Instant
    value: Union[Listing, ReadBack, None] = None  # noqa: UP007
    fault: Fault | None = None
    late: bool = False


class Gate(StrEnum):
    """Whether active-only services may be started."""

    SHUT = "shut"
    OPEN = "open"
    CLOSING = "closing"


class GuardView(NamedTuple):
    """What the dead man's switch last said of itself."""

    alive: bool = False
    epoch: int | None = None  # armed for this epoch; None: disarmed
    issued: Instant | None = None  # the deadline's base that it knows
    gate: Gate = Gate.SHUT
    clean: bool = False  # it saw the services of every earlier epoch of this node gone and drained
    watchdog_ok: bool = True  # False: a required watchdog is missing
    ended: int = -1  # no epoch up to this one is ever armed again


class Mode(StrEnum):
    """What supervision is asked to do with the active-only services."""

    RUN = "run"
    STOP = "stop"  # gracefully, in reverse order
    KILL = "kill"
    HANDS_OFF = "hands-off"


class ServicesView(NamedTuple):
    """What supervision last saw of the active-only services of this node, of whatever epoch."""

    mode: Mode | None = None  # the last request that it took over
    epoch: int | None = None
    processes: bool = True  # something lives in their cgroups
    jobs: bool = True  # the service manager has a job, an activation or a restart pending for one
    drained: bool = False  # their file systems were synced, no request outstanding, since all went
    failed: bool = False  # one cannot be kept up: its restart budget is spent
    all_up: bool = False

    @property
    def gone(self) -> bool:
        """Nothing runs, nothing is about to run, and what they wrote has landed."""
        return not self.processes and not self.jobs and self.drained


class Peer(NamedTuple):
    """Another node, by its own node file: for choosing, never for safety."""

    node: str
    fit: bool  # and not held down
    disabled: bool = False
    heard: bool = True  # lately; one that is silent is no successor, but may be the one to fence


class SwitchoverRequest(NamedTuple):
    """An operator's wish; void in any other epoch than the one it names."""

    epoch: int
    target: str = ""  # "": any fit peer


class Intent(NamedTuple):
    """What the operators' commands on shared storage add up to."""

    known: bool = True  # False until the control directory was read once
    all_disabled: bool = False
    disabled_here: bool = False
    forced: bool = False  # release even without a fit peer
    switchover: SwitchoverRequest | None = None
    dead_holder: tuple[int, int] | None = None  # epoch, sequence of the record whose holder was declared dead
    clear_hold_down: int = 0  # counts up with each such command


class Fenced(NamedTuple):
    """A host confirmed off or reset, by an agent or by an operator."""

    host: str
    asked: Instant  # the confirmation speaks of the time after this


class Interlock(StrEnum):
    """Whether something outside (a database answering on the peer) forbids a promotion."""

    CLEAR = "clear"
    BLOCKED = "blocked"
    OVERRIDDEN = "overridden"


class Leave(StrEnum):
    """Whether and how the daemon was told to end."""

    NO = "no"
    RELEASE = "release"  # stop the services and release
    ADOPT = "adopt"  # a restart: leave all as it is for the next daemon
    DETACH = "detach"  # keep the services, end the epoch's expiry


class Observation(NamedTuple):
    """All that one decision may know beside the state and the time."""

    outcomes: tuple[Outcome, ...] = ()
    guard: GuardView = GuardView()
    services: ServicesView = ServicesView()
    intent: Intent = Intent()
    fit: bool = True
    peers: tuple[Peer, ...] = ()
    interlock: Interlock = Interlock.CLEAR
    fenced: tuple[Fenced, ...] = ()
    fencing_failed: bool = False  # a try has failed since the last decision
    has_fence_agent: bool = False
    leave: Leave = Leave.NO
    run_ok: bool = True  # False: /run/acmd could not be written
    remembered: Remembered | None = None  # looked at by the first decision only
    fresh_id: str = ""  # a new unique id, should a claim need one
    wall_time: int = 0  # for people only
