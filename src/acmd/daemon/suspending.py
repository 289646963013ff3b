"""While this node holds the lease, its host does not go to sleep; best effort, said once when it fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from acmd.core.state import Role, State
from acmd.drivers.inhibitor import SleepInhibitor

RETRY_S = 30.0
WHY = "this node runs the cluster's active services"


class NoSuspend:
    """Beside the heartbeat: takes the lock when the node gets the lease, drops it after the lease."""

    def __init__(self, inhibitor: SleepInhibitor, log: Callable[..., None]) -> None:
        self._inhibitor = inhibitor
        self._log = log
        self._wanted = False
        self._said = ""
        self._changed = asyncio.Event()

    def notice(self, state: State) -> None:
        """After each decision. In maintenance of all the node acts no more than any other: it may sleep."""
        wanted = state.lease is not None and state.role is not Role.DETACHED
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def run(self) -> None:
        """Until cancelled; the lock goes with it."""
        try:
            while True:
                self._changed.clear()
                await self._step()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S if self._wanted else None):
                        await self._changed.wait()
        finally:
            self._inhibitor.drop()

    async def _step(self) -> None:
        if not self._wanted:
            self._inhibitor.drop()
            return
        because = await self._inhibitor.take()
        if because and because != self._said:
            level = "info" if self._inhibitor.absent else "warning"
            self._log(
                "suspend-not-inhibited",
                level=level,
                because=because,
                remedy="keep this host from sleeping: systemctl mask sleep.target",
            )
        elif self._said and not because:
            self._log("suspend-inhibited")
        self._said = because
