"""`drivers.control_socket`: one line there, one line back, and nothing that a client does disturbs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from acmd.drivers.control_socket import LINE_LIMIT, ControlSocket, Peer

pytestmark = pytest.mark.asyncio
NOT_JSON = "the request is not one line of JSON"
NOTHING = "the request names nothing to do"


class Served:
    """A control socket whose handler tells what it was asked; `slow` requests wait for `go`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[tuple[dict[str, Any], Peer]] = []
        self.go = asyncio.Event()
        self.loop_complained: list[dict[str, Any]] = []
        self.socket = ControlSocket(path, self._handle)

    async def _handle(self, request: dict[str, Any], peer: Peer) -> dict[str, Any]:
        self.asked.append((request, peer))
        if request["do"] == "slow":
            await self.go.wait()
        return {"did": request["do"]}

    async def send(self, data: bytes, *, end: bool = True) -> dict[str, Any] | None:
        """The answer to these bytes; None when the connection just ends."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                if end:
                    writer.write_eof()
                await writer.drain()
            with contextlib.suppress(ConnectionError):
                line = await asyncio.wait_for(reader.readline(), 10)
                return None if not line else dict(json.loads(line))
            return None
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(self, **request: Any) -> dict[str, Any] | None:
        """One request as the command line makes it."""
        return await self.send(json.dumps(request).encode() + b"\n", end=False)


@contextlib.asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A socket that is open, and whose event loop must have had nothing to complain about."""
    found = Served(tmp_path / "control.sock")
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.loop_complained.append(context))
    await found.socket.start()
    try:
        yield found
    finally:
        await found.socket.close()
        await asyncio.sleep(0)
    assert found.loop_complained == []


async def test_one_line_there_one_line_back(tmp_path: Path) -> None:
    """The handler gets the request and, by the kernel's word, who asked."""
    async with served(tmp_path) as control:
        assert await control.ask(do="status", x=1) == {"did": "status"}
        request, peer = control.asked[0]
        assert request == {"do": "status", "x": 1}
        assert peer == Peer(os.getpid(), os.geteuid(), os.getegid())


async def test_mode_and_end(tmp_path: Path) -> None:
    """Owner and group only; a socket that was left is replaced; closing takes the file away."""
    (tmp_path / "control.sock").write_text("left by a daemon that is gone")
    async with served(tmp_path) as control:
        found = control.path.stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o660
    assert not (tmp_path / "control.sock").exists()
    await ControlSocket(tmp_path / "never", control._handle).close()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NOT_JSON),
        (b"\n", NOT_JSON),
        (b"status\n", NOT_JSON),
        (b'{"do": "sta', NOT_JSON),
        (b"\xff\xfe\n", NOT_JSON),
        (b"\0" * 100 + b"\n", NOT_JSON),
        (b"[" * 60_000 + b"\n", NOT_JSON),
        (b"9" * 60_000 + b"\n", NOT_JSON),
        (b"x" * (3 * LINE_LIMIT) + b"\n", NOT_JSON),
        (b"null\n", NOTHING),
        (b'"status"\n', NOTHING),
        (b"[]\n", NOTHING),
        (b"{}\n", NOTHING),
        (b'{"do": 1}\n', NOTHING),
        (b'{"do": null}\n', NOTHING),
    ],
)
async def test_garbage(data: bytes, error: str, tmp_path: Path) -> None:
    """It is answered with what was wrong, or cut off; the handler never sees it; the next is served."""
    async with served(tmp_path) as control:
        answer = await control.send(data)
        assert answer is None or answer == {"error": error, "remedy": "use the acmd command"}
        if len(data) < LINE_LIMIT:
            assert answer is not None
        assert not control.asked
        assert await control.ask(do="status") == {"did": "status"}


async def test_fuzz(tmp_path: Path) -> None:
    """Whatever bytes come: an answer or a closed connection, and the socket stays open for others."""
    dice = random.Random(7)
    pieces = [
        b'{"do":',
        b'"status"',
        b"}",
        b"\n",
        b"[",
        b"null",
        b"\xff",
        b"\0",
        b"1e999",
        b'"\\ud800"',
        b",",
    ]
    async with served(tmp_path) as control:
        for _ in range(150):
            data = b"".join(dice.choice(pieces) for _ in range(dice.randrange(12)))
            answer = await control.send(data)
            assert answer is None or answer.keys() & {"error", "did"}
        assert await control.ask(do="status") == {"did": "status"}


async def test_a_client_that_hangs_up(tmp_path: Path) -> None:
    """Gone before the answer, or in the middle of a request: nobody else notices."""
    async with served(tmp_path) as control:
        for data in (b"", b'{"do": "sl', b'{"do": "slow"}\n'):
            _, writer = await asyncio.open_unix_connection(str(control.path))
            writer.write(data)
            await writer.drain()
            writer.close()
        control.go.set()
        assert await control.ask(do="status") == {"did": "status"}


async def test_closing_with_clients_connected(tmp_path: Path) -> None:
    """The end does not wait for clients that say nothing."""
    async with served(tmp_path) as control:
        _, writer = await asyncio.open_unix_connection(str(control.path))
        waiting = asyncio.create_task(control.ask(do="slow"))
        await asyncio.sleep(0.02)
        await asyncio.wait_for(control.socket.close(), 1)
        control.go.set()
        assert await waiting == {"did": "slow"}
        writer.close()


async def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """Opening raises OSError and nothing else; the mask for new files is as before."""
    before = os.umask(0o022)
    try:
        with pytest.raises(OSError, match="No such file or directory"):
            await ControlSocket(tmp_path / "absent" / "control.sock", Served(tmp_path)._handle).start()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
