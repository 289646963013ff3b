"""The units of packaging/systemd on a real systemd: clean, as tight as said, and what they give."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, UNITS, Cluster, install_units, main_pid, prop
from tests.hosts.host import Host
from tests.hosts.image import REPO, Template
from tests.hosts.witness import wait_for

START_LIMIT_S = 60.0  # on a busy machine
SCORES = {"acmd": 7.7, "acmd-guard": 4.3, "acmd-services": 3.4}  # docs/systemd.md says why not less


@pytest.fixture(scope="module")
def solo(template: Template) -> Iterator[Host]:
    """A host with one active node."""
    with Bed(["alpha"], template=template) as bed:
        cluster = Cluster(bed)
        cluster.install()
        cluster.init()
        host = bed.hosts[0]
        host.exec(["systemctl", "start", "acmd"], timeout_s=START_LIMIT_S)
        cluster.wait_active(host, START_LIMIT_S)
        yield host


def test_verify_says_nothing(host: Host) -> None:
    """`systemd-analyze verify` has no complaint about any unit, templates included."""
    install_units(host)
    names = sorted(unit.name.replace("@.", "@some.") for unit in UNITS.iterdir())
    result = host.exec(["systemd-analyze", "verify", *names])
    assert result.stdout + result.stderr == ""


@pytest.mark.parametrize("unit", sorted(SCORES))
def test_exposure(host: Host, unit: str) -> None:
    """`systemd-analyze security` says what docs/systemd.md says, or better."""
    install_units(host)
    words = host.exec(["systemd-analyze", "security", "--no-pager", f"{unit}.service"]).stdout
    found = re.search(r"exposure level for \S+: ([0-9.]+)", words)
    assert found is not None
    assert float(found[1]) <= SCORES[unit]
    assert f"| `{unit}.service` | {found[1]} |" in (REPO / "docs/systemd.md").read_text()


def test_the_guards_process(solo: Host) -> None:
    """Memory locked on fault, out of the OOM killer's reach and real-time, or it says that it cannot
    have that; half the reset margin as PID 1's limit.
    """
    pid = main_pid(solo, "acmd-guard.service")
    notes = solo.exec_python(_ASK_GUARD).stdout
    assert (
        solo.read(f"/proc/{pid}/oom_score_adj").strip() == "-1000" or "within the OOM killer's reach" in notes
    )
    locked = re.search(r"VmLck:\s+(\d+) kB", solo.read(f"/proc/{pid}/status"))
    assert locked is not None
    assert int(locked[1]) > 0
    policy = solo.exec(["chrt", "-p", str(pid)]).stdout
    assert "SCHED_FIFO|SCHED_RESET_ON_FORK" in policy or "no real-time priority" in notes
    assert prop(solo, "WatchdogUSec", "acmd-guard.service") == "500ms"


_ASK_GUARD = """
import socket
guard = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
guard.connect("/run/acmd/acmd/guard.sock")
print(guard.recv(65536).decode())
"""


def test_what_a_service_inherits(solo: Host) -> None:
    """A service of kind command: a control group of its own, no protection and no priority of acmd's."""
    program = wait_for(lambda: _program(solo), START_LIMIT_S, "the service runs")
    assert solo.read(f"/proc/{program}/oom_score_adj").strip() == "0"
    assert solo.exec(["ps", "-o", "ni=", "-p", program]).stdout.strip() == "0"
    words = solo.exec(
        ["tr", "\\0", "\\n"], stdin=solo.exec(["cat", f"/proc/{program}/environ"]).stdout.encode()
    )
    assert re.search(r"^ACMD_EPOCH=[1-9]\d*$", words.stdout, re.MULTILINE)
    assert "NOTIFY_SOCKET" not in words.stdout


def test_priority_counts_between_sessions(solo: Host) -> None:
    """Where the kernel shares the processor by sessions: the daemon's and its workers' are raised, the
    service's is not.
    """
    if solo.exec(["test", "-e", "/proc/self/autogroup"], check=False).returncode != 0:
        pytest.skip("no autogroup in this kernel")
    program = wait_for(lambda: _program(solo), START_LIMIT_S, "the service runs")
    workers = solo.exec(["pgrep", "-f", "lease_worker.nursery"]).stdout.split()
    assert workers
    for pid in (str(main_pid(solo)), *workers):
        assert solo.read(f"/proc/{pid}/autogroup").split()[-1] == "-10"
    assert solo.read(f"/proc/{program}/autogroup").split()[-1] == "0"


def _program(host: Host) -> str:
    """The process id of the service's program; empty while nothing has become it."""
    group = "/sys/fs/cgroup/acmd.slice/acmd-services.service/active/witness/cgroup.procs"
    pids = host.exec(["cat", group], check=False).stdout.split()
    return next((pid for pid in pids if "/opt/stamper.py" in _command(host, int(pid)).split("\0")[1:2]), "")


def test_rsyslog_that_is_stuck(solo: Host) -> None:
    """It takes no line of a flood: the daemon goes on, and the next one adopts the same epoch."""
    epoch = _epoch(solo)
    solo.exec("systemctl kill -s STOP --kill-who=main rsyslog")
    try:
        solo.exec("seq 5000 | timeout 20 logger -p local2.info", timeout_s=60)
        solo.exec(["systemctl", "restart", "acmd"], timeout_s=START_LIMIT_S)
        wait_for(lambda: _epoch(solo), START_LIMIT_S, "active again")
        assert _epoch(solo) == epoch
    finally:
        solo.exec("systemctl kill -s CONT --kill-who=main rsyslog")


def _epoch(host: Host) -> int:
    """The epoch that it is active in by its own word; 0 when it is not."""
    status = json.loads(host.exec([ACMD, "status", "--json"], check=False).stdout or "{}")
    return int(status["epoch"]) if status.get("role") == "active" else 0


def test_no_mount_namespace(solo: Host) -> None:
    """Daemon, guard and services see the host's own mounts, and mounts that they make are the host's."""
    own = solo.exec(["readlink", "/proc/1/ns/mnt"]).stdout
    for unit in ("acmd.service", "acmd-guard.service", "acmd-services.service"):
        assert solo.exec(["readlink", f"/proc/{main_pid(solo, unit)}/ns/mnt"]).stdout == own


def test_reload(solo: Host) -> None:
    """`systemctl reload acmd` takes over what can change without a restart."""
    pid = main_pid(solo)
    text = solo.read("/etc/acmd/acmd.toml")
    solo.push("/etc/acmd/acmd.toml", text + '\n[log]\nlevel = "debug"\n')
    solo.exec(["systemctl", "reload", "acmd"])
    wait_for(lambda: "reloaded" in solo.journal("acmd.service"), 10, "it says that it reloaded")
    assert main_pid(solo) == pid


def test_new_settings_reach_the_guard(solo: Host) -> None:
    """A guard with settings older than the configuration is replaced as soon as nothing is armed."""
    guard = main_pid(solo, "acmd-guard.service")
    text = solo.read("/etc/acmd/acmd.toml")
    solo.push(
        "/etc/acmd/acmd.toml", text.replace("stop_timeout_s", 'data_directories = ["/srv"]\nstop_timeout_s')
    )
    solo.exec(["systemctl", "restart", "acmd"])
    assert main_pid(solo, "acmd-guard.service") == guard
    solo.exec([ACMD, "disable", "--node", "alpha", "--force"], check=False)
    wait_for(lambda: "/srv" in _command(solo, main_pid(solo, "acmd-guard.service")), 20, "another guard")
    assert main_pid(solo, "acmd-guard.service") != guard
    solo.exec([ACMD, "enable", "--node", "alpha"])
    wait_for(lambda: _program(solo), START_LIMIT_S, "the service runs again")


def _command(host: Host, pid: int) -> str:
    """A process's arguments; empty when there is none."""
    return host.exec(["cat", f"/proc/{pid}/cmdline"], check=False).stdout
