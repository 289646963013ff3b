"""What a decision comes to: a new state, effects in their order, when to look again, and why.

**The order of the effects is the contract.** They are performed one after the other; when one
fails, those after it are not performed, and every `Issue` among them is reported as an outcome
with fault LOCAL. All are level-triggered: an effect whose result does not show in the next
observation is asked for again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Union

from acmd.core.calls import Call
from acmd.core.observation import Mode
from acmd.core.state import Lease, State
from acmd.core.timing import Instant


class Reason(StrEnum):
    """Why the node is in its role, or why it is not a candidate. Sentences are made from it elsewhere."""

    NONE = "none"
    STARTING = "starting"
    FOLLOWING = "following"  # another node holds a live lease
    WAITING = "waiting"  # the record stands still; W has not passed
    DISABLED = "disabled"
    ALL_DISABLED = "all-disabled"
    DETACHED = "detached"
    UNFIT = "unfit"
    HOLD_DOWN = "hold-down"
    OWN_SERVICES_LEFT = "own-services-left"
    GUARD_MISSING = "guard-missing"
    GUARD_NOT_CLEAN = "guard-not-clean"
    WATCHDOG_MISSING = "watchdog-missing"
    CLAIM_IN_FLIGHT = "claim-in-flight"
    YIELDING = "yielding"
    INTERLOCK = "interlock"
    RUN_UNWRITABLE = "run-unwritable"
    REFUSED_RECORD = "refused-record"
    STORAGE = "storage"
    INTENT_UNKNOWN = "intent-unknown"
    CLAIMED = "claimed"
    CLAIM_LOST = "claim-lost"
    FENCING = "fencing"
    ARMING = "arming"
    HOLDING = "holding"
    ADOPTED = "adopted"
    RENEW_DEADLINE = "renew-deadline"
    KILL_DEADLINE = "kill-deadline"
    SUPERSEDED = "superseded"
    EPOCH_LOST = "epoch-lost"
    SWITCHOVER = "switchover"
    SERVICE_FAILED = "service-failed"
    FENCING_FAILED = "fencing-failed"
    GUARD_LOST = "guard-lost"
    STOPPING = "stopping"
    CRASH_LOOP = "crash-loop"
    REATTACHING = "reattaching"


PLANNED = frozenset(("switchover", "stopping", "disabled", "all-disabled", "init"))
"""Reasons of a release after which a takeover was meant; after any other one it is a failover."""


class Issue(NamedTuple):
    """Hand a storage call to a worker."""

    call: Call


class Remember(NamedTuple):
    """Write /run/acmd/ atomically: what an adopting daemon must know."""

    lease: Lease
    restarts: int


class Erase(NamedTuple):
    """Take the epoch out of /run/acmd/, atomically. From here on it is over for this node."""

    epoch: int


class NoteEpoch(NamedTuple):
    """Keep the highest epoch ever seen in /var/lib/acmd/."""

    epoch: int


class Arm(NamedTuple):
    """Arm the switch for this epoch, or move its deadline; a gate that is closing stays so."""

    epoch: int
    issued: Instant


class CloseGate(NamedTuple):
    """Gate to closing: starts and restarts are refused, graceful stops go on."""

    epoch: int


class ShutGate(NamedTuple):
    """Gate to shut, straight to K: the switch kills what is left."""

    epoch: int


class Disarm(NamedTuple):
    """Disarm. The switch refuses unless all is gone, or `detached` tells that the epoch cannot expire."""

    epoch: int
    detached: bool = False


class Supervise(NamedTuple):
    """What to do with the active-only services; RUN carries the base of the start deadline."""

    mode: Mode
    epoch: int
    issued: Instant | None = None


class Fence(NamedTuple):
    """Ask the fence agent to confirm this host off."""

    host: str


class Exit(NamedTuple):
    """The daemon may end now."""


Effect = Union[Issue, Remember, Erase, NoteEpoch, Arm, CloseGate, ShutGate, Disarm, Supervise, Fence, Exit]


class Decision(NamedTuple):
    """`wake_in_ns`: decide again after this time at the latest, or at the next event."""

    state: State
    effects: tuple[Effect, ...]
    wake_in_ns: int
    reason: Reason
