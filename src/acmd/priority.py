"""Priority where the kernel shares the processor between sessions (sched(7), autogroup).

There a nice value counts within its session only, and each unit of systemd is a session. So the daemon gives
its own session the value that it has itself, and those of its loader and its workers, which do not inherit it
(`CPUSchedulingResetOnFork=`). Services get sessions of their own and none of this.
"""

from __future__ import annotations

import contextlib
import os


def for_session_of(process: int | str = "self") -> None:
    """Give a process's session this process's nice value, if that was raised. Where it cannot: nothing."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice < 0:
        with contextlib.suppress(OSError), open(f"/proc/{process}/autogroup", "w", encoding="ascii") as file:
            file.write(str(nice))
