"""The lock against suspend, asked for over a real D-Bus of the test's own, on which the test plays logind."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from acmd.core.state import Role, initial_state
from acmd.daemon.suspending import NoSuspend
from acmd.drivers.inhibitor import LOGIND, SleepInhibitor
from tests.unit.core_kit import ME, at, holder

pytestmark = pytest.mark.asyncio

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={path}</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*"/><allow own="*"/><allow receive_sender="*"/></policy></busconfig>
"""


@pytest_asyncio.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """A bus on which nobody is yet."""
    (tmp_path / "bus.conf").write_text(BUS.format(path=tmp_path / "bus"))
    try:
        process = await asyncio.create_subprocess_exec(
            "dbus-daemon", f"--config-file={tmp_path}/bus.conf", "--nofork", "--print-address",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("dbus-daemon is not installed")
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 10)
    try:
        yield f"unix:path={tmp_path}/bus"
    finally:
        process.terminate()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # pytest -W error: nothing is left open


class Logind:
    """Answers `Inhibit` as it is told; `locked` while the lock that it gave is held."""

    def __init__(self, address: str) -> None:
        self.bus = MessageBus(address, negotiate_unix_fd=True)
        self.asked: list[list[Any]] = []
        self.answer: Callable[[Message], Message | None] = self.give
        self._read = -1

    async def open(self) -> None:
        """Take logind's name."""
        await self.bus.connect()
        self.bus.add_message_handler(self._heard)
        await self.bus.request_name(LOGIND)

    def _heard(self, message: Message) -> Message | bool | None:
        if message.member != "Inhibit":
            return None
        self.asked.append(message.body)
        return self.answer(message) or True

    def give(self, message: Message) -> Message:
        """A lock."""
        self._read, write = os.pipe()
        asyncio.get_running_loop().call_later(0.2, os.close, write)
        return Message.new_method_return(message, "h", [0], unix_fds=[write])

    def locked(self) -> bool:
        """Whether anybody still has it."""
        return not select.select([self._read], [], [], 0)[0]

    async def close(self) -> None:
        """Leave the bus."""
        self.bus.disconnect()
        if self._read != -1:
            os.close(self._read)
        await asyncio.sleep(0.25)  # the last write ends are closed by then


@pytest_asyncio.fixture
async def logind(address: str) -> AsyncIterator[Logind]:
    made = Logind(address)
    await made.open()
    yield made
    await made.close()


async def test_taken_and_dropped(address: str, logind: Logind) -> None:
    """`sleep`, `block`, who and why; held until dropped, not inherited by children, taken once."""
    inhibitor = SleepInhibitor("acmd", "because", address)
    assert await inhibitor.take() == ""
    assert await inhibitor.take() == ""
    assert logind.asked == [["sleep", "acmd", "because", "block"]]
    await asyncio.sleep(0.3)
    assert inhibitor.held
    assert logind.locked()
    assert not os.get_inheritable(inhibitor._lock)
    inhibitor.drop()
    assert not inhibitor.held
    assert not logind.locked()


async def test_no_logind(address: str, tmp_path: Path) -> None:
    """Without logind, or without any D-Bus, it says so and nothing is held."""
    inhibitor = SleepInhibitor("acmd", "because", address)
    assert await inhibitor.take() == "there is no systemd-logind on this host"
    assert inhibitor.absent
    inhibitor = SleepInhibitor("acmd", "because", f"unix:path={tmp_path}/none")
    assert await inhibitor.take() == "there is no D-Bus on this host"
    assert inhibitor.absent
    assert not inhibitor.held


async def test_a_logind_that_refuses_or_hangs(address: str, logind: Logind) -> None:
    """Both are told apart from none, and end within the limit."""
    inhibitor = SleepInhibitor("acmd", "because", address)
    logind.answer = lambda message: Message.new_error(message, "org.x.Denied", "not you")
    assert await inhibitor.take() == "systemd-logind refuses: not you"
    logind.answer = lambda message: None
    assert await inhibitor.take() == "D-Bus or systemd-logind does not answer"
    assert not inhibitor.absent
    assert not inhibitor.held


async def test_held_with_the_lease(address: str, logind: Logind) -> None:
    """Taken with the lease, dropped after it and in maintenance of all; a failure is logged once."""
    lines: list[str] = []
    inhibitor = SleepInhibitor("acmd", "because", address)
    it = NoSuspend(inhibitor, lambda event, **_: lines.append(event))
    running = asyncio.create_task(it.run())

    async def until(held: bool) -> None:
        async with asyncio.timeout(5):
            while inhibitor.held != held:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)

    active, passive = holder().state, initial_state(ME, at(0))
    for state, held in ((active, True), (passive, False), (active, True)):
        it.notice(state)
        await until(held)
    detached = active.clone()
    detached.role = Role.DETACHED
    it.notice(detached)
    await until(held=False)
    assert lines == []
    logind.answer = lambda message: Message.new_error(message, "org.x.Denied", "not you")
    for _ in range(2):
        it.notice(active)
        async with asyncio.timeout(5):
            while not lines:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
    assert lines == ["suspend-not-inhibited"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
