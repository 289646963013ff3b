"""Worker processes that can be abandoned, and the nursery that forks them, from the daemon's side."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import acmd
from acmd.core.calls import Fault
from acmd.core.timing import Instant
from acmd.ports import Clock
from acmd.priority import for_session_of

LOOKING, WRITING, RELEASING, BOARD = "looking", "writing", "releasing", "board"
ABANDONED_LIMIT = {LOOKING: 4, WRITING: 2, RELEASING: 1, BOARD: 1}
"""Workers that may hang at a time, for each class: together 8, and no class can starve another."""

_LAST_WORDS_S = 0.5
_RECEIVE = 65_536  # more would be mapped and unmapped for each answer
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from acmd.drivers.lease_worker.nursery import main; main(sys.argv[2:])"
)
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG")


class Answer(NamedTuple):
    """What became of a request. `fault` as in `Outcome`; `value` as it came over the socket."""

    began: Instant
    ended: Instant
    fault: Fault | None
    detail: str
    value: Any = None
    late: bool = False


Then = Callable[[Answer], None]


@dataclass(slots=True, eq=False)
class _Worker:
    kind: str
    connection: socket.socket
    issued: Instant
    pid: int = 0  # once it said so: from then on it may have executed what it was given
    received: bytearray = field(default_factory=bytearray)
    then: Then | None = None  # None: idle
    timer: asyncio.TimerHandle | None = None
    abandoned: bool = False


class Workers:
    """At most one request of a class is in flight; each is answered within its limit, whatever happens."""

    def __init__(self, directory: Path, node: str, clock: Clock, run_dir: Path | None) -> None:
        self._arguments = [str(directory), node, str(run_dir or "")]
        self._clock = clock
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._current: dict[str, _Worker] = {}  # the one of each class that takes requests
        self._all: set[_Worker] = set()
        self._hanging = dict.fromkeys(ABANDONED_LIMIT, 0)
        self._none_left = asyncio.Event()
        self._closed = False

    def start(self) -> None:
        """Start the nursery, which `ask` would otherwise do. Raises OSError when there is no process."""
        ours, theirs = socket.socketpair()
        arguments = [str(Path(acmd.__file__).parent.parent), str(theirs.fileno()), *self._arguments]
        with theirs:
            self._nursery = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a worker that hangs must not hold what the daemon writes to
                cwd="/",
                env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # a terminal's ^C is not for workers
            )
        for_session_of(self._nursery.pid)
        ours.setblocking(False)
        self._control = ours

    def hanging(self) -> int:
        """Workers given up that have not returned yet."""
        return sum(self._hanging.values())

    def pids(self) -> tuple[int, ...]:
        """All that live and have said so, and the nursery's: for measuring, and for tests."""
        nursery = (self._nursery.pid,) if self._nursery is not None else ()
        return nursery + tuple(worker.pid for worker in self._all if worker.pid)

    def ask(self, kind: str, request: list[Any], limit_s: float, then: Then) -> None:
        """Hand the request to the worker of that class; `then` is called within `limit_s`, or at once.

        After TIMEOUT it is called once more, with `late` set, when the worker answers after all, or dies.
        BUSY and LOCAL mean that nothing was issued.
        """
        now = self._clock.now()
        worker = self._current.get(kind)
        if worker is not None and worker.then is not None:
            return then(Answer(now, now, Fault.BUSY, f"another call is in flight: {kind}"))
        if worker is None and self._hanging[kind] >= ABANDONED_LIMIT[kind]:
            return then(Answer(now, now, Fault.BUSY, f"{self._hanging[kind]} workers hang: {kind}"))
        if self._closed:
            return then(Answer(now, now, Fault.LOCAL, "the store is closed"))
        try:
            worker = self._send(kind, json.dumps(request).encode() + b"\n")
        except OSError as error:
            return then(Answer(now, now, Fault.LOCAL, f"no worker process: {error.strerror}"))
        worker.issued, worker.then = now, then
        worker.timer = asyncio.get_running_loop().call_later(limit_s, self._abandon, worker)
        return None

    async def close(self) -> None:
        """End all workers: the idle at once, the busy after half a second, by SIGKILL.

        What sleeps uninterruptibly cannot be ended and is left to the kernel.
        """
        self._closed = True
        for worker in self._all:
            with contextlib.suppress(OSError):
                worker.connection.shutdown(socket.SHUT_WR)
        await self._last_words()
        for worker in self._all:
            if worker.pid:  # its socket is open, so it lives and the number is its own
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
        await self._last_words()
        for worker in tuple(self._all):
            self._end_request(worker)
            self._forget(worker)
        if self._nursery is not None and self._control is not None:
            self._control.close()
            await asyncio.to_thread(self._nursery.wait)
            self._nursery = self._control = None

    async def _last_words(self) -> None:
        if self._all:
            self._none_left.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), _LAST_WORDS_S)

    # -- processes ----------------------------------------------------------------------------

    def _send(self, kind: str, line: bytes) -> _Worker:
        """An idle worker may have died unnoticed: the second one is new."""
        for attempt in (1, 2):
            worker = self._current.get(kind) or self._new_worker(kind)
            try:
                worker.connection.sendall(line)
            except OSError:
                self._lost(worker)
                if attempt == 2:
                    raise
            else:
                return worker
        raise AssertionError("not reached")

    def _new_worker(self, kind: str) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._send_to_nursery(b"w" if kind == WRITING else b"-", theirs.fileno())
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        worker = _Worker(kind, ours, self._clock.now())
        self._current[kind] = worker
        self._all.add(worker)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._readable, worker)
        return worker

    def _send_to_nursery(self, message: bytes, descriptor: int) -> None:
        """The nursery may have died unnoticed: its workers live on, and a new one takes its place."""
        for attempt in (1, 2):
            if self._control is None:
                self.start()
            try:
                socket.send_fds(self._control, [message], [descriptor])  # type: ignore[arg-type]
            except OSError:
                self._end_nursery()
                if attempt == 2:
                    raise
            else:
                return

    def _end_nursery(self) -> None:
        if self._nursery is not None and self._control is not None:
            self._control.close()
            self._nursery.kill()
            self._nursery.wait()
        self._nursery = self._control = None

    # -- answers ------------------------------------------------------------------------------

    def _readable(self, worker: _Worker) -> None:
        try:
            piece = worker.connection.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._lost(worker)
            return
        worker.received += piece
        while (end := worker.received.find(b"\n")) != -1:
            line = json.loads(worker.received[:end])
            del worker.received[: end + 1]
            if isinstance(line, dict):
                worker.pid = line["pid"]
            else:
                self._answered(worker, line)

    def _answered(self, worker: _Worker, line: list[Any]) -> None:
        _, began, ended, fault, detail, value = line
        then = self._end_request(worker)
        if worker.abandoned:
            self._forget(worker)  # its place is taken: end-of-file ends it
        if then is not None:
            known = Fault(fault) if fault else None
            then(Answer(Instant(*began), Instant(*ended), known, detail, value, worker.abandoned))

    def _abandon(self, worker: _Worker) -> None:
        worker.abandoned = True
        del self._current[worker.kind]
        self._hanging[worker.kind] += 1
        if worker.then is not None:
            detail = "no answer within the limit; its worker was given up"
            worker.then(Answer(worker.issued, self._clock.now(), Fault.TIMEOUT, detail))

    def _lost(self, worker: _Worker) -> None:
        """Its end is closed. Before its first word nothing was issued; after it, nobody knows."""
        then = self._end_request(worker)
        self._forget(worker)
        if then is None or (worker.abandoned and self._closed):
            return  # it was idle, or we ended it
        fault = Fault.WORKER_LOST if worker.pid else Fault.LOCAL
        detail = f"worker {worker.pid} died" if worker.pid else "no worker process could be forked"
        then(Answer(worker.issued, self._clock.now(), fault, detail, late=worker.abandoned))

    @staticmethod
    def _end_request(worker: _Worker) -> Then | None:
        if worker.timer is not None:
            worker.timer.cancel()
        then = worker.then
        worker.then = worker.timer = None
        return then

    def _forget(self, worker: _Worker) -> None:
        asyncio.get_running_loop().remove_reader(worker.connection.fileno())
        worker.connection.close()
        self._all.discard(worker)
        if worker.abandoned:
            self._hanging[worker.kind] -= 1
        elif self._current.get(worker.kind) is worker:
            del self._current[worker.kind]
        if not self._all:
            self._none_left.set()
