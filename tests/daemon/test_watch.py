"""`acmd status --watch`: goes on whatever happens to the daemon, in a terminal and piped."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.kit import ENVIRONMENT, Node, cluster, wait

STANDARD = '[timing]\nprofile = "standard"'


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """One that is active."""
    with cluster(tmp_path, STANDARD) as made:
        found = made.node("a")
        found.start()
        wait(lambda: found.role() == "active", 40, "it is active")
        yield found


def command(node: Node, *options: str) -> list[str]:
    """The command line, with an interrupt that is heard also where the test run itself ignores it."""
    line = [sys.executable, "-P", "-m", "acmd", "status", "--config", str(node.config), "--watch", *options]
    return ["env", "--default-signal=INT", *line]


def again(node: Node) -> None:
    """Another daemon in this one's place."""
    node.signal(signal.SIGUSR2)
    wait(lambda: not node.alive(), 15, "the daemon ends")
    node.start()


def test_piped(node: Node, tmp_path: Path) -> None:
    """One JSON document a line, without the daemon too; the interrupt ends it without a word."""
    out = tmp_path / "watched"
    with out.open("wb") as file:
        watch = subprocess.Popen(
            command(node, "--json"), stdout=file, stderr=subprocess.PIPE, env=ENVIRONMENT, cwd="/"
        )

    def rows() -> list[dict[str, Any]]:
        return [json.loads(line) for line in out.read_text().split("\n")[:-1]]

    try:
        wait(lambda: len(rows()) > 1, 20, "two looks")
        before = rows()[-1]["pid"]
        again(node)
        wait(lambda: rows()[-1].get("pid") not in (None, before), 40, "the next daemon is shown")
        wait(lambda: rows()[-1].get("role") == "active", 20, "it is active")
    finally:
        watch.send_signal(signal.SIGINT)
        try:
            _, said = watch.communicate(timeout=15)
        finally:
            watch.kill()
    assert b"Traceback" not in said
    assert all("role" in row or "error" in row for row in rows())


def test_in_a_terminal(node: Node) -> None:
    """The page is drawn anew, with warnings and services; the interrupt gives status' exit code."""
    terminal, theirs = pty.openpty()
    watch = subprocess.Popen(
        command(node),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "120"},
        cwd="/",
    )
    os.close(theirs)
    seen = b""
    try:
        until = time.monotonic() + 30
        while seen.count(b"holds the lease") < 3 and time.monotonic() < until:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 65536)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(15) == 1  # it has no peer
    finally:
        watch.kill()
        watch.wait()
        os.close(terminal)
    assert b"no other node is known" in seen
    assert b"web" in seen
    assert b"Traceback" not in seen
