"""Who is at the other end: users' names, looked up beside the loop: a directory service may hang."""

from __future__ import annotations

import asyncio
import contextlib
import pwd
import threading

LIMIT_S = 1.0
KEPT = 256


class People:
    """Names that were found are kept. At most one search is under way; meanwhile a user is a number."""

    def __init__(self) -> None:
        self._names = {0: "root"}
        self._found = asyncio.Event()
        self._searching = False

    async def name(self, uid: int) -> str:
        """The user's name, or `uid 1000`. Ends within a second."""
        if uid not in self._names and not self._searching:
            self._searching = True
            self._found.clear()
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._search, args=(uid, loop), name="people", daemon=True).start()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LIMIT_S):
                    await self._found.wait()
        return self._names.get(uid, f"uid {uid}")

    def _search(self, uid: int, loop: asyncio.AbstractEventLoop) -> None:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = f"uid {uid}"
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._keep, uid, name)

    def _keep(self, uid: int, name: str) -> None:
        if len(self._names) >= KEPT:
            self._names = {0: "root"}
        self._names[uid] = name
        self._searching = False
        self._found.set()
