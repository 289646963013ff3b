"""What a node says of itself for `acmd check` on the others: its service users' ids, and a digest.

Files on shared storage belong to numbers, and a service that is configured otherwise on one node moves to
something else. Neither decides anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import pwd

from acmd.config.model import CommandService, Config

LOOK_UP_LIMIT_S = 2.0
WELL_KNOWN = ("mysql", "orchestrator")  # whose files ACM's installations share


def digest(config: Config) -> str:
    """16 hex digits that are the same where what has to be alike on all nodes is."""
    alike = (
        config.cluster.name,
        config.cluster.tier,
        config.profile,
        config.timing,
        config.fencing.policy,
        config.hold_down,
        config.interlock.mysql,
        [
            (
                service.name,
                service.kind,
                service.runs_on,
                service.critical,
                service.after,
                service.requires,
                service.start_timeout_s,
                service.stop_timeout_s,
                service.restart,
                service.data_directories,
            )
            for service in config.services
        ],
    )
    return hashlib.sha256(repr(alike).encode()).hexdigest()[:16]


async def users(config: Config) -> dict[str, str]:
    """`uid:gid` of each user that services here have; none when the name service does not answer in time."""
    named = [service.user for service in config.services if isinstance(service, CommandService)]
    try:
        async with asyncio.timeout(LOOK_UP_LIMIT_S):
            return await asyncio.to_thread(_ids, sorted({*filter(None, named), *WELL_KNOWN}))
    except TimeoutError:
        return {}


def _ids(names: list[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        found[name] = f"{entry.pw_uid}:{entry.pw_gid}"
    return found
