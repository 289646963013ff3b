"""The daemon's link to the dead man's switch: requests go out, views come in, nothing waits.

The guard answers each request with its whole view and pushes each change of it. The link asks by
itself when nothing was heard for a third of its limit, and connects again when the guard went away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from acmd.core.observation import Gate, GuardView
from acmd.core.timing import Instant, elapsed_for_holder_ns
from acmd.ports import Clock, LocalFailure

GUARD = Path(__file__).parents[1] / "guard"
_PACKET_LIMIT = 65536


class GuardLink:
    """Implements `ports.Guard`. `limit_ns` without an answer means that the guard is not alive.

    `deadlines_ns` are R, K, the reset and D as this node has them: a guard that would act later, or
    sooner, is none. None: whatever it has. Likewise one that does not watch all of `watched`.
    """

    def __init__(
        self,
        path: str,
        clock: Clock,
        limit_ns: int,
        deadlines_ns: tuple[int, int, int, int] | None = None,
        watched: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.changed = asyncio.Event()
        self._deadlines_ns, self._watched = deadlines_ns, watched or {}
        self._fits = True
        self._path, self._clock, self._limit_ns = path, clock, limit_ns
        self._socket: socket.socket | None = None
        self._heard: Instant | None = None
        self._view = GuardView()
        self._details: dict[str, Any] = {}
        self._requests = 0
        self._refused = ""
        self._task: asyncio.Task[None] | None = None

    # -- ports.Guard ------------------------------------------------------------------------------

    def view(self) -> GuardView:
        """What it last said; `alive` False once it has not answered for the limit, or hung up."""
        return self._view if self._alive() else self._view._replace(alive=False)

    def arm(self, epoch: int, issued: Instant) -> None:
        """Arm or move the deadline. Raises LocalFailure when it cannot be sent."""
        self._ask(do="arm", epoch=epoch, issued=list(issued))

    def close_gate(self, epoch: int) -> None:
        """Gate to closing. Raises LocalFailure."""
        self._ask(do="close", epoch=epoch)

    def shut_gate(self, epoch: int) -> None:
        """Straight to K. Raises LocalFailure."""
        self._ask(do="shut", epoch=epoch)

    def disarm(self, epoch: int, detached: bool) -> None:
        """Disarm. Raises LocalFailure."""
        self._ask(do="disarm", epoch=epoch, detached=detached)

    # -- for status and the daemon ----------------------------------------------------------------

    def details(self) -> dict[str, Any]:
        """The last view as the guard sent it: deadlines, last resort, watchdog, notes. Empty before."""
        return dict(self._details)

    def refusal(self) -> str:
        """Why the last refused request was refused, for people; a later success clears it."""
        return self._refused

    def open(self) -> None:
        """Connect now if the guard is there, and keep the link alive from here on."""
        self._connect()
        self._task = asyncio.create_task(self._keep_up(), name="guard-link")

    async def close(self) -> None:
        """Hang up. The guard goes on."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._hang_up()

    # -- the link ---------------------------------------------------------------------------------

    def _alive(self) -> bool:
        if self._socket is None or self._heard is None or not self._fits:
            return False
        return elapsed_for_holder_ns(self._heard, self._clock.now()) < self._limit_ns

    async def _keep_up(self) -> None:
        """Reconnect, ask when it is quiet, and tell when the guard stops answering."""
        was_alive = False
        while True:
            if self._socket is None:
                self._connect()
            elif self._quiet():
                with contextlib.suppress(LocalFailure):
                    self._ask(do="view")
            alive = self._alive()
            if alive != was_alive:
                was_alive = alive
                self.changed.set()
            await asyncio.sleep(self._limit_ns / 6e9)

    def _quiet(self) -> bool:
        return (
            self._heard is None
            or elapsed_for_holder_ns(self._heard, self._clock.now()) >= self._limit_ns // 3
        )

    def _connect(self) -> None:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.setblocking(False)
        try:
            link.connect(self._path)
        except OSError:
            link.close()  # not there yet: tried again; `alive` says so meanwhile
            return
        self._socket = link
        asyncio.get_running_loop().add_reader(link, self._readable)

    def _readable(self) -> None:
        while self._socket is not None:
            try:
                packet = self._socket.recv(_PACKET_LIMIT)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if packet:
                self._take(packet)
            else:
                self._hang_up()
                self.changed.set()

    def _take(self, packet: bytes) -> None:
        """A view that makes no sense is not believed: the link counts as broken."""
        try:
            wire = json.loads(packet)
            view = GuardView(
                alive=True,
                epoch=wire["epoch"],
                issued=Instant(*wire["issued"]) if wire["issued"] is not None else None,
                gate=Gate(wire["gate"]),
                clean=wire["clean"] is True,
                watchdog_ok=wire["watchdog_ok"] is True,
                ended=int(wire["ended"]),
            )
            fits = self._deadlines_ns in {None, tuple(wire["limits"])} and all(
                set(wanted) <= set(wire["watched"][key]) for key, wanted in self._watched.items()
            )
        except (ValueError, KeyError, TypeError):
            self._hang_up()
            self.changed.set()
            return
        self._heard = self._clock.now()
        self._details = wire
        if "id" in wire:
            self._refused = str(wire.get("refused", ""))
        if view != self._view or fits != self._fits:
            self._view, self._fits = view, fits
            self.changed.set()

    def _hang_up(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            self._heard = None  # what the one before said is not what the next one is

    def _ask(self, **request: Any) -> None:
        if self._socket is None:
            self._connect()
        if self._socket is None:
            raise LocalFailure(f"the guard does not listen at {self._path}", "is acmd-guard running?")
        self._requests += 1
        try:
            self._socket.send(json.dumps({**request, "id": self._requests}).encode())
        except OSError as problem:
            self._hang_up()
            self.changed.set()
            raise LocalFailure(
                f"the guard at {self._path} takes no request: {problem.strerror}", "is acmd-guard running?"
            ) from None


def spawn_guard(arguments: Sequence[str], log: str = os.devnull) -> int:
    """Start a guard outside PID 1's care, in a session of its own; its pid. Raises OSError.

    Only with last_resort none: any other is refused by the guard itself. It is ended by SIGTERM,
    once disarmed; the caller reaps it.
    """
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", str(GUARD), *arguments],
        {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP),
    )
