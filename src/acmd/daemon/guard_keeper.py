"""Keeping a guard that fits this daemon.

Mode `spawn`: started, started again, ended with the daemon. Mode `unit`: PID 1 keeps it, and one that
was started with other settings than this daemon's is asked to end while nothing is armed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from acmd.config.model import Config
from acmd.daemon.building import guard_settings
from acmd.drivers.guard_link import GuardLink, spawn_guard
from acmd.guard.settings import parse

LOOK_S = 1.0
END_LIMIT_S = 2.0


def guard_fingerprint(config: Config) -> int:
    """Of a guard of this version with the settings of this configuration, as it tells its own."""
    return parse([json.dumps(guard_settings(config))]).fingerprint


class GuardKeeper:
    """Sees to it beside the heartbeat."""

    def __init__(self, config: Config, link: GuardLink, log: Callable[..., None]) -> None:
        self._config = config
        self._link = link
        self._log = log
        self._children: set[int] = set()
        self._fingerprint = guard_fingerprint(config)
        self._asked_to_end = 0

    def start(self) -> None:
        """Start a guard in a session of its own, which outlives this daemon, unless one listens already."""
        config = self._config
        if config.guard.mode != "spawn" or _answers(Path(config.guard.socket)):
            return
        settings = json.dumps(guard_settings(config))
        try:
            self._children.add(spawn_guard([settings], log=f"{config.run_dir}/guard.log"))
        except OSError as problem:  # no process, no descriptor, a full disk: tried again in a second
            self._log("guard-not-started", level="error", because=problem.strerror)

    async def run(self) -> None:
        """Start another one whenever none answers. What the lost one was armed for is its business."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._reap()
            self._replace_outdated()
            if self._config.guard.mode != "spawn" or self._link.view().alive:
                continue
            if not _answers(Path(self._config.guard.socket)):  # gone, and not only slow to answer
                self._log("guard-started-again", level="warning")
                self.start()

    def _replace_outdated(self) -> None:
        """A guard that was told other settings than are configured now: another one, once it is disarmed."""
        told = self._link.details()
        pid = told.get("pid", 0)
        if not pid or told["settings"] == self._fingerprint or told["epoch"] is not None:
            return
        if pid != self._asked_to_end:
            self._asked_to_end = pid
            self._log("guard-has-old-settings", level="warning", pid=pid, remedy="none: it is replaced")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    async def end(self) -> None:
        """End it with a daemon that has released; armed, it ignores being asked to."""
        pid = self._link.details().get("pid", 0)
        if self._config.guard.mode != "spawn" or not pid:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            deadline = asyncio.get_running_loop().time() + END_LIMIT_S
            while asyncio.get_running_loop().time() < deadline:
                self._reap()
                os.kill(pid, 0)
                await asyncio.sleep(0.01)
            self._log("guard-stays", level="warning", pid=pid)

    def _reap(self) -> None:
        for pid in tuple(self._children):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) != (0, 0):
                    self._children.discard(pid)


def _answers(path: Path) -> bool:
    """Whether a guard listens there already (it outlived the daemon before this one)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.setblocking(False)  # a stopped guard's queue may be full
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True
