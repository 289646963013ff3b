"""`acmd setup` on a host: what it finds there, by a terminal and by options, and the check at its end."""

from __future__ import annotations

import pytest

from tests.hosts.cluster import ACMD
from tests.hosts.host import Host

# What a person does: lines typed on a terminal, one after the other.
TYPE = """
import os, pty, sys
command, answers = sys.argv[1], sys.argv[2]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command, [command, "setup", "--init"])
os.write(terminal, answers.encode())
try:
    while piece := os.read(terminal, 4096):
        sys.stdout.write(piece.decode())
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
DEGRADED = 1  # the check finds that acmd is not enabled yet


@pytest.fixture
def fresh(host: Host) -> Host:
    """Without a configuration; the directory's parent is there."""
    host.exec("rm -rf /etc/acmd; mkdir /etc/acmd; mkdir -p /shared/acm; rm -rf /shared/acm/acmd")
    return host


def test_by_a_terminal(fresh: Host) -> None:
    """It shows this host's address and the storage's id, proposes both, makes the cluster and checks it."""
    device = fresh.exec(["stat", "-c", "%d", "/shared"]).stdout.strip()
    fresh.push("/etc/systemd/system/aspera_mysqld.service", "[Service]\nExecStart=/bin/sleep 1000\n")
    answers = "\n\n/shared/acm/acmd\n\n\n\n"
    done = fresh.exec(["python3", "-c", TYPE, ACMD, answers], timeout_s=120, check=False)
    assert done.returncode == DEGRADED, done.stdout
    assert f"{fresh.address} on " in done.stdout
    assert f"{device} now, on /shared" in done.stdout
    assert "[MYSQL]" in done.stdout
    text = fresh.read("/etc/acmd/acmd.toml")
    assert f'address = "{fresh.address}"' in text
    assert f"device_id = {device}" in text
    assert 'services = ["MYSQL"]' in text
    assert fresh.exec(["test", "-e", "/shared/acm/acmd/cluster.json"]).returncode == 0
    assert " OK " in done.stdout or "OK  " in done.stdout


def test_by_options(fresh: Host) -> None:
    """`--yes` takes what is found; what is given is not asked for. The second node makes no cluster."""
    words = ["--yes", "--directory", "/shared/acm/acmd", "--services", "-", "--profile", "fast", "--no-check"]
    fresh.exec([ACMD, "setup", *words])
    text = fresh.read("/etc/acmd/acmd.toml")
    assert f'address = "{fresh.address}"' in text
    assert "services = []" in text
    assert fresh.exec([ACMD, "config", "check"], check=False).returncode in {0, DEGRADED}
