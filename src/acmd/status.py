"""The one snapshot that status, the node file, the health endpoints and the metrics show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acmd.core.decision import Reason
from acmd.core.lease import Defect, LeaseState, Record, lease_name
from acmd.core.observation import Observation
from acmd.core.observing import expired
from acmd.core.state import Role, State
from acmd.core.timing import (
    NS_PER_MS,
    NS_PER_S,
    Instant,
    Timing,
    elapsed_for_holder_ns,
    elapsed_for_observer_ns,
    may_start,
)

FORMAT = 1

SENTENCES: dict[Reason, str] = {
    Reason.NONE: "",
    Reason.STARTING: "starting: the shared directory and the guard have not both been heard yet",
    Reason.FOLLOWING: "another node holds a live lease",
    Reason.WAITING: "the holder's record stands still; this node takes over "
    "once the takeover wait has passed",
    Reason.DISABLED: "this node is disabled; `acmd enable` makes it a candidate again",
    Reason.ALL_DISABLED: "the whole cluster is disabled: nobody acts, services stay as they are; "
    "`acmd enable --all` ends it",
    Reason.DETACHED: "maintenance of the whole cluster: the lease is detached and does not expire; "
    "`acmd enable --all` ends it",
    Reason.UNFIT: "this node is not fit to run the services",
    Reason.HOLD_DOWN: "this node gave up after failures and stays out of elections for a while",
    Reason.OWN_SERVICES_LEFT: "it is not proven yet that no active-only service runs here; "
    "what runs without a lease is stopped",
    Reason.GUARD_MISSING: "the dead man's switch does not answer; this node cannot be promoted "
    "(is acmd-guard running?)",
    Reason.GUARD_NOT_CLEAN: "the dead man's switch has not yet seen all earlier services gone",
    Reason.WATCHDOG_MISSING: "a watchdog is required but missing; see [guard] watchdog",
    Reason.CLAIM_IN_FLIGHT: "an earlier claim of this node has not come back from the storage yet",
    Reason.YIELDING: "another node was named successor and goes first",
    Reason.INTERLOCK: "an interlock blocks the promotion",
    Reason.RUN_UNWRITABLE: "the run directory cannot be written; this node cannot be promoted",
    Reason.REFUSED_RECORD: "the newest lease file is not one that this node may act on",
    Reason.STORAGE: "the shared directory cannot be read",
    Reason.INTENT_UNKNOWN: "the operators' commands on shared storage were not read yet",
    Reason.CLAIMED: "claiming the lease",
    Reason.CLAIM_LOST: "the claim was given up; another node was first or the storage was too slow",
    Reason.FENCING: "holds the lease; waits until the former holder is confirmed off",
    Reason.ARMING: "holds the lease; arms the dead man's switch",
    Reason.HOLDING: "holds the lease",
    Reason.ADOPTED: "took over the lease and the running services of the daemon before this one",
    Reason.RENEW_DEADLINE: "the lease could not be renewed in time; services stop",
    Reason.KILL_DEADLINE: "the kill deadline has passed; what is left is killed",
    Reason.SUPERSEDED: "another node holds a newer epoch; what is left here is killed",
    Reason.EPOCH_LOST: "the own lease file was changed by somebody else; what is left here is killed",
    Reason.SWITCHOVER: "hands over to another node as asked for",
    Reason.SERVICE_FAILED: "a service cannot be kept up here; hands over",
    Reason.FENCING_FAILED: "the former holder could not be confirmed off; gives the lease back",
    Reason.GUARD_LOST: "the dead man's switch was lost; hands over",
    Reason.STOPPING: "the daemon stops; services stop and the lease is released",
    Reason.CRASH_LOOP: "the daemon was restarted too often in a row; hands over",
    Reason.REATTACHING: "ends the maintenance: takes the running services under the lease again",
}

DEFECTS: dict[str, str] = {
    Defect.TRUNCATED: "it is cut off",
    Defect.OVERSIZED: "it is too long",
    Defect.GARBAGE: "it is no record",
    Defect.FOREIGN: "it is of another cluster",
    Defect.FUTURE: "a newer acmd wrote it",
    Defect.MISPLACED: "it is the record of another epoch",
}

LAST_RESORTS = {
    "reset": "this host is reset when services cannot be stopped before the lease ends",
    "none": "NO last resort: services that cannot be killed would run on after the lease has ended",
}


def reason_of(state: State, reason: Reason) -> str:
    """The reason as a sentence, with what is particular to this moment."""
    if state.role is Role.STOPPED:
        return "leaves lease and services to the next daemon" if state.lease is not None else "has ended"
    text = SENTENCES[reason]
    if reason is Reason.REFUSED_RECORD and state.refused:
        file = f"{lease_name(state.listing[-1])}: " if state.listing else ""
        text += f" ({file}{DEFECTS.get(state.refused, state.refused)})"
    if state.storage_fault and reason not in (Reason.HOLDING, Reason.FOLLOWING):
        text += f" (storage: {state.storage_fault})"
    return text


def lease_part(state: State, now: Instant) -> dict[str, Any] | None:
    """The lease as this node knows it: its own, or the one that it observes."""
    timing = state.me.timing
    lease, seen = state.lease, state.seen
    if lease is not None:
        elapsed_ns = elapsed_for_holder_ns(lease.issued, now)
        return {
            "holder": state.me.node,
            "state": "detached" if lease.detached else "held",
            "sequence": lease.confirmed,
            "age_s": _s(elapsed_ns),
            "remaining_s": _s(timing.renew_deadline_ns - elapsed_ns),
            "expires_in_s": _s(timing.lease_duration_ns - elapsed_ns),
            "unfenced": list(lease.unfenced),
            "claimed_at": lease.claimed_at or None,
            "written_at": None,
        }
    if seen is None or seen.record is None:
        return None
    elapsed_ns = elapsed_for_observer_ns(seen.first_seen, now)
    held = seen.record.state is LeaseState.HELD
    return {
        "holder": seen.record.holder,
        "state": seen.record.state.value,
        "sequence": seen.record.sequence,
        "age_s": _s(elapsed_ns),
        "remaining_s": _s(seen.record.duration_ms * NS_PER_MS - elapsed_ns) if held else None,
        "expires_in_s": _s(seen.wait_ns - elapsed_ns) if held else None,
        "unfenced": list(seen.record.unfenced),
        "claimed_at": seen.record.claimed_at or None,
        "written_at": seen.record.written_at or None,
    }


def active_node(state: State, now: Instant | None = None) -> str | None:
    """Who is active, as far as this node can know: the holder of a lease that has not expired.

    Given the time, a record that could not be read for as long as a lease lives tells of nobody any more.
    """
    if state.lease is not None:
        return state.me.node if state.role in (Role.ACTIVE, Role.DETACHED, Role.REATTACHING) else None
    seen = state.seen
    if seen is None or seen.record is None or seen.record.state is LeaseState.RELEASED:
        return None
    if seen.record.holder == state.me.node:
        return None  # its epoch is over for this node, whatever was read back yet
    if seen.record.state is LeaseState.DETACHED:
        return seen.record.holder  # it does not expire, and nobody changes that while the storage is gone
    unread = now is not None and elapsed_for_observer_ns(seen.last_read, now) >= seen.wait_ns
    return None if unread or expired(seen) else seen.record.holder


def serves(state: State, now: Instant) -> bool:
    """Whether this node is active at this moment: its services may run, and it does not give them up.

    Asked with the time of the question: past the renew deadline the answer is no, whatever was decided last.
    """
    if state.lease is None:
        return False
    if state.role is Role.DETACHED:
        return True
    if state.role is Role.REATTACHING and state.lease.detached:
        return True
    renewed = may_start(state.lease.issued, now, state.me.timing.renew_deadline_ns)
    return renewed and state.role in (Role.ACTIVE, Role.REATTACHING)


def hold_down_part(state: State, now: Instant) -> dict[str, Any] | None:
    """How long this node still stays out of elections; None when it does not."""
    if state.hold_down_since is None:
        return None
    left_ns = state.hold_down_ns - elapsed_for_observer_ns(state.hold_down_since, now)
    return {"remaining_s": _s(max(0, left_ns)), "failures": state.failures}


def epoch_known(state: State) -> int | None:
    """The highest epoch that this node knows of."""
    if state.lease is not None:
        return state.lease.epoch
    highest = max(state.highest_epoch, state.seen.epoch if state.seen is not None else -1)
    return highest if highest >= 0 else None


def guard_part(state: State, obs: Observation, now: Instant, last_resort: str) -> dict[str, Any]:
    """The dead man's switch, with its last resort in plain words."""
    guard, timing = obs.guard, state.me.timing
    left = None
    if guard.epoch is not None and guard.issued is not None:
        left = _s(timing.kill_deadline_ns - elapsed_for_holder_ns(guard.issued, now))
    return {
        "alive": guard.alive,
        "armed": guard.epoch is not None,
        "epoch": guard.epoch,
        "gate": guard.gate.value,
        "deadline_in_s": left,
        "last_resort": last_resort,
        "last_resort_means": LAST_RESORTS[last_resort],
        "watchdog": "ok" if guard.watchdog_ok else "missing",
    }


def record_part(record: Record) -> dict[str, Any]:
    """A record as read from the shared directory, for a status without a daemon."""
    return {
        "holder": record.holder,
        "state": record.state.value,
        "sequence": record.sequence,
        "age_s": None,
        "remaining_s": None,
        "expires_in_s": None,
        "unfenced": list(record.unfenced),
        "claimed_at": record.claimed_at or None,
        "written_at": record.written_at or None,
    }


def service_part(row: Mapping[str, Any], heard_s: float | None) -> dict[str, Any]:
    """A service of a node file with every key, as a status has it; ages have grown since the node was heard.

    `heard_s` None: nobody knows when that was, so that no age is known either.
    """
    since_s = row.get("since_s")
    probes = row.get("probes", ()) if heard_s is not None else ()
    return {
        "name": row["name"],
        "state": row["state"],
        "runs_on": row["runs_on"],
        "since_s": None if since_s is None or heard_s is None else round(since_s + heard_s, 3),
        "restarts": row.get("restarts", 0),
        "last_stop_s": row.get("last_stop_s"),
        "longest_stop_s": row.get("longest_stop_s"),
        "detail": row.get("detail", ""),
        "held": row.get("held", ""),
        "probes": [{**probe, "age_s": round(probe["age_s"] + (heard_s or 0.0), 3)} for probe in probes],
    }


def timing_part(timing: Timing, profile: str) -> dict[str, Any]:
    """The cluster's timing, and what it is called."""
    return {
        "profile": profile,
        "heartbeat_s": timing.heartbeat_ns / NS_PER_S,
        "renew_deadline_s": timing.renew_deadline_ns / NS_PER_S,
        "kill_deadline_s": timing.kill_deadline_ns / NS_PER_S,
        "lease_duration_s": timing.lease_duration_ns / NS_PER_S,
        "takeover_wait_s": timing.takeover_wait_ns / NS_PER_S,
    }


def _s(duration_ns: int) -> float:
    return round(duration_ns / NS_PER_S, 3)
