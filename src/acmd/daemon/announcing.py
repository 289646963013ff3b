"""What a node says of itself for `acmd check` on the others: its service users' ids, and a digest.

Files on shared storage belong to numbers, and a service that is configured otherwise on one node moves to
something else. Neither decides anything.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator

from acmd.config.model import CommandService, Config, OcfService
from acmd.daemon.services import unit_of
from acmd.drivers import name_service
from acmd.drivers.systemd import systemctl

LOOK_UP_LIMIT_S = 5.0
SOON_S = 10.0
AGAIN_S = 300.0
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


class Announced:
    """The users of this node's services, asked for beside all else, and again from time to time."""

    def __init__(self, config: Config, limit_s: float = LOOK_UP_LIMIT_S) -> None:
        self.users: dict[str, str] = {}
        self._config, self._limit_s = config, limit_s

    async def run(self) -> None:
        """Until cancelled. What does not answer is asked again soon, and meanwhile nothing is forgotten."""
        while True:
            found = await users(self._config, self._limit_s)
            if found is not None:
                self.users.clear()
                self.users.update(found)
            await asyncio.sleep(SOON_S if found is None else AGAIN_S)


async def users(config: Config, limit_s: float = LOOK_UP_LIMIT_S) -> dict[str, str] | None:
    """`uid:gid` of each user that services here have, and `:gid` of each group, as `:name`.

    None when systemd or the name service does not answer in time.
    """
    units = tuple(filter(None, (unit_of(entry) for entry in config.services)))
    of_units = await systemctl.users_of(units) if units else ()
    if of_units is None:
        return None
    return await name_service.numbers({*_configured(config), *of_units, *WELL_KNOWN}, limit_s)


def _configured(config: Config) -> Iterator[str]:
    """Whom the configuration itself names. Agents of the ClusterLabs standard have `user` and `group`."""
    for service in config.services:
        if isinstance(service, CommandService) and service.user:
            yield service.user
        elif isinstance(service, OcfService):
            yield from filter(None, (service.parameters.get("user"),))
            yield from (f":{name}" for name in (service.parameters.get("group"),) if name)
