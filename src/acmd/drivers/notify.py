"""sd_notify: readiness, a sentence, and the heartbeat's own sign of life (sd_notify(3))."""

from __future__ import annotations

import os

import sdnotify


class ServiceManager:
    """`ports.Notifier`. Without NOTIFY_SOCKET nothing is sent. Never blocks: a full socket loses it."""

    def __init__(self) -> None:
        self._notifier = sdnotify.SystemdNotifier()
        if self._notifier.socket is not None:
            self._notifier.socket.setblocking(False)
        os.environ.pop("NOTIFY_SOCKET", None)  # not for children: they would speak in the daemon's place
        self._ready = False
        self._status = ""

    def ready(self) -> None:
        """READY=1, once."""
        if not self._ready:
            self._ready = True
            self._notifier.notify("READY=1")

    def ready_again(self) -> None:
        """READY=1 once more, if it was said: PID 1 can miss it while it reloads its units."""
        if self._ready:
            self._notifier.notify("READY=1")

    def status(self, sentence: str) -> None:
        """STATUS=, when it has changed."""
        if sentence != self._status:
            self._status = sentence
            self._notifier.notify("STATUS=" + sentence.replace("\n", " "))

    def alive(self) -> None:
        """WATCHDOG=1."""
        self._notifier.notify("WATCHDOG=1")

    def stopping(self) -> None:
        """STOPPING=1."""
        self._notifier.notify("STOPPING=1")
