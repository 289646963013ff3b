"""File descriptors of the daemon: more of them, and none for strangers once few are left.

Whoever can reach a port or a socket of the daemon can make it hold connections. Renewals, the guard's link
and the start of services need descriptors too, and a daemon that has none left gives up its lease. So
connections are taken here, at a bounded pace, and none for a moment while what is left is for the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable

WANTED = 4096
"""The daemon needs some two hundred; the rest is for mistakes. Its services get back what it was given."""
BACKLOG = 128
PAUSE_S = 0.25
"""No connection is taken for so long when descriptors are scarce."""
_given = 0


def raise_limit() -> None:
    """Raise this process's soft limit, if it is lower than wanted. Where it cannot: nothing."""
    global _given  # noqa: PLW0603 - a limit of the process
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < more:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            _given = soft


def for_services() -> int:
    """The soft limit that services are to have: what this process was started with. 0: as it is."""
    return _given


def scarce(descriptor: int, spare: int) -> bool:
    """Whether fewer than `spare` are left, by a descriptor that was just made: the kernel gives the lowest.

    With a limit so low that there would be nothing else, a half of it is spared.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft != resource.RLIM_INFINITY and descriptor >= soft - min(spare, soft // 2)


async def accept(
    listener: socket.socket, take: Callable[[socket.socket], None], spare: int, a_second: int
) -> None:
    """Hand each connection to `take`, at most so many a second, until cancelled.

    When fewer than `spare` descriptors are left the newest connection is closed at once and the rest waits
    in the kernel for a moment.
    """
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    left, since = a_second / 10, loop.time()
    while True:
        try:
            connection, _ = await loop.sock_accept(listener)
        except OSError:  # no descriptor at all, or the client is gone again
            await asyncio.sleep(PAUSE_S)
            continue
        if scarce(connection.fileno(), spare):
            connection.close()
            await asyncio.sleep(PAUSE_S)
            continue
        take(connection)
        left = min(a_second / 10, left + (loop.time() - since) * a_second)
        since = loop.time()
        if left < 1:
            await asyncio.sleep((1 - left) / a_second)
        else:
            await asyncio.sleep(0)  # one that waits already is taken without waiting: others have their turn
        left -= 1
