"""Runs a hook's command, and keeps the small file of what hooks were run for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from acmd import small_file
from acmd.child import Output, end

OUTPUT_LIMIT = 400
SAVE_LIMIT_S = 2.0
BASE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""All that a hook has beside the event: no NOTIFY_SOCKET, nothing of the daemon's own environment."""


async def run_hook(command: tuple[str, ...], environment: Mapping[str, str], limit_s: float) -> str:
    """Run it in a session of its own. "" when it ended with 0 in time, else what went wrong. Never raises.

    At the limit, and in any case once its first process has ended, all that is left in its session's
    process group is killed.
    """
    try:
        said = Output(OUTPUT_LIMIT)
    except OSError as problem:  # no descriptor is left
        return f"it cannot be started: {(problem.strerror or str(problem)).lower()}"
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said.writer,
            stderr=said.writer,
            cwd="/",
            env={**BASE, **environment},
            start_new_session=True,
        )
    except (OSError, ValueError) as problem:  # ValueError: what no environment can hold
        said.close()
        return f"it cannot be started: {(getattr(problem, 'strerror', None) or str(problem)).lower()}"
    try:
        async with asyncio.timeout(limit_s):
            await process.wait()
    except TimeoutError:
        return f"no end within {limit_s:g} s; killed"
    finally:
        await end(process)
        said.close()
    if process.returncode == 0:
        return ""
    return f"exit code {process.returncode}" + (f": {said.text}" if said.text else "")


class MarkFile:
    """`tasks.hooks.Marks`: one JSON object, replaced atomically, mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._next: tuple[bytes, list[Callable[[], None]]] | None = None  # and who waits for it
        self._saving = False

    def load(self) -> Mapping[str, Any]:
        """What was saved last, or {}."""
        return small_file.load(self._path)

    async def save(self, content: Mapping[str, Any]) -> None:
        """Replace it within SAVE_LIMIT_S; on a disk that is stuck or full the old content stays.

        While another save runs this content waits for it, in the place of any that waited before: each
        knows more than the one before, so the newest counts for all.
        """
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        with self._lock:
            waiting = self._next[1] if self._next is not None else []
            self._next = json.dumps(content).encode(), [*waiting, tell]
            begins = not self._saving
            self._saving = True
        if begins:
            threading.Thread(target=self._save_all, name="hook-marks", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAVE_LIMIT_S):
                await done.wait()

    def _save_all(self) -> None:
        """In its thread: until nothing newer waits."""
        while True:
            with self._lock:
                if self._next is None:
                    self._saving = False
                    return
                (data, waiting), self._next = self._next, None
            with contextlib.suppress(OSError):
                small_file.replace(self._path, data, durable=True)
            for tell in waiting:
                tell()
