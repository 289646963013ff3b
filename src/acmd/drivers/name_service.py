"""Which numbers users and groups have here, asked of `getent`: a name service that hangs holds up nobody.

A group is written as chown writes it, `:name`, so that one list holds both.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator

KINDS = ("passwd", "group")


def questions(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The commands that find them; what they print is for `numbers_in`."""
    asked = sorted(set(names))
    for kind in KINDS:
        own = [name.removeprefix(":") for name in asked if name.startswith(":") is (kind == "group")]
        if own:
            yield ("getent", kind, "--", *own)


def numbers_in(command: tuple[str, ...], printed: str) -> dict[str, str]:
    """`uid:gid` by user, or `:gid` by `:group`; only those that there are."""
    rows = [row for row in (line.split(":") for line in printed.splitlines()) if len(row) > 3]
    if command[1] == "group":
        return {f":{row[0]}": f":{row[2]}" for row in rows}
    return {row[0]: f"{row[2]}:{row[3]}" for row in rows}


async def numbers(names: Iterable[str], limit_s: float) -> dict[str, str] | None:
    """Those of these names, or None when the name service does not answer in time."""
    found: dict[str, str] = {}
    for command in questions(names):
        printed = await _printed(command, limit_s)
        if printed is None:
            return None
        found |= numbers_in(command, printed)
    return found


async def _printed(command: tuple[str, ...], limit_s: float) -> str | None:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C"},
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
    return output.decode("utf-8", "replace")
