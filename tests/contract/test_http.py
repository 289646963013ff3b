"""`drivers.http`: HTTP as load balancers, browsers and strangers speak it, bounded in all."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmd.drivers.http.server import CLIENTS, Limits
from tests.contract.http_kit import echo, parsed, served


@pytest.mark.asyncio
async def test_methods_and_headers() -> None:
    """GET has a body, HEAD only its length; nothing is cached or guessed at; the query is left out."""
    async with served(echo) as http:
        got = await http.get("/active?x=1")
        assert (got.status, got.body) == (200, b"GET /active\n")
        assert got.headers["cache-control"] == "no-store"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "server" not in got.headers
        head = await http.get("/active", "HEAD")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "13")


@pytest.mark.asyncio
async def test_as_haproxy_asks() -> None:
    """`OPTIONS / HTTP/1.0` without any header, the default of `option httpchk`, is answered and closed."""
    async with served(echo) as http:
        reply = parsed(await http.raw(b"OPTIONS / HTTP/1.0\r\n\r\n", end=False))
        assert (reply.status, reply.body) == (200, b"OPTIONS /\n")


@pytest.mark.asyncio
async def test_one_connection_for_many_requests() -> None:
    """Kept open, also for requests that come in one piece; closed after the last."""
    one = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
    async with served(echo) as http:
        data = await http.raw(one % 1 + one % 2 + b"GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert [line for line in data.split(b"\r\n\r\n") if b"GET" in line]
        assert data.count(b"HTTP/1.1 200") == 3
        assert data.index(b"GET /1") < data.index(b"GET /2") < data.index(b"GET /3")
        assert http.server.requests == 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n A: folded\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n" + b"x" * 9999, 413),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
async def test_what_is_not_http(data: bytes, status: int) -> None:
    """Answered with the status that fits and nothing of the inside, then closed; the next one is served."""
    async with served(echo) as http:
        reply = await http.raw(data)
        if reply:  # a client that sent more than is read may find the connection reset
            found = parsed(reply)
            assert found.status == status
            assert found.headers["connection"] == "close"
            assert b"Traceback" not in reply
        assert (await http.get("/x")).status == 200
        assert http.server.requests == 1


@pytest.mark.asyncio
async def test_slow_clients() -> None:
    """A request that does not come in whole in time is hung up on; so is a connection left idle."""
    async with served(echo, limits=Limits(request_s=0.1, idle_s=0.1)) as http:
        assert await http.raw(b"GET / HTTP/1.1\r\nHos", end=False) == b""
        assert await http.raw(b"", end=False) == b""
        assert (await http.get("/x")).status == 200


@pytest.mark.asyncio
async def test_many_clients_shut_nobody_out() -> None:
    """Connections that say nothing make room for a health check: the oldest of them goes."""
    async with served(echo) as http:
        idle = [await asyncio.open_connection("127.0.0.1", http.server.port()) for _ in range(CLIENTS)]
        assert (await http.get("/active")).status == 200
        reader, _ = idle[0]
        assert await asyncio.wait_for(_rest(reader), 5) == b""
        for _, writer in idle:
            writer.transport.abort()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


PIECES = st.sampled_from([
    b"GET ", b"HEAD ", b"POST ", b"OPTIONS ", b"/", b"/status", b"*", b"http://x/y", b" HTTP/1.1",
    b" HTTP/1.0", b" HTTP/9.9", b"\r\n", b"\n", b"\r", b"Host: x\r\n", b"Content-Length: 3\r\n",
    b"Authorization: Bearer \xff\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n",
    b"Connection: close\r\n", b"Upgrade: h2c\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"\0", b"\xff\xfe",
    b"%00", b"..", b"a" * 5000,
])  # fmt: skip


@settings(max_examples=60)
@given(st.lists(PIECES | st.binary(max_size=20), max_size=14))
def test_fuzz(pieces: list[bytes]) -> None:
    """Whatever bytes come: answers that are HTTP, or a closed connection; never a hang, never a complaint."""

    async def ask() -> None:
        async with served(echo) as http:
            reply = await http.raw(b"".join(pieces))
            assert not reply or reply.startswith(b"HTTP/1.1 ")
            assert b"Traceback" not in reply
            assert (await http.get("/x")).body == b"GET /x\n"

    asyncio.run(ask())
