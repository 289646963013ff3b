"""The daemon as a unit of a real systemd: readiness, restarts, stops, and what is refused."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.hosts import inside
from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, main_pid, prop, renew
from tests.hosts.image import Template
from tests.hosts.witness import NS_PER_S, wait_for

LONGEST_GAP_NS = NS_PER_S // 4  # the witness stamps each 4 ms; the machine may be busy

FILL_THE_QUEUE = """
import socket
queue = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
queue.setblocking(False)
queue.connect("/run/systemd/notify")
try:
    while True:
        queue.send(b"X_FILLER=1")
except BlockingIOError:
    pass
"""


@pytest.fixture(scope="module")
def bed(template: Template) -> Iterator[Bed]:
    """Two hosts for this file."""
    with Bed(["alpha", "beta"], template=template) as made:
        yield made


@pytest.fixture
def cluster(bed: Bed) -> Iterator[Cluster]:
    """Nothing is installed yet; afterwards the hosts get new disks."""
    yield Cluster(bed)
    renew(bed)


def test_ready_only_with_a_guard(cluster: Cluster) -> None:
    """Without a guard the unit is not ready and says why; with it, it is, and says what the node does."""
    host = cluster.bed["alpha"]
    cluster.install()
    cluster.init()
    dropin = "[Unit]\nConditionPathExists=/run/guard-may-start\n"
    host.push("/etc/systemd/system/acmd-guard.service.d/not-yet.conf", dropin)
    host.exec(["systemctl", "daemon-reload"])
    host.exec(["systemctl", "start", "--no-block", "acmd"])
    time.sleep(4)
    assert "guard" in prop(host, "StatusText")
    assert prop(host, "ActiveState") == "activating"
    host.exec("touch /run/guard-may-start; systemctl start acmd-guard")
    wait_for(lambda: prop(host, "ActiveState") == "active", 10, "ready")
    cluster.wait_active(host)
    wait_for(lambda: prop(host, "StatusText") == "active: holds the lease", 5, "a sentence")


def test_readiness_that_was_lost_is_said_again(cluster: Cluster) -> None:
    """PID 1 stands still with a full queue while the daemon gets ready: the start job ends all the same."""
    host = cluster.bed["alpha"]
    cluster.install()  # without a cluster it is ready as soon as it says what it waits for; nothing is armed
    first = inside.leader(host.cgroup)
    assert first is not None
    host.exec(["systemctl", "start", "--no-block", "acmd"])
    wait_for(lambda: main_pid(host), 20, "the daemon's process")
    os.kill(first, signal.SIGSTOP)
    try:
        host.exec(["python3", "-c", FILL_THE_QUEUE])
        wait_for(lambda: "waiting-for-storage" in host.journal(), 20, "the daemon looked")
        time.sleep(0.5)
    finally:
        os.kill(first, signal.SIGCONT)
    wait_for(lambda: prop(host, "ActiveState") == "active", 10, "ready")
    wait_for(lambda: "waiting for" in prop(host, "StatusText"), 10, "its sentence")


def test_a_restart_adopts(cluster: Cluster) -> None:
    """`systemctl restart acmd`: the same service process goes on, same epoch, same guard, no failover."""
    active, _ = cluster.start()
    before, daemon, guard = (
        cluster.wait_active(active),
        main_pid(active),
        main_pid(active, "acmd-guard.service"),
    )
    active.exec(["systemctl", "restart", "acmd"])
    assert main_pid(active) != daemon
    time.sleep(4)  # beyond R, K and D of what the daemon before it had
    (run,) = cluster.assert_alone()
    assert (run.first_ns, run.epoch) == (before.first_ns, before.epoch)
    assert time.monotonic_ns() - run.last_ns < LONGEST_GAP_NS
    assert run.longest_gap_ns < LONGEST_GAP_NS
    assert main_pid(active, "acmd-guard.service") == guard
    assert cluster.status(active)["role"] == "active"


def test_a_killed_daemon_is_adopted(cluster: Cluster) -> None:
    """`kill -9`, three times: systemd starts the next one, which takes over the running service in time."""
    active, _ = cluster.start()
    for _ in range(3):
        active.exec(["systemctl", "kill", "-s", "KILL", "--kill-who=main", "acmd"])
        time.sleep(4)
    (run,) = cluster.assert_alone()
    assert time.monotonic_ns() - run.last_ns < LONGEST_GAP_NS
    assert run.longest_gap_ns < LONGEST_GAP_NS
    assert prop(active, "NRestarts") == "3"


def test_a_stop_releases(cluster: Cluster) -> None:
    """`systemctl stop acmd`: the service ends, the peer needs no takeover wait, guard and group end too."""
    active, peer = cluster.start()
    wait_for(lambda: cluster.status(peer)["role"] == "passive", 10, "the peer is there")
    active.exec(["systemctl", "stop", "acmd"], timeout_s=60)
    cluster.wait_active(peer)
    first, second = cluster.assert_alone()
    assert second.first_ns - first.last_ns < 1 * NS_PER_S
    for unit in ("acmd.service", "acmd-guard.service", "acmd-services.service"):
        wait_for(lambda unit=unit: prop(active, "ActiveState", unit) == "inactive", 5, f"{unit} ended")  # type: ignore[misc]
    active.exec(["systemctl", "start", "acmd"])
    assert cluster.status(active)["role"] == "passive"


def test_an_orderly_power_off_releases(cluster: Cluster) -> None:
    """`poweroff` releases while storage is still there: the peer takes over without a takeover wait."""
    active, peer = cluster.start()
    wait_for(lambda: cluster.status(peer)["role"] == "passive", 10, "the peer is there")
    active.auto_boot = False
    active.exec(["systemctl", "poweroff"], check=False)
    cluster.wait_active(peer)
    first, second = cluster.assert_alone()
    assert second.first_ns - first.last_ns < 1 * NS_PER_S


def test_storage_missing_at_boot(cluster: Cluster) -> None:
    """The unit becomes ready with a fault instead of looping, and joins when the storage comes."""
    host, other = cluster.bed.hosts
    cluster.install()
    host.exec(["systemctl", "enable", "acmd"])
    host.power_cycle()
    wait_for(lambda: prop(host, "ActiveState") == "active", 20, "ready")
    assert cluster.directory in prop(host, "StatusText")
    time.sleep(3)
    assert prop(host, "NRestarts") == "0"
    other.exec(["mkdir", "-p", "/shared/acm"])
    other.exec([ACMD, "init"])
    cluster.wait_active(host)


def test_a_second_daemon_is_refused(cluster: Cluster) -> None:
    """One daemon for each host and cluster: the second says which process is the first."""
    active, _ = cluster.start()
    second = active.exec([ACMD, "run"], check=False, timeout_s=20)
    assert second.returncode == 1
    assert f"process {main_pid(active)}" in second.stderr
    time.sleep(3)
    assert len(cluster.assert_alone()) == 1
    assert cluster.status(active)["role"] == "active"


def test_a_broken_configuration(cluster: Cluster) -> None:
    """Tried again and again, but in no hurry; once it is right the node joins by itself."""
    _, peer = cluster.start()
    wait_for(lambda: cluster.status(peer)["role"] == "passive", 10, "the peer is there")
    right = peer.read("/etc/acmd/acmd.toml")
    peer.push("/etc/acmd/acmd.toml", "broken = [")
    peer.exec(["systemctl", "stop", "acmd"])
    peer.exec(["systemctl", "start", "--no-block", "acmd"])
    time.sleep(9)
    assert int(prop(peer, "NRestarts")) <= 2
    assert int(prop(peer, "NRestarts", "acmd-guard.service")) <= 2
    assert "not TOML" in peer.journal("acmd-guard.service")
    assert "not TOML" in peer.journal("acmd.service")
    peer.push("/etc/acmd/acmd.toml", right)
    wait_for(lambda: cluster.status(peer).get("role") == "passive", 20, "it joins")
    assert len(cluster.assert_alone()) == 1


def test_the_guard_is_not_stopped_by_hand(cluster: Cluster) -> None:
    """PID 1 refuses to stop or restart it, and SIGTERM ends it only once nothing is armed."""
    active, _ = cluster.start()
    for verb in ("stop", "restart"):
        assert active.exec(["systemctl", verb, "acmd-guard"], check=False).returncode != 0
    guard = main_pid(active, "acmd-guard.service")
    active.exec(["systemctl", "kill", "--kill-who=main", "acmd-guard"])
    time.sleep(2)
    assert main_pid(active, "acmd-guard.service") == guard
    assert len(cluster.assert_alone()) == 1


def test_two_clusters_on_one_host(cluster: Cluster) -> None:
    """acmd@NAME reads /etc/acmd/NAME.toml and has a guard, a control group and services of its own."""
    host = cluster.bed["alpha"]
    cluster.install()
    for name in ("one", "two"):
        text = cluster.config(host).replace("[cluster]", f'[cluster]\nname = "{name}"')
        text = text.replace("/shared/acm/acmd", f"/shared/{name}").replace(
            "/shared/witness", f"/shared/w{name}"
        )
        host.push(f"/etc/acmd/{name}.toml", text)
        host.exec([ACMD, "--config", f"/etc/acmd/{name}.toml", "init"])
        host.exec(["systemctl", "start", f"acmd@{name}"])
    for name in ("one", "two"):
        wait_for(lambda name=name: (cluster.bed.shared / f"w{name}").is_dir(), 10, f"{name} runs")  # type: ignore[misc]
        group = f"/sys/fs/cgroup/acmd.slice/acmd-services@{name}.service/active/witness"
        assert host.read(f"{group}/cgroup.procs").split()
    group = "/sys/fs/cgroup/acmd.slice/acmd-services@one.service/active/witness"
    before = host.read(f"{group}/cgroup.procs")
    host.exec(["systemctl", "restart", "acmd@one"])
    time.sleep(4)
    assert host.read(f"{group}/cgroup.procs") == before
    host.exec(["systemctl", "stop", "acmd@one"], timeout_s=60)
    assert prop(host, "ActiveState", "acmd@two.service") == "active"
    assert prop(host, "ActiveState", "acmd-guard@two.service") == "active"


def test_maintenance_outlives_the_daemon(cluster: Cluster) -> None:
    """All disabled: daemon and guard may be stopped and started, the service runs on, nobody else acts."""
    active, peer = cluster.start()
    active.exec([ACMD, "disable", "--all", "--reason", "work on acmd"])
    wait_for(lambda: cluster.status(active)["guard"]["armed"] is False, 10, "disarmed")
    active.exec(["systemctl", "stop", "acmd"], timeout_s=60)
    wait_for(lambda: prop(active, "ActiveState", "acmd-guard.service") == "inactive", 5, "the guard ended")
    peer.exec(["systemctl", "restart", "acmd"])
    time.sleep(8)  # beyond W
    (run,) = cluster.assert_alone()
    assert time.monotonic_ns() - run.last_ns < LONGEST_GAP_NS
    active.exec(["systemctl", "start", "acmd"])
    active.exec([ACMD, "enable", "--all"])
    wait_for(lambda: cluster.status(active)["role"] == "active", 15, "active again")
    time.sleep(4)
    (same,) = cluster.assert_alone()
    assert same.first_ns == run.first_ns
    assert same.longest_gap_ns < LONGEST_GAP_NS
    assert cluster.status(active)["guard"]["armed"] is True
