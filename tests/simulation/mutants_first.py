"""The first half of the protocol page's mutants: taking over, renewing, claiming."""

from __future__ import annotations

from tests.simulation.mutant import (
    CLAIMING,
    ELECTION,
    OBSERVING,
    RENEWAL,
    TIMING,
    TURN,
    Mutant,
)

FIRST = (
    Mutant(
        "take over at D/2",
        "calm",
        (
            (
                TIMING,
                "return own if own > self.takeover_wait_ns else self.takeover_wait_ns",
                "return record_duration_ns // 2",
            ),
        ),
    ),
    Mutant(
        "W without rho",
        "calm",
        (
            (
                TIMING,
                "return own if own > self.takeover_wait_ns else self.takeover_wait_ns",
                "return record_duration_ns",
            ),
        ),
    ),
    Mutant(
        "count from the acknowledgement",
        "slow-ack",
        (
            (
                RENEWAL,
                "    s = turn.s\n    detached = record.state is LeaseState.DETACHED\n",
                "    s = turn.s\n    current = current._replace(issued=turn.now)\n"
                "    detached = record.state is LeaseState.DETACHED\n",
            ),
        ),
    ),
    Mutant(
        "accept an acknowledgement after R",
        "slow-ack",
        (
            (
                ELECTION,
                "    if lease is None or not lease.held_issued or (",
                "    if turn.obs.outcomes or lease is None or not lease.held_issued or (",
            ),
        ),
    ),
    Mutant(
        "skip the second read",
        "calm",
        (
            (
                OBSERVING,
                "    return confirmed_at is not None and elapsed_for_observer_ns"
                "(seen.first_seen, confirmed_at) >= seen.wait_ns",
                "    return confirmed_at is not None",
            ),
            (
                OBSERVING,
                "    if seen is None or not turn.cycle_done:\n        return False\n"
                "    record = seen.record\n",
                "    if seen is None:\n        return False\n"
                "    if elapsed_for_observer_ns(seen.first_seen, turn.now) < seen.wait_ns and not ("
                "seen.record and seen.record.state is LeaseState.RELEASED):\n        return False\n"
                "    seen = seen._replace(confirmed_at=turn.now)\n    record = seen.record\n",
            ),
            (
                ELECTION,
                "    if turn.cycle_done or s.seen is None:\n        turn.reason = claiming.consider(turn)",
                "    if True:\n        turn.reason = claiming.consider(turn)",
            ),
        ),
    ),
    Mutant(
        "first_seen at the read's beginning",
        "confirm",
        (
            (
                OBSERVING,
                "s.seen = Seen(epoch, raw, record, outcome.ended, outcome.ended, wait_ns)",
                "s.seen = Seen(epoch, raw, record, outcome.began, outcome.ended, wait_ns)",
            ),
        ),
    ),
    Mutant(
        "confirmation judged at its completion",
        "confirm",
        ((OBSERVING, "confirmed_at=outcome.began", "confirmed_at=outcome.ended"),),
    ),
    Mutant(
        "trust a failed read as unchanged",
        "slow-ack",
        (
            (
                OBSERVING,
                "    if outcome.fault is not None:\n"
                "        s.storage_fault = outcome.fault\n        return\n",
                "    if outcome.fault is not None and s.seen is not None:\n"
                "        s.seen = s.seen._replace(last_read=outcome.ended, confirmed_at=outcome.began)\n"
                "        turn.cycle_done = True\n        return\n"
                "    if outcome.fault is not None:\n        return\n",
            ),
        ),
    ),
    Mutant(
        "reuse a sequence after unknown",
        "late-landing",
        ((RENEWAL, "    sequence = lease.sequence + 1\n", "    sequence = lease.landed + 1\n"),),
    ),
    Mutant(
        "rename() for link()",
        "claims",
        (
            (
                "core/calls.py",
                "    yield Link(temporary, lease_name(epoch))",
                "    yield Rename(temporary, lease_name(epoch))",
            ),
        ),
    ),
    Mutant(
        "own incarnation instead of this attempt",
        "claims",
        (
            (
                CLAIMING,
                "isinstance(record, Record) and record.attempt == claim.attempt",
                "isinstance(record, Record) and record.incarnation == s.me.incarnation",
            ),
        ),
    ),
    Mutant(
        "one lease file for all epochs",
        "mixed",
        (
            ("core/lease.py", 'return f"{_PREFIX}{epoch:010d}"', 'return f"{_PREFIX}{1:010d}"'),
            (
                "core/calls.py",
                "    yield Link(temporary, lease_name(epoch))",
                "    yield Rename(temporary, lease_name(epoch))",
            ),
        ),
    ),
    Mutant(
        "no deadline check at start (gate off)",
        "pause-at-start",
        (
            (
                TIMING,
                "return elapsed_for_holder_ns(issued, now) < renew_deadline_ns",
                "return elapsed_for_holder_ns(issued, now) < 1000 * renew_deadline_ns",
            ),
        ),
    ),
    Mutant(
        "release before all is gone",
        "stop",
        (
            (
                TURN,
                "        if not services.gone or not guard.alive:\n            return False",
                "        return True",
            ),
        ),
    ),
    Mutant(
        "release issued before the epoch is erased",
        "stop",
        (
            (
                TURN,
                "        self.effects.append(Erase(release.lease.epoch))\n",
                "        self.notes.append(Erase(release.lease.epoch))\n",
            ),
        ),
    ),
)
