"""What the guard needs of the kernel beyond the standard library, through libc, all of it optional.

Locked memory, real-time priority and protection from the OOM killer are taken where permitted;
what could not be had is said in the view. The clock pair and a timer that a suspend does not delay.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
CLOCK_BOOTTIME = 7
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def now() -> tuple[int, int]:
    """CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW, in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def boot_id() -> str:
    """Changes with each boot of this host. Raises OSError."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def syncfs(handle: int) -> None:
    """Write out the file system that a descriptor lies on. Blocks. Raises OSError."""
    if _libc.syncfs(handle) != 0:
        raise _failure()


def lock_memory() -> str:
    """Lock all pages, now and later, each when it is first touched. "" or why not."""
    if _libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0:
        return ""
    return f"memory is not locked: {_failure().strerror}"


def real_time() -> str:
    """The lowest real-time priority, not inherited by workers. "" or why not."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError as problem:
        return f"no real-time priority: {problem.strerror}"
    return ""


def out_of_oom_reach() -> str:
    """Tell the OOM killer to spare this process. "" or why not."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("-1000")
    except OSError as problem:
        return f"within the OOM killer's reach: {problem.strerror}"
    return ""


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Timer:
    """A timer on CLOCK_BOOTTIME: after a suspend it fires at once when its time has passed."""

    def __init__(self) -> None:
        self.handle: int = _libc.timerfd_create(CLOCK_BOOTTIME, _TFD_FLAGS)
        if self.handle < 0:
            raise _failure()

    def set(self, wait_ns: int) -> None:
        """Fire once in this time; zero and less mean at once."""
        wait_ns = max(wait_ns, 1)
        spec = _Itimerspec(0, 0, wait_ns // 1_000_000_000, wait_ns % 1_000_000_000)
        if _libc.timerfd_settime(self.handle, 0, ctypes.byref(spec), None) != 0:
            raise _failure()

    def clear(self) -> None:
        """Take note that it fired."""
        try:
            os.read(self.handle, 8)
        except OSError as problem:
            if problem.errno != errno.EAGAIN:
                raise


def reboot() -> None:
    """reboot(2), RB_AUTOBOOT: this host, or this container, goes down now and without a sync."""
    if _libc.reboot(0x01234567) != 0:
        raise _failure()
