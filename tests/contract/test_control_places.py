"""`drivers.control_socket`: places. Nobody who can connect shuts others out, and root least of all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from acmd.drivers import control_socket
from acmd.drivers.control_socket import CLIENTS, ROOT_PLACES
from tests.contract.http_kit import until
from tests.contract.test_control_socket import Served, served

pytestmark = pytest.mark.asyncio
REFUSAL = {"error": "too many clients at a time", "remedy": "try again in a moment"}
STRANGER = 65534
FOREIGN = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a moment")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that other users reach as well."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@contextlib.asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Served]:
    """A socket that every user may connect to, as a member of its group may."""
    async with served(directory) as control:
        control.path.chmod(0o666)
        yield control
        control.go.set()


def silent(path: Path, uid: int | None = None) -> socket.socket:
    """A connection of that user that says nothing."""
    connection = socket.socket(socket.AF_UNIX)
    if uid is not None:
        os.seteuid(uid)
    try:
        connection.connect(str(path))
    finally:
        if uid is not None:
            os.seteuid(0)
    connection.setblocking(False)
    return connection


async def ended(connection: socket.socket) -> bool:
    """Whether the daemon hung up on it, as soon as it does; False after a while."""
    with contextlib.suppress(ConnectionError):
        try:
            async with asyncio.timeout(5):
                return await asyncio.get_running_loop().sock_recv(connection, 100) == b""
        except TimeoutError:
            return False
    return True


async def until_served(control: Served, asked: int) -> None:
    """Until so many requests have reached the handler."""
    await until(lambda: len(control.asked) >= asked)


async def test_silent_clients_shut_nobody_out(shared: Path) -> None:
    """However many connect and say nothing: the next one is answered, and the oldest of them is gone."""
    async with opened(shared) as control:
        idle = [silent(control.path) for _ in range(3 * (CLIENTS + ROOT_PLACES))]
        assert await control.ask(do="status") == {"did": "status"}
        assert await ended(idle[0])
        assert len(control.socket._clients) <= CLIENTS + ROOT_PLACES
        for connection in idle:
            connection.close()


async def test_a_request_has_a_moment_to_come(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not asked by then is hung up on; who waits for an answer is not."""
    assert control_socket.REQUEST_LIMIT_S <= 5
    monkeypatch.setattr(control_socket, "REQUEST_LIMIT_S", 0.1)
    async with opened(shared) as control:
        waiting = asyncio.create_task(control.ask(do="slow"))
        await until_served(control, 1)
        idle = silent(control.path)
        assert await ended(idle)
        control.go.set()
        assert await waiting == {"did": "slow"}
        idle.close()


async def test_those_who_asked_keep_their_places(shared: Path) -> None:
    """With all places held by clients that wait for an answer the next one is told so; they get theirs."""
    places = CLIENTS + ROOT_PLACES * (os.geteuid() == 0)
    async with opened(shared) as control:
        waiting = [asyncio.create_task(control.ask(do="slow")) for _ in range(places)]
        await until_served(control, places)
        assert await control.send(b"", end=False) == REFUSAL
        control.go.set()
        assert await asyncio.gather(*waiting) == [{"did": "slow"}] * places


@FOREIGN
async def test_root_has_places_of_its_own(shared: Path) -> None:
    """Another user who holds all others, silent or waiting for answers, keeps root out in no way."""
    async with opened(shared) as control:
        asking = [silent(control.path, STRANGER) for _ in range(CLIENTS)]
        for connection in asking:
            connection.send(b'{"do": "slow"}\n')
        await until_served(control, CLIENTS)
        more = [silent(control.path, STRANGER) for _ in range(CLIENTS)]
        assert await control.ask(do="status") == {"did": "status"}
        assert [peer.uid for _, peer in control.asked] == [STRANGER] * CLIENTS + [0]
        for connection in (*asking, *more):
            connection.close()


@FOREIGN
async def test_a_user_takes_no_place_of_root(shared: Path) -> None:
    """Silent connections of another user never cost root a connection, however many they are."""
    async with opened(shared) as control:
        own = silent(control.path)
        others = [silent(control.path, STRANGER) for _ in range(4 * CLIENTS)]
        assert await ended(others[0])
        own.send(b'{"do": "status"}\n')
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().sock_recv(own, 100) == b'{"did": "status"}\n'
        for connection in (own, *others):
            connection.close()


async def test_nothing_is_left_open(shared: Path) -> None:
    """After silent clients, evicted ones and refused ones there are as many descriptors as before."""
    async with opened(shared) as control:
        before = len(os.listdir("/proc/self/fd"))
        idle = [silent(control.path) for _ in range(100)]
        assert await control.ask(do="status") == {"did": "status"}
        for connection in idle:
            connection.close()
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before)
        assert not control.socket._clients
