"""Small parts of the composition root."""

from __future__ import annotations

import asyncio
import pwd

from acmd.drivers.control_socket import Peer

EXIT_DETACHED = 4
"""The daemon's exit code after `acmd detach`: its unit is not started again (RestartPreventExitStatus=)."""


async def pump(event: asyncio.Event, into: asyncio.Event) -> None:
    """The heartbeat waits for one event; drivers have one each."""
    while True:
        await event.wait()
        event.clear()
        into.set()


def who(peer: Peer) -> str:
    """The user at the other end, by name where the host knows one."""
    try:
        return pwd.getpwuid(peer.uid).pw_name
    except KeyError:
        return f"uid {peer.uid}"
