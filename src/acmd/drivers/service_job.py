"""What PID 1 is about to do with the daemon's own unit: is this stop part of a restart?"""

from __future__ import annotations

import asyncio
import contextlib

LIMIT_S = 5.0  # renewals go on meanwhile, and a restart taken for a stop would end the services


async def is_restart(unit: str) -> bool:
    """True when systemd's queued job for this unit is a restart.

    `systemctl list-jobs` is asked, with a limit; whatever goes wrong counts as a plain stop, which
    releases the lease: the safe reading.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "systemctl",
            "list-jobs",
            "--no-legend",
            "--plain",
            unit,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(LIMIT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            await _end(process)
    lines = output.decode(errors="replace").splitlines()
    return any(words[1:3] == [unit, "restart"] for words in map(str.split, lines))


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGKILL, and a bounded wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            await process.wait()
