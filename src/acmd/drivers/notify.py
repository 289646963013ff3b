"""sd_notify: readiness, a sentence, and the heartbeat's own sign of life (sd_notify(3)).

Messages can be lost: PID 1 is busy while it reloads its units, and its queue is short. So
everything is said again with each sign of life; PID 1 takes no notice of what it knows already.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import sdnotify

AGAIN_S = 1.0  # between two READY=1 after the first one
EAGER_S = 60.0  # for so long: a start job may wait for it. Later it comes with the signs of life


class ServiceManager:
    """`ports.Notifier`. Without NOTIFY_SOCKET nothing is sent. Never blocks: a full socket loses it."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._notifier = sdnotify.SystemdNotifier()
        if self._notifier.socket is not None:
            self._notifier.socket.setblocking(False)
        os.environ.pop("NOTIFY_SOCKET", None)  # not for children: they would speak in the daemon's place
        self._now_s = now_s
        self._ready_at_s: float | None = None
        self._said_at_s = 0.0
        self._status = ""
        self._stopping = False

    def ready(self) -> None:
        """READY=1; to be called at each look, it is said anew for a while."""
        now_s = self._now_s()
        if self._ready_at_s is None:
            self._ready_at_s = now_s
        elif now_s - self._ready_at_s > EAGER_S or now_s - self._said_at_s < AGAIN_S:
            return
        self._say_ready()

    def ready_again(self) -> None:
        """READY=1 at once, if it was said before: PID 1 has just reloaded its units."""
        if self._ready_at_s is not None:
            self._say_ready()

    def status(self, sentence: str) -> None:
        """STATUS=, when it has changed."""
        line = sentence.replace("\n", " ")
        if line != self._status:
            self._status = line
            self._notifier.notify(f"STATUS={line}")

    def alive(self) -> None:
        """WATCHDOG=1, and all that was said before, in one message."""
        known = ["READY=1"] if self._ready_at_s is not None and not self._stopping else []
        known += [f"STATUS={self._status}"] if self._status else []
        self._notifier.notify("\n".join([*known, "WATCHDOG=1"]))

    def stopping(self) -> None:
        """STOPPING=1; nothing is ready from then on."""
        self._stopping = True
        self._notifier.notify("STOPPING=1")

    def _say_ready(self) -> None:
        if not self._stopping:
            self._said_at_s = self._now_s()
            self._notifier.notify("READY=1")
