"""`drivers.notify` against a socket like systemd's."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.drivers.notify import ServiceManager
from acmd.ports import Notifier


class Systemd:
    """What sd_notify speaks to."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """All messages that wait."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    """One, with the environment that it gives to a service."""
    found = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield found
    found.socket.close()


def notifier() -> tuple[Notifier, ServiceManager]:
    """The driver, as port and as itself."""
    made = ServiceManager()
    return made, made


def test_what_is_said(systemd: Systemd) -> None:
    """READY, STATUS on a change and in one line, STOPPING; each sign of life says everything again."""
    port, made = notifier()
    port.alive()
    for _ in range(2):
        port.ready()
        port.status("active: holds\nthe lease")
        port.alive()
    port.status("passive")
    port.stopping()
    port.ready()
    port.alive()
    heard = systemd.heard()
    assert heard == [
        "WATCHDOG=1",
        "READY=1",
        "STATUS=active: holds the lease",
        *["READY=1\nSTATUS=active: holds the lease\nWATCHDOG=1"] * 2,
        "STATUS=passive",
        "STOPPING=1",
        "STATUS=passive\nWATCHDOG=1",
    ]
    _close(made)


def test_readiness_is_said_again(systemd: Systemd) -> None:
    """Once a second for the first minute, since PID 1 may have missed it; then with signs of life only."""
    now_s = [100.0]
    made = ServiceManager(lambda: now_s[0])
    made.ready_again()
    assert systemd.heard() == []
    heard = []
    for _ in range(4 * 100):
        made.ready()
        heard += systemd.heard()
        now_s[0] += 0.25
    assert heard == ["READY=1"] * 61
    made.ready_again()
    made.stopping()
    made.ready_again()
    assert systemd.heard() == ["READY=1", "STOPPING=1"]
    _close(made)


def test_children_do_not_speak_in_its_place(systemd: Systemd) -> None:
    """The socket's name is taken out of the environment."""
    _, made = notifier()
    assert "NOTIFY_SOCKET" not in os.environ
    assert systemd.heard() == []
    _close(made)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sdnotify drops a socket
def test_without_a_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand in a terminal: nothing is sent, nothing is raised."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    port, _ = notifier()
    port.ready()
    port.status("x")
    port.alive()
    port.stopping()


def test_a_service_manager_that_does_not_listen(systemd: Systemd) -> None:
    """A full queue, or one that is gone, loses messages and blocks nobody."""
    port, made = notifier()
    for number in range(5000):
        port.status(f"{number}")
    systemd.socket.close()
    port.alive()
    _close(made)


def _close(made: ServiceManager) -> None:
    if made._notifier.socket is not None:
        made._notifier.socket.close()
