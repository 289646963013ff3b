"""`daemon.mishaps`: what nobody expected becomes events, and a stuck standard error holds nobody up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import acmd

LIMIT_S = 30
FULL = 1 << 20
PROCESS = """
import asyncio, json, logging, os, sys, threading, warnings
from acmd.daemon.mishaps import hear
from acmd.log import Logger

class Unfinished:
    def __del__(self):
        raise ValueError("in a destructor")

def fail(*_):
    raise ValueError("in a callback")

async def task():
    raise ValueError("in a task")

async def main():
    log = Logger(target="stderr")
    log.tap = lambda event, level, fields: print(json.dumps([event, level, fields]), flush=True)
    hear(log)
    loop = asyncio.get_running_loop()
    loop.call_soon(fail)
    future = loop.create_future()
    future.add_done_callback(fail)
    future.set_result(1)
    unseen = loop.create_task(task())
    await asyncio.wait((unseen,))
    del unseen
    thread = threading.Thread(target=fail, name="helper")
    thread.start()
    await asyncio.to_thread(thread.join)
    Unfinished()
    warnings.warn("old", UserWarning)
    logging.getLogger("asyncio").warning("socket.send() raised exception.")
    loop.call_exception_handler(
        {"message": "a client went", "exception": BrokenPipeError(), "transport": object()}
    )
    await asyncio.sleep(0.1)  # each is told by the loop, in its next turn
    log("leaving", how="done")
    log.close(0.1)

asyncio.run(main())
raise RuntimeError("the end")
"""


def run(stderr: int) -> tuple[int, list[tuple[str, str, dict[str, str]]]]:
    """The process's exit code, and the events that it logged."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROCESS],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={"PYTHONPATH": str(Path(acmd.__file__).parent.parent), "PATH": os.environ["PATH"]},
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_a_stuck_standard_error() -> None:
    """Each mishap is one event that says where; all goes on, and the process ends although nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * FULL)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    try:
        code, events = run(writer)
    finally:
        os.close(writer)
        os.close(reader)
    assert code == 1
    assert events[-1] == ("leaving", "info", {"how": "done"})
    assert {(event, level) for event, level, _ in events[:-1]} == {("unexpected-error", "error")}
    told = [(fields["part"], fields["error"]) for _, _, fields in events[:-1]]
    assert sorted(error for _, error in told) == [
        "UserWarning: old",
        *["ValueError('in a callback')"] * 3,
        "ValueError('in a destructor')",
        "ValueError('in a task')",
        "socket.send() raised exception.",
    ]
    assert ("helper", "ValueError('in a callback')") in told
    assert all(".py:" in fields["at"] or "<string>:" in fields["at"] for _, _, fields in events[:-1])


def test_what_ends_the_process_is_said(tmp_path: Path) -> None:
    """Where standard error takes it, the last traceback is there, and none of the mishaps'."""
    said = tmp_path / "said"
    with said.open("wb") as file:
        code, _ = run(file.fileno())
    text = said.read_text()
    assert code == 1
    assert text.count("Traceback") == 1
    assert text.rstrip().endswith("RuntimeError: the end")
    assert "unexpected-error part=" in text
