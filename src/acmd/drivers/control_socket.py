"""The control socket: one JSON line asks, one JSON line answers. Who asks is known by peer credentials.

Who connects holds a place from then on. Clients that say nothing lose theirs after a moment, and at once
when it is needed; root has places of its own. `acmd events --follow` asks again and again and holds none.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acmd.descriptors import BACKLOG, accept

LINE_LIMIT = 65_536
CLIENTS, ROOT_PLACES = 16, 4
CONNECTIONS_A_S = 1000
SPARE = 64
"""Descriptors that this socket leaves to the lease, the guard's link and the services."""
REQUEST_LIMIT_S = 3.0
ANSWER_LIMIT_S = 30.0
SEND_LIMIT_S = 5.0
SOCKET_MODE = 0o660
_TOO_MANY = {"error": "too many clients at a time", "remedy": "try again in a moment"}


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the socket, by the kernel's word (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


Handler = Callable[[dict[str, Any], Peer], Awaitable[dict[str, Any]]]


@dataclass(slots=True, eq=False)
class _Client:
    """A connection. `task` None: not served yet."""

    connection: socket.socket
    peer: Peer
    task: asyncio.Task[None] | None = None
    wrapped: bool = False  # its descriptor is a transport's from then on
    has_asked: bool = False


class ControlSocket:
    """Serves a handler on a unix socket. A client that misbehaves is answered with an error and closed."""

    def __init__(self, path: Path, handler: Handler, group_id: int | None = None) -> None:
        """`group_id`: the group that may use it beside its owner; None: that of the process."""
        self._path = path
        self._handler = handler
        self._group_id = group_id
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._clients: dict[_Client, None] = {}  # in the order of coming

    async def start(self) -> None:
        """Listen. A socket left by a daemon that is gone is replaced. Raises OSError."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        old = os.umask(0o777 & ~SOCKET_MODE)
        try:
            listener.bind(str(self._path))
            if self._group_id is not None:
                os.chown(self._path, -1, self._group_id)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(old)
        self._listener = listener
        self._accepting = asyncio.create_task(
            accept(listener, self._take, SPARE, CONNECTIONS_A_S), name="control-accept"
        )

    async def close(self) -> None:
        """Stop listening and take the socket's file away. Answers that are being made still go out."""
        if self._accepting is not None and self._listener is not None:
            self._accepting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._accepting
            self._listener.close()
            self._path.unlink(missing_ok=True)

    # -- places -----------------------------------------------------------------------------------

    def _take(self, connection: socket.socket) -> None:
        client = _Client(connection, _peer(connection))
        if not self._has_place(client.peer):
            with contextlib.suppress(OSError), connection:
                connection.send(json.dumps(_TOO_MANY).encode() + b"\n")
            return
        self._clients[client] = None
        client.task = asyncio.create_task(self._serve(client), name="control")
        client.task.add_done_callback(lambda task: self._ended(client, task))

    def _has_place(self, peer: Peer) -> bool:
        """Whether there is one for a newcomer, if need be that of the oldest who has not asked."""
        others = [client for client in self._clients if client.peer.uid != 0]
        if peer.uid != 0:
            return len(others) < CLIENTS or self._evict(iter(others))
        if len(self._clients) < CLIENTS + ROOT_PLACES:
            return True
        return self._evict(iter(others)) or self._evict(iter(tuple(self._clients)))

    def _evict(self, among: Iterator[_Client]) -> bool:
        victim = next((client for client in among if not client.has_asked), None)
        if victim is None:
            return False
        del self._clients[victim]
        with contextlib.suppress(OSError):
            victim.connection.shutdown(socket.SHUT_RDWR)
        if victim.task is not None:
            victim.task.cancel()
        return True

    def _ended(self, client: _Client, task: asyncio.Task[None]) -> None:
        """However it ended, even before it began: its descriptor is closed, or is going to be."""
        self._clients.pop(client, None)
        if not client.wrapped:
            client.connection.close()
        if not task.cancelled() and (problem := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a request on the control socket failed", "exception": problem, "task": task}
            )

    # -- one connection ---------------------------------------------------------------------------

    async def _serve(self, client: _Client) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(LINE_LIMIT, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        client.wrapped = True
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client.connection)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S):
                request, answer = await _request(reader)
            client.has_asked = True
            if not answer:
                async with asyncio.timeout(ANSWER_LIMIT_S):
                    answer = await self._handler(request, client.peer)
            writer.write(json.dumps(answer).encode() + b"\n")
            transport.set_write_buffer_limits(0)  # `drain` then waits until all has left
            async with asyncio.timeout(SEND_LIMIT_S):
                await writer.drain()
            writer.close()
        except (TimeoutError, OSError):
            pass
        finally:
            if not transport.is_closing():
                transport.abort()


async def _request(reader: asyncio.StreamReader) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is asked, and the refusal to answer with, if it is nothing that can be."""
    try:
        request = json.loads(await reader.readline())
    except (ValueError, RecursionError):
        return {}, {"error": "the request is not one line of JSON", "remedy": "use the acmd command"}
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        return {}, {"error": "the request names nothing to do", "remedy": "use the acmd command"}
    return request, {}


def _peer(connection: socket.socket) -> Peer:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return Peer(*struct.unpack("3i", raw))
