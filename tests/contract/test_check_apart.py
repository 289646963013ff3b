"""`checks.apart`: the checks by real processes of their own, and what becomes of those that hang or die."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from acmd.checks import apart
from acmd.checks.registry import ALL
from acmd.checks.registry import run as run_here
from acmd.checks.subject import Subject
from tests.hosts.witness import wait_for
from tests.unit.test_checks import words

LIMIT_S = 3.0
CHECKS = tuple(check for check in ALL if check.group in ("acm", "logging") and not check.configured)


@pytest.fixture
def hanging(tmp_path: Path) -> Subject:
    """A host whose /etc/crontab can be opened by nobody: reading it waits for ever."""
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/crontab")
    return Subject(root=tmp_path)


def test_the_same_findings(tmp_path: Path) -> None:
    """What the checks say there is what they say here, in their order."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/rsyslog.conf").write_text("*.info /var/log/messages\n")
    checks = [check for check in CHECKS if check.id != "log-line"]  # it sends another line each time
    subject = Subject(root=tmp_path)
    assert list(apart.run(subject, checks)) == list(run_here(subject, checks))


def test_a_check_that_hangs(hanging: Subject) -> None:
    """It is a KO within its limit, with a remedy; those after it are made by another process."""
    began = time.monotonic()
    found = list(apart.run(hanging, CHECKS, LIMIT_S))
    assert time.monotonic() - began < LIMIT_S + 20
    assert [check.id for check, _ in found][:2] == ["acm-cron", "cluster-packages"]
    first = found[0][1]
    assert words([first]) == (
        "KO No crontab starts ACM: two managers would fight over the services: no answer within 3 s, given up"
    )
    assert first.remedy == apart.HANGS


def test_a_process_that_dies(hanging: Subject) -> None:
    """Said as what it is; nothing hangs and nothing is left out."""
    looker = apart.Looker(hanging, ["acm-cron"])
    pid = looker._child.pid
    os.kill(pid, signal.SIGKILL)
    assert list(looker.findings(LIMIT_S)) == []
    assert (looker.answers, looker.because) == (
        False,
        f"the process that looked ended with {-signal.SIGKILL}",
    )
    looker.end()
    assert subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 1


def test_whoever_reads_the_report_is_not_held(hanging: Subject) -> None:
    """The pipes that a caller's reader waits on are in no process that may be left behind."""
    looker = apart.Looker(hanging, ["acm-cron"])
    pid = looker._child.pid
    ours = {os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)}
    assert not ours & {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)}
    looker.end()


def test_a_program_with_children(tmp_path: Path) -> None:
    """All of what a program started is given up with it."""
    made = Subject(root=tmp_path, limit_s=2.0)
    ran = made.run("sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; wait")
    assert (ran.code, ran.late) == (None, True)
    assert made.run("sh", "-c", "sleep 600").late
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    wait_for(lambda: not state.exists() or ") Z " in state.read_text(), 20, "the child is gone")
