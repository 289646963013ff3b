"""Runs a program to its end or to a limit, without ever blocking the loop.

Starting a program can block (its file may lie on storage that is gone) and so can its end (it may
wait in the kernel, where SIGKILL does not reach). Both happen in a thread that can be given up.
"""

from __future__ import annotations

import asyncio
import os
import select
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from acmd.descriptors import for_services

LONGEST_OUTPUT_BYTES = 262144
LOOK_S = 0.05  # how often a program's end is looked for where the kernel cannot tell (before Linux 5.3)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

KILL_SETTLE_S = 0.2
REFUSED = 124  # the exit code of a program that the gate did not let pass


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `code` is None when it was killed at its limit, negative for another signal."""

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def said(self) -> str:
        """All that it wrote, errors last."""
        return f"{self.out}\n{self.err}" if self.out and self.err else self.out or self.err


async def run_program(
    argv: tuple[str, ...],
    *,
    environment: Mapping[str, str],
    limit_s: float,
    cgroup: str = "",
    gate: tuple[str, ...] = (),
    keep_children: bool = False,
) -> Ended:
    """Run `argv` in a session of its own with nothing but `environment` (and PATH), from `/`.

    At the limit, and when cancelled, its process group is killed; when it ended by itself what is
    left of its group is killed too, unless `keep_children`. `cgroup` is the directory of a control
    group to run in; it must exist. `gate` is a command that exits with 0 while a start is allowed; it
    is asked after the group was joined: who closes the gate and then looks into the group sees the
    program, or the program sees the closed gate and becomes exit code 124.
    A program that cannot be started has the codes of a shell: 126, 127.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Ended] = loop.create_future()

    def deliver(ended: Ended) -> None:
        if not done.done():
            done.set_result(ended)

    if cgroup or gate:
        join = f"echo $$ > {shlex.quote(cgroup)}/cgroup.procs || exit 125; " if cgroup else ""
        ask = f"{shlex.join(gate)} || exit {REFUSED}; " if gate else ""
        own = f"ulimit -S -n {for_services()}; " if for_services() else ""  # what it starts may stay
        argv = ("/bin/sh", "-c", f'{own}{join}{ask}exec "$@"', "sh", *argv)
    running = _Running(argv, {"PATH": PATH, **environment}, keep_children)

    def work() -> None:
        ended = running.to_the_end()
        try:
            loop.call_soon_threadsafe(deliver, ended)
        except RuntimeError:
            return  # The loop was closed meanwhile: nobody waits any more.

    threading.Thread(target=work, name=f"run-{argv[0]}", daemon=True).start()
    try:
        async with asyncio.timeout(limit_s):
            return await done
    except TimeoutError:
        # Killed, and seen to have ended where the kernel lets it: else it would still count as living.
        running.kill()
        await asyncio.wait((done,), timeout=KILL_SETTLE_S)
        return Ended(None, running.text(0), running.text(1))
    finally:
        running.kill()


class _Running:
    """One program, started and waited for in a thread, killed from anywhere."""

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str], keep_children: bool) -> None:
        self._argv = argv
        self._environment = dict(environment)
        self._keep_children = keep_children
        self._lock = threading.Lock()  # a process id is used only while it is not reaped
        self._pid = 0
        self._unwanted = False
        self._output = (bytearray(), bytearray())

    def kill(self) -> None:
        """SIGKILL to its group; if it is just being started, as soon as it is. Nothing when it has ended."""
        with self._lock:
            self._unwanted = True
            self._signal_group()

    def _signal_group(self) -> None:
        if self._pid:
            try:
                os.killpg(self._pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def text(self, number: int) -> str:
        """What it wrote so far to its output (0) or errors (1), the end of it."""
        return bytes(self._output[number]).decode("utf-8", "replace")

    def to_the_end(self) -> Ended:
        """In the thread: start it and wait."""
        try:
            process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=self._environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            return Ended(127, err=f"{self._argv[0]}: {error.strerror}")
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return Ended(126, err=f"{self._argv[0]}: {error}")
        with self._lock:
            self._pid = process.pid
            if self._unwanted:
                self._signal_group()
        self._listen(process)
        with self._lock:
            if not self._keep_children:
                self._signal_group()
            code = process.wait()  # It has ended: this only reaps it.
            self._pid = 0
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return Ended(code, self.text(0), self.text(1))

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Take its output until it ended. Children may hold the pipes for longer."""
        pipes = {
            pipe.fileno(): number for number, pipe in enumerate((process.stdout, process.stderr)) if pipe
        }
        poll = select.poll()
        for descriptor in pipes:
            os.set_blocking(descriptor, False)
            poll.register(descriptor, select.POLLIN)
        try:
            end = os.pidfd_open(process.pid)
            poll.register(end, select.POLLIN)
        except OSError:
            end = -1
        try:
            while not _has_ended(process.pid):
                for descriptor, _ in poll.poll(None if end >= 0 else int(LOOK_S * 1000)):
                    if descriptor in pipes and not self._take(descriptor, pipes[descriptor]):
                        poll.unregister(descriptor)
                        if end < 0:
                            time.sleep(LOOK_S)
            for descriptor, number in pipes.items():
                while self._take(descriptor, number):
                    pass
        finally:
            if end >= 0:
                os.close(end)

    def _take(self, descriptor: int, number: int) -> bool:
        """One piece of output. False when there is none now, or never will be."""
        try:
            piece = os.read(descriptor, 65536)
        except BlockingIOError:
            return False
        output = self._output[number]
        output += piece
        del output[: max(0, len(output) - LONGEST_OUTPUT_BYTES)]
        return bool(piece)


def _has_ended(pid: int) -> bool:
    """Whether it has ended; it is left unreaped, so that its process id cannot be another's."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
