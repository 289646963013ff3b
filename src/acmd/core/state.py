"""Roles, the table of legal changes between them, and everything that a node remembers.

`State` is the whole memory of the election on one node. Only `tasks.heartbeat` holds one, and
only `core.election.decide` makes a new one out of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from acmd.core.calls import Call
from acmd.core.lease import LeaseState, Record
from acmd.core.timing import Instant, Timing
from acmd.errors import IllegalTransition


class Role(StrEnum):
    """What this node is for its cluster."""

    STARTING = "starting"  # nothing decided yet: guard and storage have not both been heard
    PASSIVE = "passive"  # observes; may become a candidate
    CLAIMING = "claiming"  # a claim is under way
    PROMOTING = "promoting"  # holds the lease; nothing active-only runs yet (fencing, arming)
    ACTIVE = "active"
    GIVING_UP = "giving-up"  # stops its services on purpose, still renewing, then releases
    DEMOTING = "demoting"  # R passed: irrevocable for this epoch; graceful stop
    KILLING = "killing"  # K passed, superseded or lost: what is left is killed
    DETACHED = "detached"  # maintenance of the whole cluster: the epoch does not expire
    REATTACHING = "reattaching"  # on the way from detached back to active
    STOPPED = "stopped"  # the daemon may exit


LEGAL: dict[Role, frozenset[Role]] = {
    Role.STARTING: frozenset(
        {
            Role.PASSIVE,
            Role.PROMOTING,
            Role.GIVING_UP,
            Role.KILLING,
            Role.DETACHED,
            Role.REATTACHING,
        }
    ),
    Role.PASSIVE: frozenset({Role.CLAIMING, Role.STOPPED}),
    Role.CLAIMING: frozenset({Role.PASSIVE, Role.PROMOTING}),
    Role.PROMOTING: frozenset({Role.ACTIVE, Role.GIVING_UP, Role.DEMOTING, Role.KILLING, Role.STOPPED}),
    Role.ACTIVE: frozenset({Role.GIVING_UP, Role.DEMOTING, Role.KILLING, Role.DETACHED, Role.STOPPED}),
    Role.GIVING_UP: frozenset({Role.PASSIVE, Role.DEMOTING, Role.KILLING}),
    Role.DEMOTING: frozenset({Role.PASSIVE, Role.KILLING}),
    Role.KILLING: frozenset({Role.PASSIVE}),
    Role.DETACHED: frozenset({Role.REATTACHING, Role.KILLING, Role.STOPPED}),
    Role.REATTACHING: frozenset({Role.ACTIVE, Role.DETACHED, Role.DEMOTING, Role.KILLING, Role.STOPPED}),
    Role.STOPPED: frozenset(),
}


def check_transition(old: Role, new: Role) -> None:
    """Raise IllegalTransition unless the table has `old -> new`."""
    if new not in LEGAL[old]:
        raise IllegalTransition(f"{old} -> {new} is not in the table of legal role changes")


class FencingPolicy(StrEnum):
    """What a claimant does about hosts whose end nobody has confirmed."""

    OFF = "off"
    BEST_EFFORT = "best_effort"
    REQUIRED = "required"


class Self(NamedTuple):
    """Who this node is and how it was configured; constant for one start, but for the limit of giving up."""

    node: str
    cluster_id: str
    cluster_file: bytes  # cluster.json as found at start: it must not change underneath us
    machine_id: str
    boot_id: str
    incarnation: str
    timing: Timing
    address: str = ""
    fencing: FencingPolicy = FencingPolicy.OFF
    fence_limit_ns: int = 60_000_000_000
    suspect_after_ns: int = 0  # 0: an agent is asked only once W has passed
    hold_down_ns: int = 30_000_000_000
    longest_hold_down_ns: int = 600_000_000_000
    adoption_limit: int = 5
    give_up_limit_ns: int = 120_000_000_000  # after this a stop that does not end is not renewed for any more


class Round(NamedTuple):
    """One renewal round under way. `issued` was noted before the round's listing was asked for."""

    issued: Instant
    listed: bool = False
    sequence: int = -1  # of this round's write; -1: none was issued
    written_at: Instant | None = None  # when this round's write returned without an error


class Lease(NamedTuple):
    """The epoch that this node holds. R and K count from `issued`."""

    epoch: int
    attempt: str
    incarnation: str  # of the daemon that claimed it; an adopting daemon keeps it
    inode: int
    sequence: int  # the last one ever put into a write
    confirmed: int  # the last one that was acknowledged
    landed: int  # the highest whose write returned without an error, or that was read back
    issued: Instant  # when the last acknowledged renewal was issued
    unfenced: tuple[str, ...]
    claimed_at: int
    raw: bytes = b""  # the last record put into a write; empty after an adoption
    outstanding: int = -1  # sequence of a write that neither returned nor was read back
    detached: bool = False  # /run/acmd says so: `detached` was acknowledged
    held_issued: bool = True  # a `held` record may be, or come, on disk since the last `detached`
    look_first: bool = False  # adoption, re-attachment: the own record is read before anything is written


class Seen(NamedTuple):
    """What an observer counts W on: the same bytes, since `first_seen`."""

    epoch: int  # -1: the directory has no lease file at all
    raw: bytes
    record: Record | None  # None: nothing there, or a bad CRC that stays
    first_seen: Instant  # when the first read that gave these bytes completed
    last_read: Instant  # when the last successful read completed
    wait_ns: int
    confirmed_at: Instant | None = None  # when the last read that gave the same bytes began


class Torn(NamedTuple):
    """A bad CRC seen once: it neither changes nor confirms. Seen again, it is an observation."""

    epoch: int
    raw: bytes
    first_seen: Instant


class Claim(NamedTuple):
    """A claim under way."""

    epoch: int
    attempt: str
    issued: Instant
    raw: bytes
    known: tuple[int, ...]  # the epochs that the observation's listing had
    unfenced: tuple[str, ...]
    claimed_at: int
    link_ended: bool = False
    inode: int = 0  # of the linked file, once it was seen to be this attempt's


class Release(NamedTuple):
    """A `released` record that has not been read back yet. The epoch is over for this node already."""

    lease: Lease
    raw: bytes
    reason: str
    successor: str


class Remembered(NamedTuple):
    """What /run/acmd/ holds for a daemon that comes after this one."""

    boot_id: str
    lease: Lease
    restarts: int = 0


class State:
    """Everything that the election remembers between two decisions."""

    me: Self
    role: Role
    role_since: Instant
    calls_made: int
    look: Call | None
    write: Call | None
    release_call: Call | None
    link_in_flight: Call | None
    seen: Seen | None
    torn: Torn | None
    refused: str  # why a record forbids any promotion (foreign cluster, newer format), or ""
    listing: tuple[int, ...]
    cycle_began: Instant | None
    highest_epoch: int
    claim: Claim | None
    lease: Lease | None
    round: Round | None
    release: Release | None
    successor: str
    hold_down_since: Instant | None
    hold_down_ns: int
    failures: int
    guard_lost_since: Instant | None
    interlock_since: Instant | None
    fence_since: Instant | None
    adopted: int
    storage_fault: str
    void_before: int  # outcomes of calls with a lower number were asked for in another role
    detach_confirmed: bool  # this start of the daemon saw `detached` acknowledged
    cleared: int  # how many operators' commands to clear a hold-down are obeyed or older; -1: not known yet
    fast_poll_since: Instant | None
    standing: str  # a Reason's value: why a passive node was no candidate when it last could tell
    cause: str  # why the epoch ends (a Reason's value), while it is being given up

    def clone(self) -> State:
        """A shallow copy: every field holds an immutable value."""
        new = State.__new__(State)
        new.__dict__.update(self.__dict__)  # no slots: this is the simulation's hottest line
        return new

    def key(self) -> tuple[object, ...]:
        """All fields, for comparing two states."""
        return tuple(getattr(self, name) for name in State.__annotations__)


def initial_state(me: Self, now: Instant, highest_epoch: int = -1) -> State:
    """The state of a daemon that has just started and knows nothing."""
    state = State.__new__(State)
    for name in State.__annotations__:
        setattr(state, name, None)
    state.me = me
    state.role = Role.STARTING
    state.role_since = now
    state.calls_made = 0
    state.refused = ""
    state.listing = ()
    state.highest_epoch = highest_epoch
    state.successor = ""
    state.hold_down_ns = 0
    state.failures = 0
    state.adopted = 0
    state.storage_fault = ""
    state.void_before = 0
    state.detach_confirmed = False
    state.cleared = -1
    state.cause = ""
    state.standing = "starting"
    return state


__all__ = [
    "LEGAL",
    "Claim",
    "FencingPolicy",
    "Lease",
    "LeaseState",
    "Release",
    "Remembered",
    "Role",
    "Round",
    "Seen",
    "Self",
    "State",
    "Torn",
    "check_transition",
    "initial_state",
]
