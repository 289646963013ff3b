"""`drivers.http`: whoever can reach the port costs the daemon a bounded number of descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator

import pytest

from acmd.drivers.http import server as module
from acmd.drivers.http.server import CLIENTS
from tests.contract.http_kit import Served, echo, served, until
from tests.contract.test_web import certificate

pytestmark = pytest.mark.asyncio
FLOOD = 200
SLACK = 16  # being closed, or just accepted


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and its clients'."""
    crt, key = certificate(tmp_path_factory.mktemp("tls"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(crt, key)
    return server, ssl.create_default_context(cafile=str(crt))


class Crowd:
    """Connections that the server's side of this process holds, beside those of the clients."""

    def __init__(self, http: Served) -> None:
        self.http = http
        self.clients: list[socket.socket] = []
        self._before = len(os.listdir("/proc/self/fd"))

    async def come(self, number: int, says: bytes = b"") -> None:
        """So many more that say this and then nothing."""
        for _ in range(number):
            client = socket.socket()
            client.setblocking(False)
            self.clients.append(client)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self.http.server.port()))
            with contextlib.suppress(ConnectionError):
                client.send(says)
            assert self.held() <= CLIENTS + SLACK

    def held(self) -> int:
        """Descriptors of the server's side."""
        return len(os.listdir("/proc/self/fd")) - self._before - len(self.clients)

    async def settles(self) -> None:
        """All that connected were accepted, and what is above the number of clients was hung up on."""
        await until(lambda: self.http.server.crowded_out >= len(self.clients) - CLIENTS)
        assert self.held() <= CLIENTS + SLACK

    def go(self) -> None:
        """All hang up."""
        for client in self.clients:
            client.close()
        self.clients.clear()

    async def leaves_nothing(self) -> None:
        """Everything is closed again."""
        await until(lambda: self.held() <= 0 and not self.http.server._clients)


@contextlib.asynccontextmanager
async def crowded(context: ssl.SSLContext | None) -> AsyncIterator[Crowd]:
    """A server, and a crowd that goes in the end and leaves nothing."""
    async with served(echo, context) as http:
        crowd = Crowd(http)
        try:
            yield crowd
        finally:
            crowd.go()
        await crowd.leaves_nothing()


@pytest.mark.parametrize(
    "says", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n\r\n"]
)
async def test_half_open_tls(tls: tuple[ssl.SSLContext, ssl.SSLContext], says: bytes) -> None:
    """A handshake that does not go on counts as a client: descriptors stay bounded, others are served."""
    async with crowded(tls[0]) as crowd:
        await crowd.come(FLOOD, says)
        assert (await crowd.http.get("/active", tls=tls[1])).status == 200
        if not says.startswith(b"GET"):  # that is no handshake, and ends by itself
            await crowd.settles()
        assert (await crowd.http.get("/active", tls=tls[1])).status == 200


@pytest.mark.parametrize("says", [b"", b"GET /active HTTP/1.1\r\nHost: x\r\n"])
async def test_half_a_request(says: bytes) -> None:
    """The same without TLS."""
    async with crowded(None) as crowd:
        await crowd.come(FLOOD, says)
        await crowd.settles()
        assert (await crowd.http.get("/active")).status == 200


async def test_a_handshake_has_its_limit(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else has to come for a silent one to be hung up on."""
    assert module.TLS_LIMIT_S <= 5
    monkeypatch.setattr(module, "TLS_LIMIT_S", 0.2)
    async with crowded(tls[0]) as crowd:
        await crowd.come(1)
        client = crowd.clients[0]
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                assert await asyncio.get_running_loop().sock_recv(client, 10) == b""


async def test_who_has_asked_outlives_who_has_not() -> None:
    """A load balancer's connection between two checks is not ended for strangers that say nothing."""
    async with crowded(None) as crowd:
        reader, writer = await asyncio.open_connection("127.0.0.1", crowd.http.server.port())
        for _ in range(2):
            writer.write(b"GET /active HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"GET /active\n")).startswith(b"HTTP/1.1 200")
            await crowd.come(2 * CLIENTS)
        writer.close()


async def test_a_goodbye_that_is_not_answered(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that was answered and does not close its end of TLS still counts, and not for long."""
    monkeypatch.setattr(module, "GOODBYE_S", 0.2)
    async with crowded(tls[0]) as crowd:
        for _ in range(CLIENTS + SLACK):
            crowd.clients.append(await asyncio.to_thread(_asks_and_stays, crowd.http.server.port(), tls[1]))
            assert crowd.held() <= CLIENTS + SLACK


def _asks_and_stays(port: int, context: ssl.SSLContext) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port))
    client = context.wrap_socket(plain, server_hostname="localhost")
    client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert client.recv(12) == b"HTTP/1.1 200"
    return client
