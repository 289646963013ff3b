"""A server of `drivers.http` on a free port of the loopback, and raw bytes to it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from acmd.drivers.http import Answer, Handler, HttpServer, Request
from acmd.drivers.http.server import Limits

LIMIT_S = 15.0


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Served:
    """A running server; the event loop must have had nothing to complain about."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.complaints: list[dict[str, Any]] = []

    async def raw(self, data: bytes, *, end: bool = True, tls: ssl.SSLContext | None = None) -> bytes:
        """Everything that comes back for these bytes until the server hangs up."""
        name = "localhost" if tls is not None else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.server.port(), ssl=tls, server_hostname=name
        )
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                if end and tls is None:
                    writer.write_eof()
                await writer.drain()
                async with asyncio.timeout(LIMIT_S):
                    return await reader.read()
            return b""
        finally:
            writer.transport.abort()

    async def get(
        self, path: str, method: str = "GET", *headers: str, tls: ssl.SSLContext | None = None
    ) -> Reply:
        """One request on a connection of its own."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        return parsed(await self.raw("\r\n".join([*lines, "", ""]).encode(), end=False, tls=tls))


def parsed(data: bytes) -> Reply:
    """The one reply in these bytes."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in rest)
    return Reply(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body)


@contextlib.asynccontextmanager
async def served(
    handler: Handler, context: ssl.SSLContext | None = None, limits: Limits | None = None
) -> AsyncIterator[Served]:
    """Served while the block runs."""
    found = Served(HttpServer("127.0.0.1", 0, handler, context, limits))
    asyncio.get_running_loop().set_exception_handler(lambda _, what: found.complaints.append(what))
    await found.server.start()
    try:
        yield found
    finally:
        await found.server.close()
        await asyncio.sleep(0)
    assert found.complaints == []


async def until(happened: Callable[[], bool], limit_s: float = 20.0) -> None:
    """It happens within that time."""
    end = asyncio.get_running_loop().time() + limit_s
    for _ in iter(happened, True):
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.01)


def echo(request: Request) -> Answer:
    """Tells what was asked."""
    return Answer(200, f"{request.method} {request.path}\n".encode())
