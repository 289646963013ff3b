"""The second half: ending, detaching, fencing, the gate."""

from __future__ import annotations

from tests.simulation.mutant import (
    CLAIMING,
    ELECTION,
    HOLDING,
    OBSERVING,
    RENEWAL,
    SWITCH,
    Mutant,
)

SECOND = (
    Mutant(
        "a detached epoch taken as expired",
        "detach",
        ((OBSERVING, "return named and (not older or expired(seen))", "return expired(seen)"),),
    ),
    Mutant(
        "'*' settled by the nodes that are heard",
        "unfenced",
        (
            (CLAIMING, "names = [p.node for p in peers]", "names = [p.node for p in peers if p.heard]"),
            (
                HOLDING,
                "{peer.node for peer in obs.peers}",
                "{peer.node for peer in obs.peers if peer.heard}",
            ),
        ),
    ),
    Mutant(
        "disarm before detached is acknowledged",
        "detach",
        (
            (
                RENEWAL,
                "    turn.issue(Kind.WRITE, lease.epoch, raw, inode=lease.inode, sequence=sequence)\n",
                "    turn.issue(Kind.WRITE, lease.epoch, raw, inode=lease.inode, sequence=sequence)\n"
                "    if detached:\n        _detached(turn, lease.epoch)\n",
            ),
        ),
    ),
    Mutant(
        "claim while own old services still stop",
        "alone",
        (
            (CLAIMING, "        (not obs.services.gone, Reason.OWN_SERVICES_LEFT),\n", ""),
            (
                CLAIMING,
                "        (obs.guard.epoch is not None or not obs.guard.clean, Reason.GUARD_NOT_CLEAN),\n",
                "",
            ),
        ),
    ),
    Mutant(
        "another boot id taken as ended",
        "calm",
        (
            (
                OBSERVING,
                "    if record.state is LeaseState.RELEASED:\n        return True\n    if fenced_after",
                "    if record.state is LeaseState.RELEASED or record.boot_id != s.me.boot_id:\n"
                "        return True\n    if fenced_after",
            ),
        ),
    ),
    Mutant(
        "unfenced forgotten over a release",
        "unfenced",
        (
            (
                CLAIMING,
                "        hosts = set(record.unfenced)\n",
                "        hosts = set() if record.state is LeaseState.RELEASED else set(record.unfenced)\n",
            ),
        ),
    ),
    Mutant(
        "unfenced holds one host only",
        "unfenced",
        ((CLAIMING, "            hosts.add(record.holder)\n", "            hosts = {record.holder}\n"),),
    ),
    Mutant(
        "an acknowledgement without the read-back",
        "late-landing",
        (
            (
                RENEWAL,
                "        s.round = current._replace(written_at=outcome.ended)\n"
                "        turn.issue(Kind.READ, lease.epoch)\n",
                "        own = decode(outcome.call.raw, s.me.cluster_id, lease.epoch)\n"
                "        s.round = None\n        _acknowledged(turn, s.lease, current, own)\n",
            ),
        ),
    ),
    Mutant(
        "the directory listed before issued",
        "slow-ack",
        (
            (
                RENEWAL,
                "    s.round = current._replace(listed=True)\n",
                "    s.round = current._replace(listed=True, issued=turn.now)\n",
            ),
        ),
    ),
    Mutant(
        "a claimant that gives up writes released",
        "claims",
        (
            (
                CLAIMING,
                "    turn.s.claim = None\n    turn.become(Role.PASSIVE)\n",
                "    claim, turn.s.claim = turn.s.claim, None\n    turn.become(Role.PASSIVE)\n"
                "    if claim is not None and claim.inode and turn.s.release_call is None:\n"
                "        lease = Lease(claim.epoch, claim.attempt, turn.s.me.incarnation, claim.inode, "
                "0, 0, 0, claim.issued, claim.unfenced, claim.claimed_at)\n"
                '        raw = turn.record_of(lease, 1, LeaseState.RELEASED, "", "")\n'
                "        turn.issue(Kind.RELEASE, claim.epoch, raw, inode=claim.inode, sequence=1)\n",
            ),
        ),
    ),
    Mutant(
        "'gone' without PID 1's word",
        "stop",
        (
            (
                "core/observation.py",
                "return not self.processes and not self.jobs and self.drained",
                "return not self.processes and self.drained",
            ),
            (
                SWITCH,
                "self._gone = self.clean = dead and not sight.jobs and sight.drained",
                "self._gone = self.clean = dead and sight.drained",
            ),
        ),
    ),
    Mutant(
        "a restarted daemon trusting an old detached",
        "detach",
        (
            (
                RENEWAL,
                "    elif lease.outstanding >= 0:\n        s.round = None",
                "    elif s.adopted and s.role is Role.ACTIVE and record.state is LeaseState.DETACHED:\n"
                "        s.round, s.lease = None, lease._replace(detached=True, held_issued=False)\n"
                "        _detached(turn, lease.epoch)\n"
                "    elif lease.outstanding >= 0:\n        s.round = None",
            ),
        ),
    ),
    Mutant(
        "the gate still open between R and K",
        "pause-at-start",
        ((SWITCH, "            self.gate = CLOSING\n\n", "            self.gate = OPEN\n\n"),),
    ),
    Mutant(
        "adopt after the deadline and take the next acknowledgement as fresh",
        "adoption",
        (
            (
                ELECTION,
                'lease = remembered.lease._replace(raw=b"", look_first=True)',
                'lease = remembered.lease._replace(raw=b"", look_first=True, issued=turn.now)',
            ),
        ),
    ),
    Mutant(
        "wall clock",
        "calm",
        (
            (
                OBSERVING,
                "    if fenced_after(turn.obs.fenced, record.holder, seen.first_seen):\n        return True\n"
                "    return expired(seen)",
                "    if fenced_after(turn.obs.fenced, record.holder, seen.first_seen):\n        return True\n"
                "    return (turn.obs.wall_time - record.written_at) * 1000 > record.duration_ms * 2",
            ),
        ),
    ),
)
