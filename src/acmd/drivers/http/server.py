"""The server: connections, their limits, and the way from bytes to a handler and back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass
from http import HTTPStatus

import h11

from acmd.descriptors import BACKLOG, accept
from acmd.drivers.http.message import Answer, Handler, Request

CLIENTS = 64
CONNECTIONS_A_S = 300
SPARE = 256
"""Descriptors that this server leaves to the rest of the daemon."""
HEAD_BYTES = 8192
BODY_BYTES = 4096
REQUESTS_A_CONNECTION = 1000
TLS_LIMIT_S = 5.0
GOODBYE_S = 1.0
_READ = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds: until a request has come in whole, until its answer has left, between two requests."""

    request_s: float = 5.0
    answer_s: float = 5.0
    idle_s: float = 30.0


@dataclass(slots=True, eq=False)
class _Client:
    """A connection from the instant that it was accepted until its descriptor is closed."""

    connection: socket.socket
    task: asyncio.Task[None] | None = None
    wrapped: bool = False  # its descriptor is a transport's from then on
    works: bool = False
    has_asked: bool = False
    writer: asyncio.StreamWriter | None = None

    def hang_up(self) -> None:
        """End it at once, in whichever state it is."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)  # ends a handshake, too
        if self.writer is not None:
            self.writer.transport.abort()
        if self.task is not None:
            self.task.cancel()


class HttpServer:
    """Serves `handler` at one address. One client above `CLIENTS` costs another one its connection.

    That is the oldest that has asked nothing yet, else the longest idle one. Clients count from the instant
    that they connect. With a context, TLS is spoken and nothing else.
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
        self.crowded_out = 0
        self._address, self._port = address, port
        self._handler = handler
        self._context = context
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._clients: dict[_Client, None] = {}  # in the order of coming, or of their last request

    async def start(self) -> None:
        """Listen. Raises OSError."""
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((self._address, self._port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        self._listener, self._port = listener, listener.getsockname()[1]
        self._accepting = asyncio.create_task(
            accept(listener, self._take, SPARE, CONNECTIONS_A_S), name="http-accept"
        )

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._accepting is not None and self._listener is not None:
            self._accepting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._accepting
            self._listener.close()
        clients = tuple(self._clients)
        for client in clients:
            client.hang_up()
        await asyncio.gather(*(c.task for c in clients if c.task is not None), return_exceptions=True)

    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    # -- one connection ---------------------------------------------------------------------------

    def _take(self, connection: socket.socket) -> None:
        self._make_room()
        client = _Client(connection)
        self._clients[client] = None
        client.task = asyncio.create_task(self._serve(client), name="http")
        client.task.add_done_callback(lambda task: self._ended(client, task))

    def _ended(self, client: _Client, task: asyncio.Task[None]) -> None:
        """However it ended, even before it began: its descriptor is closed, or is going to be."""
        self._clients.pop(client, None)
        if not client.wrapped:
            client.connection.close()
        if not task.cancelled() and (problem := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "an HTTP request was not served", "exception": problem, "task": task}
            )

    def _make_room(self) -> None:
        while len(self._clients) >= CLIENTS:
            silent = (c for c in self._clients if not c.works and not c.has_asked)
            idle = (c for c in self._clients if not c.works)
            victim = next(silent, None) or next(idle, None) or next(iter(self._clients))
            del self._clients[victim]
            self.crowded_out += 1
            victim.hang_up()

    async def _serve(self, client: _Client) -> None:
        try:
            reader, writer = await self._greet(client)
        except (TimeoutError, OSError):
            return
        try:
            await self._talk(client, reader, writer)
            writer.close()
            async with asyncio.timeout(GOODBYE_S):  # with TLS the other end has a word to say
                await writer.wait_closed()
        except (TimeoutError, OSError):
            pass
        finally:
            writer.transport.abort()

    async def _greet(self, client: _Client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Wrap the connection; with TLS the handshake is done within its limit. Raises OSError."""
        loop = asyncio.get_running_loop()
        limits = {"ssl_handshake_timeout": TLS_LIMIT_S, "ssl_shutdown_timeout": GOODBYE_S}
        reader = asyncio.StreamReader(HEAD_BYTES, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        client.wrapped = True
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            client.connection,
            ssl=self._context,
            **(limits if self._context is not None else {}),
        )
        writer = client.writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        writer.transport.set_write_buffer_limits(0)  # `drain` then waits until all has left
        return reader, writer

    async def _talk(
        self, client: _Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
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
                client.works = client.has_asked = True
                answer, head = self._handler(request), request.method == "HEAD"
            except h11.RemoteProtocolError as error:
                answer, head = _refusal(error.error_status_hint), False
            async with asyncio.timeout(self._limits.answer_s):
                await _send(connection, writer, answer, head)
            if client not in self._clients or connection.our_state is not h11.DONE:
                return
            if connection.their_state is not h11.DONE:
                return
            client.works = False
            self._clients[client] = self._clients.pop(client)
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
