"""The watchdog on a device that is not one, and who may reset a host at all. No rung is ever pulled here."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from acmd.guard.last_resort import (
    WDIOC_GETSUPPORT,
    WDIOC_KEEPALIVE,
    WDIOC_SETTIMEOUT,
    WDIOF_MAGICCLOSE,
    Device,
    Watchdog,
    may_reset,
    no_rungs,
)

S = 1_000_000_000


class FakeDevice(Device):
    """In memory. `fails` names the call that raises."""

    def __init__(self, path: str, magic: bool = True, nowayout: bool = False, least_s: int = 0) -> None:
        super().__init__(path)
        self.magic, self.nowayout, self.least_s = magic, nowayout, least_s
        self.fails = ""
        self.done: list[str] = []

    def _do(self, what: str) -> None:
        if what == self.fails:
            raise OSError(5, f"{what} failed")
        self.done.append(what)

    def open(self) -> None:
        self._do("open")

    def control(self, request: int, argument: bytes) -> bytes:
        if request == WDIOC_SETTIMEOUT:
            self._do("timeout")
            return struct.pack("i", max(struct.unpack("i", argument)[0], self.least_s))
        if request == WDIOC_GETSUPPORT:
            return struct.pack("II32s", WDIOF_MAGICCLOSE if self.magic else 0, 0, b"fake")
        assert request == WDIOC_KEEPALIVE
        self._do("feed")
        return argument

    def write(self, data: bytes) -> None:
        self._do(data.decode())

    def close(self) -> None:
        self._do("close")

    def cannot_stop(self) -> bool:
        return self.nowayout


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "watchdog").touch()
    return str(tmp_path / "watchdog")


def test_starts_feeds_stops(path: str) -> None:
    """Opened once, its timeout set, fed, and stopped by the magic word before the close."""
    device = FakeDevice(path)
    watchdog = Watchdog(device, 3 * S)
    watchdog.feed()
    watchdog.stop()
    assert device.done == []
    watchdog.start()
    watchdog.start()
    watchdog.feed()
    watchdog.stop()
    watchdog.feed()
    assert device.done == ["open", "timeout", "feed", "V", "close"]
    assert not watchdog.check()


@pytest.mark.parametrize("traits", [{"magic": False}, {"nowayout": True}])
def test_one_that_cannot_be_stopped_is_fed_on(path: str, traits: dict[str, bool]) -> None:
    """Without magic close, or with nowayout, it stays open and feeding goes on."""
    device = FakeDevice(path, **traits)
    watchdog = Watchdog(device, 3 * S)
    watchdog.start()
    watchdog.stop()
    watchdog.feed()
    assert watchdog.running
    assert device.done == ["open", "timeout", "feed"]


def test_another_timeout_is_a_fault(path: str) -> None:
    """A device that fires later than asked cannot be relied on, and says both values."""
    watchdog = Watchdog(FakeDevice(path, least_s=10), 3 * S)
    watchdog.start()
    assert "fires after 10 s, not 3 s" in watchdog.check()


@pytest.mark.parametrize("fails", ["open", "timeout", "feed", "V"])
def test_each_failure_is_a_fault(path: str, fails: str) -> None:
    """Whatever fails on the device shows in the view and raises nothing."""
    device = FakeDevice(path)
    device.fails = fails
    watchdog = Watchdog(device, 3 * S)
    watchdog.start()
    watchdog.feed()
    watchdog.stop()
    assert f"{fails} failed" in watchdog.check()


def test_armed_without_it_is_a_fault_until_it_opens(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else had it when this node was armed: that stays said, and it is tried again while armed."""
    monkeypatch.setattr("acmd.guard.last_resort.RETRY_NS", -1)
    device = FakeDevice(path)
    device.fails = "open"
    watchdog = Watchdog(device, 3 * S)
    watchdog.start()
    assert not watchdog.check(), "nothing is armed: only trying tells"
    watchdog.wanted = True
    watchdog.feed()
    assert "open failed" in watchdog.check()
    device.fails = ""
    watchdog.feed()
    assert watchdog.running
    assert not watchdog.check()


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    """It is reported before anything is armed, without opening anything."""
    assert "is not there" in Watchdog(Device(str(tmp_path / "none")), S).check()


def test_only_a_unit_of_pid_1_may_reset() -> None:
    """A process that was started by hand, or by a test, never gets the rungs."""
    assert "not run by PID 1" in may_reset({})
    assert "not run by PID 1" in may_reset({"INVOCATION_ID": "x"})
    assert no_rungs() == ()
