"""Publishing: keeps `host:` of a database.yml at the active node's address, on every node.

Once MySQL answers there, the file is put right if it is not, and the services that read it are
restarted or reloaded. That this is still to be done outlives the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from acmd.errors import AcmdError

LOOK_S = 5.0
RETRY_S = 1.0  # MySQL does not answer yet
FAULT_S = 15.0  # the file cannot be used


class Marker(Protocol):
    """Remembers that services have yet to hear of a change."""

    def there(self) -> bool:
        """Whether it was set, by the daemon before this one too."""
        ...

    def set(self, there: bool) -> None:
        """Set or take it away."""
        ...


@dataclass(slots=True)
class Publisher:
    """`poke` it when the active node may have changed."""

    address: Callable[[], str]  # the active node's, "" while nobody knows
    published: Callable[[], Awaitable[str]]  # what the file says now. Raises AcmdError
    publish: Callable[[str], Awaitable[bool]]  # True when the file changed. Raises AcmdError
    answers: Callable[[str], Awaitable[bool]]  # whether MySQL answers there; never raises
    tell: Callable[[], Awaitable[None]]  # restart or reload the services that read the file
    marker: Marker
    log: Callable[..., None]
    poke: asyncio.Event = field(default_factory=asyncio.Event)
    _fault: str = ""

    async def run(self) -> None:
        """Look at each change, and now and then, until cancelled."""
        while True:
            self.poke.clear()
            pause_s = await self.once()
            try:
                async with asyncio.timeout(pause_s):
                    await self.poke.wait()
            except TimeoutError:
                pass

    async def once(self) -> float:
        """Bring the file in line if it is time. When to look again, in seconds."""
        address = self.address()
        if not address:
            return LOOK_S
        try:
            if await self.published() == address and not self.marker.there():
                self._settle()
                return LOOK_S
            if not await self.answers(address):
                return RETRY_S
            self.marker.set(True)
            if await self.publish(address):
                self.log("published", address=address)
        except AcmdError as error:
            if self._fault != error.what:
                self._fault = error.what
                self.log("publish-failed", level="error", because=error.what, remedy=error.remedy)
            return FAULT_S
        self._settle()
        await self.tell()
        self.marker.set(False)
        return LOOK_S

    def _settle(self) -> None:
        if self._fault:
            self.log("publish-recovered")
        self._fault = ""
