"""The server: connections, their limits, and the way from bytes to a handler and back."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from http import HTTPStatus

import h11

from acmd.drivers.http.message import Answer, Handler, Request

CLIENTS = 64
HEAD_BYTES = 8192
BODY_BYTES = 4096
REQUESTS_A_CONNECTION = 1000
TLS_LIMIT_S = 5.0
_READ = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds: until a request has come in whole, until its answer has left, between two requests."""

    request_s: float = 5.0
    answer_s: float = 5.0
    idle_s: float = 30.0


class HttpServer:
    """Serves `handler` at one address. One client above `CLIENTS` costs the longest idle one its connection.

    With a context, TLS is spoken and nothing else.
    """

    def __init__(
        self,
        address: str,
        port: int,
        handler: Handler,
        context: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self.requests = 0
        self._address, self._port = address, port
        self._handler = handler
        self._context = context
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.StreamWriter, bool] = {}  # in the order of coming; True: at work

    async def start(self) -> None:
        """Listen. Raises OSError."""
        limits = {"ssl_handshake_timeout": TLS_LIMIT_S, "ssl_shutdown_timeout": TLS_LIMIT_S}
        self._server = await asyncio.start_server(
            self._serve,
            self._address,
            self._port,
            limit=HEAD_BYTES,
            ssl=self._context,
            **(limits if self._context is not None else {}),
        )

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._clients):
            writer.transport.abort()

    def port(self) -> int:
        """The port that is listened on."""
        if self._server is None:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    # -- one connection ---------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._make_room()
        self._clients[writer] = False
        writer.transport.set_write_buffer_limits(0)  # `drain` then waits until all has left
        try:
            await self._talk(reader, writer)
            writer.close()
        except (TimeoutError, OSError):
            writer.transport.abort()
        finally:
            self._clients.pop(writer, None)

    def _make_room(self) -> None:
        while len(self._clients) >= CLIENTS:
            idle = (writer for writer, works in self._clients.items() if not works)
            victim = next(idle, next(iter(self._clients)))
            del self._clients[victim]
            victim.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        for _ in range(REQUESTS_A_CONNECTION):
            try:
                if not await self._begun(connection, reader):
                    return
                async with asyncio.timeout(self._limits.request_s):
                    request = await _request(connection, reader)
                if request is None:
                    return
                self.requests += 1
                self._clients[writer] = True
                answer, head = self._handler(request), request.method == "HEAD"
            except h11.RemoteProtocolError as error:
                answer, head = _refusal(error.error_status_hint), False
            async with asyncio.timeout(self._limits.answer_s):
                await _send(connection, writer, answer, head)
            if writer not in self._clients or connection.our_state is not h11.DONE:
                return
            if connection.their_state is not h11.DONE:
                return
            self._clients[writer] = False
            connection.start_next_cycle()

    async def _begun(self, connection: h11.Connection, reader: asyncio.StreamReader) -> bool:
        """Wait for the first byte of a request. False: there is none to come."""
        if connection.trailing_data[0]:
            return True  # sent together with the one before
        async with asyncio.timeout(self._limits.idle_s):
            data = await reader.read(_READ)
        if data:
            connection.receive_data(data)
        return bool(data)


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    """The next request with its body, which nobody wants. None: hung up. Raises RemoteProtocolError."""
    request: Request | None = None
    body = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if request is not None and connection.they_are_waiting_for_100_continue:
                return request  # answered without the body; the connection ends then
            connection.receive_data(await reader.read(_READ))
        elif isinstance(event, h11.Request):
            request = _understood(event)
        elif isinstance(event, h11.Data):
            body += len(event.data)
            if body > BODY_BYTES:
                raise h11.RemoteProtocolError("too long a body", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage):
            return request
        else:
            return None


def _understood(event: h11.Request) -> Request:
    target = event.target.decode("ascii", "replace")
    if not target.startswith("/") and "://" in target:  # absolute form, as to a proxy
        target = "/" + target.partition("://")[2].partition("/")[2]
    headers: dict[str, str] = {}
    for name, value in event.headers:
        headers.setdefault(name.decode("ascii", "replace"), value.decode("latin-1"))
    return Request(event.method.decode("ascii", "replace"), target.partition("?")[0], headers)


def _refusal(status: int) -> Answer:
    phrase = HTTPStatus(status).phrase
    return Answer(status, f"{phrase.lower()}\n".encode(), headers=(("Connection", "close"),))


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer, head: bool) -> None:
    if connection.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
        return
    phrase = HTTPStatus(answer.status).phrase.encode()
    response = h11.Response(status_code=answer.status, reason=phrase, headers=answer.wire_headers())
    data = connection.send(response) or b""
    if not head:
        data += connection.send(h11.Data(data=answer.body)) or b""
    with contextlib.suppress(h11.LocalProtocolError):  # after a request that broke off in the middle
        data += connection.send(h11.EndOfMessage()) or b""
    writer.write(data)
    await writer.drain()
