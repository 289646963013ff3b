"""The helper that writes the release for a daemon that died for good, so that the peer need not wait."""

from __future__ import annotations

import os
import select
import time

PAUSE_NS = 1_000_000_000  # between two looks at the daemon's lock, and before the first


class Helper:
    """A configured command, started at most once for each epoch that the switch has spent.

    It must take the daemon's lock itself and hold it to its end; the look at the lock from here
    only spares a start. Exit code 0 says: the epoch is erased and `released` was written.
    """

    def __init__(self, command: tuple[str, ...], lock: str, socket_path: str, poll: select.epoll) -> None:
        self.fault = ""
        self.handle = -1  # a pidfd while it runs
        self._command, self._lock, self._socket_path, self._poll = command, lock, socket_path, poll
        self._pid = 0
        self._epoch: int | None = None
        self._spent_since_ns: int | None = None

    def consider(self, spent_epoch: int | None) -> None:
        """`spent_epoch`: armed still, gate shut, everything gone and drained; None: not so."""
        now_ns = time.monotonic_ns()
        if spent_epoch is None or not self._command:
            self._spent_since_ns = None
            return
        if self._spent_since_ns is None:
            self._spent_since_ns = now_ns
        if self.handle != -1 or self._epoch == spent_epoch or now_ns - self._spent_since_ns < PAUSE_NS:
            return
        self._spent_since_ns = now_ns
        if is_locked(self._lock):
            return
        self._epoch = spent_epoch
        environment = {
            **os.environ,
            "ACMD_EPOCH": str(spent_epoch),
            "ACMD_GUARD_SOCKET": self._socket_path,
        }
        environment.pop("NOTIFY_SOCKET", None)
        try:
            self._pid = os.posix_spawn(self._command[0], self._command, environment)
        except OSError as problem:
            self.fault = f"the helper cannot be started: {problem}"
            return
        self.handle = os.pidfd_open(self._pid)
        self._poll.register(self.handle, select.EPOLLIN)

    def ended(self) -> int | None:
        """Its pidfd became readable. The epoch that it released, or None when it failed."""
        _, status = os.waitpid(self._pid, 0)
        os.close(self.handle)
        self.handle = -1
        if status == 0:
            self.fault = ""
            return self._epoch
        self.fault = f"the helper for epoch {self._epoch} ended with {os.waitstatus_to_exitcode(status)}"
        return None


def is_locked(path: str) -> bool:
    """Whether anybody holds a lock on the file, told without taking it: a daemon may just be starting."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    with open("/proc/locks", encoding="ascii") as file:
        return any(name in line.split() for line in file if "->" not in line)
