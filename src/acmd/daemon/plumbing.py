"""Small parts of the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from acmd.config.model import Config
from acmd.core.timing import NS_PER_S
from acmd.ports import Clock
from acmd.tasks.board import BoardKeeper
from acmd.tasks.failback import Failback
from acmd.tasks.snapshot import Snapshot

EXIT_DETACHED = 4
"""The daemon's exit code after `acmd detach`: its unit is not started again (RestartPreventExitStatus=)."""


async def pump(event: asyncio.Event, into: asyncio.Event) -> None:
    """The heartbeat waits for one event; drivers have one each."""
    while True:
        await event.wait()
        event.clear()
        into.set()


def failback_of(
    config: Config, snapshot: Snapshot, board: BoardKeeper, clock: Clock, log: Callable[..., None]
) -> Failback | None:
    """What hands over to a preferred node; None where the policy is manual, or on that node itself."""
    wanted = config.failback
    if wanted.policy != "preferred" or wanted.node == config.node.name:
        return None
    return Failback(wanted.node, round(wanted.delay_s * NS_PER_S), snapshot, board, clock, log)
