"""The demo for real: real daemons, guards and services on this machine, without a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tree import ROOT

SHORT_LIMIT_S = 100
WHOLE_LIMIT_S = 120
CLEAN_UP_LIMIT_S = 15


def start(directory: Path, *words: str) -> subprocess.Popen[str]:
    environment = os.environ | {"TMPDIR": str(directory), "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-m", "acmd", "demo", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )


def processes_of(directory: Path) -> list[str]:
    """Command lines of living processes that name the demo's directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in words:
            found.append(words.replace(b"\0", b" ").decode())
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path: sockets have to fit into it."""
    import shutil
    import tempfile

    directory = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


def play(place: Path, *words: str, limit_s: float) -> str:
    demo = start(place, *words)
    try:
        out, _ = demo.communicate(timeout=limit_s)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 0, out
    assert "At no instant did two nodes answer." in out
    assert "Traceback" not in out
    assert not processes_of(place), out
    assert not list(place.iterdir()), out
    return out


def test_election_switchover_and_power_loss(place: Path) -> None:
    """Two nodes elect one, hand over and survive a kill -9 of everything; nothing is left behind."""
    out = play(place, "--short", limit_s=SHORT_LIMIT_S)
    assert re.search(r"planned switchover .* 1 → 2 ", out)
    assert re.search(r"power loss of the active .* 2 → 3 ", out)


@pytest.mark.long
def test_the_whole_demo(place: Path) -> None:
    """All scenes in under two minutes: also the storage stall, in which the active one stops by itself."""
    out = play(place, limit_s=WHOLE_LIMIT_S)
    assert re.search(r"storage of the active hangs .* → .* stopped itself after", out)
    assert re.search(r"it heals .* none ", out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_cleans_up_when_told_to_end(place: Path, number: signal.Signals) -> None:
    """^C and SIGTERM leave neither process nor file; even after kill -9 of the demo no process stays."""
    demo = start(place, "--plain")
    try:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "client  answers come from" in line:
                break
        assert len(processes_of(place)) >= 6  # two daemons, guards and machines at least
        os.kill(demo.pid, number)
        demo.stdout.read()
        demo.stdout.close()
        demo.wait(CLEAN_UP_LIMIT_S)
    finally:
        demo.kill()
        demo.wait()
    if number == signal.SIGKILL:
        until = time.monotonic() + CLEAN_UP_LIMIT_S
        while processes_of(place) and time.monotonic() < until:
            time.sleep(0.05)
    else:
        assert demo.returncode == 130
        assert not list(place.iterdir())
    assert not processes_of(place)
