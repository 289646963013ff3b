"""The helper that writes the release for a daemon that died for good, so that the peer need not wait."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

FREE_NS = 900_000_000  # the daemon's lock must have been free for so long: one that is started again takes it
LOOK_NS = 100_000_000  # between two looks at it
STARTS_LIMIT = 3  # for one epoch
LIMIT_NS = 120_000_000_000  # it ends by itself before W; this is for one that hangs
NICE = -10  # as the daemon


class Helper:
    """A configured command, started for an epoch that the switch has spent and no daemon looks after.

    It must take the daemon's lock itself and hold it to its end; the look at the lock from here
    only spares a start. Exit code 0 says: the epoch is erased and `released` was written. One that
    fails is started again, a few times; one that does not end within `limit_ns` is killed.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        lock: str,
        socket_path: str,
        poll: select.epoll,
        limit_ns: int = LIMIT_NS,
    ) -> None:
        self.fault = ""
        self.handle = -1  # a pidfd while it runs
        self._command, self._lock, self._socket_path = command, lock, socket_path
        self._limit_ns, self._poll = limit_ns, poll
        self._pid = 0
        self._began_ns = 0
        self._epoch = -1
        self._starts = 0
        self._free_since_ns: int | None = None
        self._looked_ns = 0

    def consider(self, epoch: int | None, spent: bool) -> int | None:
        """Start or end it if that is due. Returns when to come back at the latest; None: whenever.

        `epoch`: armed for, with a gate that is not open; None: not so. `spent`: all gone behind a shut gate.
        """
        now_ns = time.monotonic_ns()
        if self.handle != -1:
            if now_ns - self._began_ns > self._limit_ns:
                signal.pidfd_send_signal(self.handle, signal.SIGKILL)
                return None
            return self._limit_ns - (now_ns - self._began_ns) + 1
        if epoch is None or not self._command:
            self._free_since_ns, self.fault = None, ""
            return None
        if epoch != self._epoch:
            self._epoch, self._starts = epoch, 0
        if self._starts >= STARTS_LIMIT:
            return None
        if now_ns - self._looked_ns >= LOOK_NS:
            self._looked_ns = now_ns
            if is_locked(self._lock):
                self._free_since_ns = None
            elif self._free_since_ns is None:
                self._free_since_ns = now_ns
        if spent and self._free_since_ns is not None and now_ns - self._free_since_ns >= FREE_NS:
            self._start(epoch, now_ns)
        return LOOK_NS

    def _start(self, epoch: int, now_ns: int) -> None:
        self._starts += 1
        self._free_since_ns = None
        environment = {**os.environ, "ACMD_EPOCH": str(epoch), "ACMD_GUARD_SOCKET": self._socket_path}
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environment.pop(name, None)  # it must not speak to PID 1 in the guard's place
        try:
            self._pid = os.posix_spawn(
                self._command[0], self._command, environment, setsigdef=(signal.SIGHUP, signal.SIGPIPE)
            )
        except OSError as problem:
            self.fault = f"the helper cannot be started: {problem}"
            return
        with contextlib.suppress(OSError):  # not permitted: then it is as quick as any other
            os.setpriority(os.PRIO_PROCESS, self._pid, NICE)
        self._began_ns = now_ns
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
