"""The control socket: one JSON line asks, one JSON line answers. Who asks is known by peer credentials."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINE_LIMIT = 65_536
CLIENTS = 16
ANSWER_LIMIT_S = 30.0
SOCKET_MODE = 0o660


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the socket, by the kernel's word (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


Handler = Callable[[dict[str, Any], Peer], Awaitable[dict[str, Any]]]


class ControlSocket:
    """Serves a handler on a unix socket. A client that misbehaves is answered with an error and closed."""

    def __init__(self, path: Path, handler: Handler, group_id: int | None = None) -> None:
        """`group_id`: the group that may use it beside its owner; None: that of the process."""
        self._path = path
        self._handler = handler
        self._group_id = group_id
        self._server: asyncio.Server | None = None
        self._clients = 0

    async def start(self) -> None:
        """Listen. A socket left by a daemon that is gone is replaced. Raises OSError."""
        self._path.unlink(missing_ok=True)
        old = os.umask(0o777 & ~SOCKET_MODE)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, path=str(self._path), limit=LINE_LIMIT
            )
        finally:
            os.umask(old)
        if self._group_id is not None:
            os.chown(self._path, -1, self._group_id)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                answer = await self._answer(reader, writer)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, OSError):
            pass
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, Any]:
        if self._clients > CLIENTS:
            return {"error": "too many clients at a time", "remedy": "try again in a moment"}
        try:
            line = await reader.readline()
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"error": "the request is not one line of JSON", "remedy": "use the acmd command"}
        if not isinstance(request, dict) or not isinstance(request.get("do"), str):
            return {"error": "the request names nothing to do", "remedy": "use the acmd command"}
        return await self._handler(request, _peer(writer))

    async def close(self) -> None:
        """Stop listening and take the socket's file away."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)


def _peer(writer: asyncio.StreamWriter) -> Peer:
    connection: socket.socket = writer.get_extra_info("socket")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return Peer(*struct.unpack("3i", raw))
