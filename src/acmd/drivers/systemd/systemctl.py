"""The fallback while D-Bus is gone: root's `systemctl` speaks to PID 1 over a socket of their own.

Used to look, to stop and to kill, never to start: giving up must work while the bus is down, and
whoever starts must hear of what becomes of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

from acmd.drivers.systemd import users
from acmd.drivers.systemd.state import SHOWN, UnitState, from_show

SHOW_LIMIT_S = 1.0
ORDER_LIMIT_S = 2.0
USERS_LIMIT_S = 5.0


async def show(unit: str) -> UnitState | None:
    """What `systemctl show` says, or None when it does not answer in time or makes no sense."""
    output = await _run(SHOW_LIMIT_S, "show", f"--property={','.join(SHOWN)}", "--", unit)
    return None if output is None else from_show(output)


async def users_of(units: tuple[str, ...]) -> tuple[str, ...] | None:
    """Users and groups (as `:name`) that these units name; None when nobody answers in time."""
    output = await _run(USERS_LIMIT_S, "show", f"--property={','.join(users.SHOWN)}", "--", *units)
    return None if output is None else users.named_in(output)


async def stop(unit: str, limit_s: float) -> bool:
    """`systemctl stop`, waiting for the job. True when it ended with success."""
    return await _run(limit_s, "stop", "--", unit) is not None


async def kill(unit: str) -> None:
    """Queue a stop, so that nothing is started again, and SIGKILL to all of it."""
    await _run(ORDER_LIMIT_S, "stop", "--no-block", "--", unit)
    await _run(ORDER_LIMIT_S, "kill", "--signal=KILL", "--", unit)


async def _run(limit_s: float, *words: str) -> str | None:
    # Without the bus's address systemctl goes the direct way, as root does where the socket is.
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C"}
    try:
        process = await asyncio.create_subprocess_exec(
            "systemctl",
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(limit_s):
            output, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return output.decode("utf-8", "replace") if process.returncode == 0 else None
