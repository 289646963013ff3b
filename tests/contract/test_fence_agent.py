"""What a fence agent's end means (`ports.FenceAgent`), with real programs in the agent's place."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from acmd.drivers.fence_agent import CommandFenceAgent

pytestmark = pytest.mark.asyncio
DUMMY = "/usr/sbin/fence_dummy"


class Log(list[dict[str, Any]]):
    """Keeps what was logged."""

    def __call__(self, event: str, level: str = "info", **fields: Any) -> None:
        """Log one event."""
        self.append({"event": event, "level": level, **fields})


def agent(code: str, limit_s: float = 5.0) -> tuple[CommandFenceAgent, Log]:
    """An agent that runs this Python code."""
    log = Log()
    return CommandFenceAgent((sys.executable, "-c", code), limit_s, log), log


async def test_exit_0_confirms_and_the_options_come_in(tmp_path: Path) -> None:
    """The agent gets action and host on standard input, and its exit code 0 is the confirmation."""
    seen = tmp_path / "seen"
    fence, log = agent(f"import sys; open({str(seen)!r}, 'w').write(sys.stdin.read())")
    assert await fence.fence("beta")
    assert seen.read_text().split() == ["plug=beta", "action=off", "nodename=beta"]
    assert log == []


async def test_parameters_of_all_and_of_one(tmp_path: Path) -> None:
    """A node's own parameter goes before one of all nodes, those of others are not told, action and name are
    acmd's.
    """
    seen, log = tmp_path / "seen", Log()
    code = f"import sys; open({str(seen)!r}, 'w').write(sys.stdin.read())"
    parameters = {
        "ip": "192.0.2.9",
        "lanplus": "1",
        "beta:ip": "192.0.2.2",
        "beta:plug": "7",
        "alpha:ip": "x",
    }
    fence = CommandFenceAgent((sys.executable, "-c", code), 5.0, log, parameters, "reboot")
    assert await fence.fence("beta")
    words = ["plug=7", "ip=192.0.2.2", "lanplus=1", "action=reboot", "nodename=beta"]
    assert sorted(seen.read_text().split()) == sorted(words)


@pytest.mark.skipif(
    not Path(DUMMY).exists(), reason=f"without {DUMMY} (Debian: fence-agents) no agent of theirs is tried"
)
@pytest.mark.parametrize("action", ["off", "reboot"])
async def test_an_agent_of_cluster_labs(tmp_path: Path, action: str) -> None:
    """One of the package fence-agents reads its options, does what it is told, and confirms; told to fail it
    confirms nothing.
    """
    status, log = tmp_path / "status", Log()
    status.write_text("on")
    given = {"status_file": str(status), "power_timeout": "1", "beta:type": "file", "gamma:type": "fail"}
    fence = CommandFenceAgent((DUMMY,), 30.0, log, given, action)
    assert await fence.fence("beta")
    assert status.read_text().strip() == {"off": "off", "reboot": "on"}[action]
    assert not await fence.fence("gamma")
    assert log[-1]["exit"] == 1


async def test_another_exit_code_confirms_nothing() -> None:
    """Any other exit code is a failure, and what the agent said goes to the log."""
    fence, log = agent("import sys; print('no power switch there'); sys.exit(3)")
    assert not await fence.fence("beta")
    assert log[0]["exit"] == 3
    assert log[0]["says"] == "no power switch there"


async def test_an_agent_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """At its limit an agent counts as failed, and nothing of it lives on."""
    pids = tmp_path / "pids"
    fence, log = agent(
        "import os, subprocess, time\n"
        f"child = subprocess.Popen(['sleep', '600'])\nopen({str(pids)!r}, 'w').write(f'{{child.pid}}')\n"
        "time.sleep(600)\n",
        limit_s=1.0,
    )
    assert not await fence.fence("beta")
    assert "no end within 1 s" in log[0]["problem"]
    child = int(pids.read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(10)  # the kernel takes a moment; TimeoutExpired would fail this test


async def test_an_agent_that_is_not_there() -> None:
    """A missing agent is a failure with its path in the log, never an exception."""
    log = Log()
    assert not await CommandFenceAgent(("/no/such/agent",), 1.0, log).fence("beta")
    assert "/no/such/agent" in log[0]["problem"]


async def test_an_agent_that_reads_nothing() -> None:
    """An agent that closes its standard input still confirms by its exit code."""
    fence, _ = agent(f"import os; os.close(0); os._exit({os.EX_OK})")
    assert await fence.fence("beta")


async def test_an_agent_that_says_without_end() -> None:
    """What an agent says is not kept but for its last words: 400 megabytes costs no memory."""
    fence, log = agent(
        "import sys\n"
        "for _ in range(400): sys.stdout.write('x' * 1048576)\n"
        "print(' the last word')\n"
        "sys.exit(1)"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert not await fence.fence("beta")
    assert log[0]["says"].endswith("the last word")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


async def test_an_agent_that_leaves_something_behind(tmp_path: Path) -> None:
    """Its own exit code 0 is the confirmation, at once, though a child of it (ssh, a helper of a management
    board) keeps its output open; the child is ended.
    """
    pid = tmp_path / "pid"
    fence, _ = agent(
        "import subprocess\n"
        f"child = subprocess.Popen(['sleep', '600'])\nopen({str(pid)!r}, 'w').write(f'{{child.pid}}')\n",
        limit_s=60.0,
    )
    begun = time.monotonic()
    assert await fence.fence("beta")
    assert time.monotonic() - begun < 30
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(pid.read_text())).wait(10)
