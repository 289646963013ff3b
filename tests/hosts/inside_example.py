"""An example of a test file that runs inside of a host (`host.run_pytest`); not collected outside."""

from __future__ import annotations

from pathlib import Path


def test_pid_1_is_systemd() -> None:
    """This runs on a host with a real systemd."""
    assert Path("/proc/1/comm").read_text().strip() == "systemd"
