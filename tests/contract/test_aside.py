"""`drivers.aside`: what is read in a process that can be given up arrives, its faults too; nothing hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from acmd.core.calls import Fault, StorageFault
from acmd.drivers import aside
from acmd.errors import AcmdError
from tests.tree import ROOT

LIMIT_S = 5.0


def hang() -> None:
    """As a system call on dead storage does."""
    threading.Event().wait()


def test_values_arrive_one_by_one() -> None:
    """Whatever JSON holds, of any size, in their order; the process is another one."""
    big = "x" * 300_000

    def work() -> Iterator[Any]:
        yield {"pid": os.getpid()}
        yield big
        yield None

    first, *rest = aside.answers(work, LIMIT_S)
    assert first["pid"] != os.getpid()
    assert rest == [big, None]


def test_what_was_read_before_a_fault_counts() -> None:
    """Its StorageFault and its AcmdError are raised here, after the values."""

    def work(error: Exception) -> Iterator[int]:
        yield 1
        raise error

    found = aside.answers(lambda: work(StorageFault(Fault.STALE, "lease")), LIMIT_S)
    assert next(found) == 1
    with pytest.raises(StorageFault, match="stale: lease"):
        next(found)
    with pytest.raises(AcmdError) as caught:
        list(aside.answers(lambda: work(AcmdError("what", "remedy")), LIMIT_S))
    assert (caught.value.what, caught.value.remedy) == ("what", "remedy")


def test_a_mistake_is_a_mistake_here_too() -> None:
    """With the traceback of there."""

    def work() -> Iterator[int]:
        yield 1 // 0

    with pytest.raises(RuntimeError, match=r"(?s)in work.*ZeroDivisionError"):
        list(aside.answers(work, LIMIT_S))


def test_one_that_dies() -> None:
    """WORKER_LOST, at once."""

    def work() -> Iterator[int]:
        yield 1
        os._exit(1)

    with pytest.raises(StorageFault) as caught:
        list(aside.answers(work, LIMIT_S))
    assert caught.value.fault is Fault.WORKER_LOST


def test_one_that_hangs_is_given_up() -> None:
    """TIMEOUT at the limit, what came before it counts, and no process is left."""

    def work() -> Iterator[int]:
        yield os.getpid()
        hang()

    began = time.monotonic()
    found = aside.answers(work, 0.3)
    child = next(found)
    with pytest.raises(StorageFault) as caught:
        next(found)
    assert caught.value.fault is Fault.TIMEOUT
    assert time.monotonic() - began < 3
    if child in aside._hanging:
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert list(aside.answers(lambda: [1], LIMIT_S)) == [1]


def test_there_is_a_limit_on_those_that_hang() -> None:
    """BUSY, without another process; once they have ended all is well again."""
    stuck = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2)]
    aside._hanging.update(process.pid for process in stuck)
    with pytest.raises(StorageFault) as caught:
        aside.answers(lambda: [1], LIMIT_S)
    assert caught.value.fault is Fault.BUSY
    for process in stuck:
        process.communicate(b"\n")
    assert list(aside.answers(lambda: [1], LIMIT_S)) == [1]


def test_it_holds_nothing_that_the_command_writes_to() -> None:
    """A reader of the command's output sees its end although the process hangs on."""
    code = (
        "import os, threading\n"
        "from acmd.drivers import aside\n"
        "def work():\n"
        "    yield os.getpid(), os.getsid(0) == os.getpid()\n"
        "    threading.Event().wait()\n"
        "print(*next(aside.answers(work, 5)), flush=True)\n"
        "os._exit(0)\n"  # as killed: nobody ends the process
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    child, own_session = done.stdout.split()
    os.kill(int(child), 9)
    assert (own_session, done.stderr) == ("True", "")
