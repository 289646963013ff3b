"""How fast shared storage answers, against the deadlines: looks at the leases, and durable writes.

The writes go to the directory for temporary files, which the holder keeps tidy; each is taken away again.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path

from acmd.checks import durable
from acmd.checks.finding import Check, Finding, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.config.model import Config
from acmd.core.calls import Call, Fault, Kind, StorageFault
from acmd.core.timing import NS_PER_S
from acmd.drivers.clock import SystemClock
from acmd.drivers.lease_directory import LeaseDirectory

ROUNDS = 20
WRITES = 10
SLOW = "look at the mount, the network and the file server"
NEW = "is the storage mounted? For a new cluster `acmd init` on one node, once"
MEASURE_LIMIT_S = 8.0
RENEWAL_LOOKS = (
    5  # beside one durable write: the calls of a round that a renewal waits for, one after another
)


def latency(subject: Subject) -> list[Finding]:
    """A renewal that is slower than the deadlines allow is a failover."""
    config = subject.settings
    try:
        looks_s = asyncio.run(_look(config))
    except TimeoutError:
        return [ko(f"the lease directory did not answer {ROUNDS} times in {MEASURE_LIMIT_S:g} s", SLOW)]
    except StorageFault as failure:
        if failure.fault is Fault.DENIED and not subject.privileged:
            return [warn("the lease directory cannot be read by this user", "run the check as root")]
        remedy = NEW if "no-cluster-file" in str(failure) else SLOW
        return [ko(f"the lease directory does not answer: {failure}", remedy)]
    writes_s = _writes(subject)
    if isinstance(writes_s, str):
        return [ko(f"the cluster's directory takes no durable write: {writes_s}", SLOW)]
    return [judged(config, looks_s, writes_s)]


def judged(config: Config, looks_s: list[float], writes_s: list[float]) -> Finding:
    """What these lengths mean for this timing. `writes_s` empty: they were not measured."""
    said = f"one look at the leases takes {_said(looks_s)}"
    if writes_s:
        said += f", one durable write {_said(writes_s)}"
    worst_s = _renewal_s(max(looks_s), max(writes_s, default=0.0))
    usual_s = _renewal_s(statistics.median(looks_s), statistics.median(writes_s) if writes_s else 0.0)
    if worst_s > config.timing.renew_deadline_ns / NS_PER_S / 2:
        return ko(
            f"{said}: too slow for profile {config.profile}", "take the profile patient, or faster storage"
        )
    if usual_s > config.timing.heartbeat_ns / NS_PER_S:
        return warn(
            f"{said}; a round of profile {config.profile} takes longer than its heartbeat",
            "take a slower profile, or faster storage",
        )
    return ok(said)


def _said(taken_s: list[float]) -> str:
    return (
        f"{statistics.median(taken_s) * 1000:.1f} ms (worst of {len(taken_s)}: {max(taken_s) * 1000:.1f} ms)"
    )


def _renewal_s(look_s: float, write_s: float) -> float:
    return look_s * RENEWAL_LOOKS + write_s


async def _look(config: Config) -> list[float]:
    """How long listing the leases took, in seconds, several times. Raises StorageFault, TimeoutError."""
    store = LeaseDirectory(
        Path(config.cluster.directory), config.node.name, config.timing.call_limit_ns, SystemClock()
    )
    taken: list[float] = []
    try:
        async with asyncio.timeout(MEASURE_LIMIT_S):
            for number in range(ROUNDS + 1):
                began = time.monotonic()
                store.issue(Call(number + 1, Kind.LIST))
                await store.changed.wait()
                for outcome in store.take_outcomes():
                    if outcome.fault is not None:
                        raise StorageFault(outcome.fault, store.last_detail)
                taken.append(time.monotonic() - began)
    finally:
        await store.close()
    return taken[1:]  # the first one started the worker


def _writes(subject: Subject) -> list[float] | str:
    """How long durable writes took; none where this user may not write; a text when they failed."""
    directory = f"{subject.settings.cluster.directory}/tmp"  # noqa: S108 - the cluster's own
    if not subject.privileged:
        return []
    ran = subject.run(
        sys.executable, "-I", "-S", durable.__file__, directory, str(WRITES), limit_s=MEASURE_LIMIT_S
    )
    if ran.code is None:
        return f"not {WRITES} of them in {MEASURE_LIMIT_S:g} s"
    try:
        found = json.loads(ran.output)
    except ValueError:
        return ran.output.strip().rpartition("\n")[2][:200] or f"exit code {ran.code}"
    return [float(taken_s) for taken_s in found]


CHECKS = (Check("latency", "storage", "The storage answers fast enough for the deadlines.", latency),)
