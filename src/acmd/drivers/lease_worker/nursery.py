"""The nursery forks workers; each serves one socket. See the package's docstring."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import time
from typing import Any

from acmd.core import board
from acmd.core.calls import Call, Fault, Kind, StorageFault, steps_of
from acmd.drivers.lease_worker.directory import Directory
from acmd.drivers.lease_worker.marker import WriteMarker

IDLE_S = 60.0
"""After so long without a write the descriptor that is kept for writing is closed."""
FOR_WRITING = b"w"
"""Sent along with the socket of a worker that renewals go to; any other byte for the rest."""


def _now() -> list[int]:
    return [time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)]


class Worker:
    """Serves one socket: a request a line, an answer a line, the end at end-of-file.

    Request: `["call", number, kind, epoch, raw, attempt, inode, sequence]` or
    `["job", number, name, arguments]`.
    Answer: `[number, began, ended, fault or null, detail, value]`, times on this host's clocks.
    """

    def __init__(
        self, connection: socket.socket, directory: Directory, run_dir: str, idle_s: float = IDLE_S
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._run_dir = run_dir
        self._idle_s = idle_s
        self._marker: WriteMarker | None = None

    def serve(self, for_writing: bool) -> None:
        """Until the daemon's end of the socket is closed.

        The marker's lock comes before the look whether the daemon still lives: either this worker
        sees that it is gone, or the daemon that adopts sees the lock.
        """
        if for_writing:
            self._open_marker()
        self._answer({"pid": os.getpid()})  # before any request is read: without it nothing was issued
        with self._connection.makefile("rb") as lines:
            while True:
                if self._directory.keeps and not select.select([self._connection], [], [], self._idle_s)[0]:
                    self._directory.let_go()
                line = lines.readline()
                if not line.endswith(b"\n") or self._daemon_is_gone():
                    return
                what, number, *arguments = json.loads(line)
                self._answer(self._execute(what, number, arguments))

    def _daemon_is_gone(self) -> bool:
        try:
            return self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False

    def _answer(self, answer: Any) -> None:
        line = json.dumps(answer, separators=(",", ":"), default=lambda data: data.decode("latin-1"))
        try:
            self._connection.sendall(line.encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # the daemon is gone: the next read says so too

    def _execute(self, what: str, number: int, arguments: list[Any]) -> list[Any]:
        began = _now()
        try:
            if what == "job":
                name, values = arguments
                steps = board.steps_of_job(name, values)
                began = _now()
                value = self._directory.run(steps)
            else:
                kind, epoch, raw, *rest = arguments
                call = Call(number, Kind(kind), epoch, raw.encode("latin-1"), *rest)
                marker = self._mark_issued(call)
                began = _now()
                try:
                    value = self._directory.run(steps_of(call))
                finally:
                    if marker is not None:
                        marker.returned(epoch, call.sequence)
        except StorageFault as failure:
            return [number, began, _now(), failure.fault.value, failure.detail, None]
        except Exception as error:  # a bug: the daemon logs it, and this worker ends
            self._answer([number, began, _now(), Fault.OTHER.value, f"the worker failed: {error!r}", None])
            raise
        return [number, began, _now(), None, "", value]

    def _mark_issued(self, call: Call) -> WriteMarker | None:
        """Renewals alone: a release comes after the epoch was erased, a claim before it is kept."""
        if call.kind is not Kind.WRITE or not self._run_dir:
            return None
        if self._marker is None:
            self._open_marker()
        if self._marker is None:
            raise StorageFault(Fault.LOCAL, f"write.json in {self._run_dir} cannot be opened")
        try:
            self._marker.issued(call.epoch, call.sequence)
        except OSError as error:
            raise StorageFault(Fault.LOCAL, f"write.json in {self._run_dir}: {error.strerror}") from None
        return self._marker

    def _open_marker(self) -> None:
        if self._run_dir:
            try:
                self._marker = WriteMarker(self._run_dir)
            except OSError:
                self._marker = None  # said when a renewal is asked for


def _become_worker(connection: socket.socket, for_writing: bool, path: str, node: str, run_dir: str) -> None:
    with open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write("acmd-storage")
    Worker(connection, Directory(path, node), run_dir).serve(for_writing)


def main(arguments: list[str]) -> None:
    """The nursery: `main([control descriptor, cluster directory, node, run directory or ""])`."""
    control = socket.socket(fileno=int(arguments[0]))
    os.umask(0o027)
    # Whoever stops the daemon must not cut a write short: end-of-file ends us, and SIGKILL.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    gc.collect()
    gc.freeze()  # keeps pages shared with the workers
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            return
        connection = socket.socket(fileno=descriptors[0])
        try:
            child = os.fork()
        except OSError:
            child = -1  # no process to be had: the closed socket tells the daemon so
        if child == 0:
            control.close()
            _become_worker(connection, message == FOR_WRITING, *arguments[1:])
            os._exit(0)
        connection.close()
