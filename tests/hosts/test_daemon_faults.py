"""The daemon and its guard when something real ends: power, processes, time, storage.

Clock steps are not possible here: hosts of the bed share the machine's clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.hosts import inside
from tests.hosts.bed import Bed
from tests.hosts.cluster import TAKEOVER_S, Cluster, main_pid, prop, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.storage import EVERY_OP, faultfs_available
from tests.hosts.witness import NS_PER_S, wait_for

RENEW_S, KILL_S, RESET_S = 2.0, 3.0, 3.5  # of the fast profile
LATE_S = 0.1  # how late the guard may be
TAKEOVER_LIMIT_S = 30.0  # of a claim, on a busy machine


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


def taken_over(cluster: Cluster, peer: Host) -> float:
    """Wait for the peer; seconds from the last stamp of the run before to its first."""
    cluster.wait_active(peer)
    *_, last, now = cluster.assert_alone()
    assert (last.node, now.node) != (peer.name, last.node)
    return (now.first_ns - last.last_ns) / NS_PER_S


def wait_reset(host: Host, old_boot_id: str) -> None:
    """Until the host has reset itself and is back."""
    host.wait_running(30, after_boot_id=old_boot_id)


def test_power_loss(cluster: Cluster) -> None:
    """Power cut, to and fro: the peer's service starts within W + h + 1 s; the host joins again by itself."""
    active, peer = cluster.start()
    for _ in range(3):
        wait_for(lambda peer=peer: cluster.status(peer)["role"] == "passive", 10, "the peer is there")  # type: ignore[misc]
        active.power_off()
        assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]
        active.boot()
        active, peer = peer, active


def test_a_guard_killed_while_armed(cluster: Cluster) -> None:
    """Its successor resets the host as its first act; the peer takes over and nothing overlaps."""
    active, peer = cluster.start()
    boot, before = active.boot_id(), cluster.wait_active(active)
    killed_ns = time.monotonic_ns()
    active.exec(["systemctl", "kill", "-s", "KILL", "--kill-who=main", "acmd-guard"], check=False)
    assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]
    first, _ = cluster.assert_alone()
    assert first.epoch == before.epoch
    assert first.last_ns - killed_ns < RESET_S * NS_PER_S
    wait_reset(active, boot)
    wait_for(lambda: cluster.status(active)["role"] == "passive", 15, "it joins again")


def test_a_guard_lost_with_a_broken_configuration(cluster: Cluster) -> None:
    """It comes back with the settings under which it was armed, whatever the file says by now."""
    active, peer = cluster.start()
    boot = active.boot_id()
    active.push("/etc/acmd/acmd.toml", "broken = [")
    killed_ns = time.monotonic_ns()
    active.exec(["systemctl", "kill", "-s", "KILL", "--kill-who=main", "acmd-guard"], check=False)
    assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]
    assert cluster.assert_alone()[0].last_ns - killed_ns < RESET_S * NS_PER_S
    wait_for(lambda: active.is_on() and active.boot_id() != boot, 30, "the reset")


def test_a_guard_that_hangs(cluster: Cluster) -> None:
    """SIGSTOP: PID 1 kills it after half the reset margin, and its successor resets the host."""
    active, peer = cluster.start()
    boot = active.boot_id()
    active.exec(["systemctl", "kill", "-s", "STOP", "--kill-who=main", "acmd"])
    active.exec(["systemctl", "kill", "-s", "STOP", "--kill-who=main", "acmd-guard"])
    stopped_ns = time.monotonic_ns()
    assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]
    assert cluster.assert_alone()[0].last_ns - stopped_ns < RESET_S * NS_PER_S
    wait_reset(active, boot)


def test_a_daemon_that_hangs(cluster: Cluster) -> None:
    """SIGSTOP past K: the guard kills at K, the host stays up, the peer takes over."""
    active, peer = cluster.start()
    boot = active.boot_id()
    active.exec(["systemctl", "kill", "-s", "STOP", "--kill-who=main", "acmd"])
    stopped_ns = time.monotonic_ns()
    assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]
    lived_s = (cluster.assert_alone()[0].last_ns - stopped_ns) / NS_PER_S
    assert RENEW_S - 0.5 < lived_s < KILL_S + LATE_S
    active.exec(["systemctl", "kill", "-s", "CONT", "--kill-who=main", "acmd"])
    wait_for(lambda: cluster.status(active)["role"] == "passive", 10, "it knows that it lost the lease")
    assert active.boot_id() == boot
    cluster.assert_alone()


def test_short_freezes(cluster: Cluster) -> None:
    """A host that stands still for less than R goes on as if nothing had been: no reset, no failover."""
    active, _ = cluster.start()
    guard = main_pid(active, "acmd-guard.service")
    for _ in range(8):
        active.freeze()
        time.sleep(1.0)
        active.thaw()
        time.sleep(1.0)
    assert main_pid(active, "acmd-guard.service") == guard
    (run,) = cluster.assert_alone()
    assert time.monotonic_ns() - run.last_ns < NS_PER_S


def test_a_freeze_past_the_kill_deadline(cluster: Cluster) -> None:
    """Thawed before W, the guard acts at once; then either node claims, and never both."""
    active, _ = cluster.start()
    active.freeze()
    time.sleep(KILL_S + 0.05)
    active.thaw()
    thawed_ns = time.monotonic_ns()
    wait_for(lambda: len(cluster.runs()) > 1, TAKEOVER_LIMIT_S, f"another epoch; {cluster.says()}")
    first, second = cluster.assert_alone()
    assert first.last_ns - thawed_ns < LATE_S * NS_PER_S
    assert second.epoch > first.epoch


def test_a_freeze_past_everything(cluster: Cluster) -> None:
    """The documented limit without a fence agent: thawed after the takeover, the guard acts within 0.1 s."""
    active, peer = cluster.start()
    boot = active.boot_id()
    active.freeze()
    cluster.wait_active(peer)
    active.thaw()
    thawed_ns = time.monotonic_ns()
    wait_reset(active, boot)
    first, second = cluster.runs()
    assert (first.last_ns - thawed_ns) / NS_PER_S < LATE_S
    assert second.node == peer.name


def test_everything_is_killed_but_pid_1(cluster: Cluster) -> None:
    """Daemon and guard killed at once: whichever comes back first, never two nodes run the service."""
    active, peer = cluster.start()
    active.exec(["systemctl", "kill", "-s", "KILL", "acmd", "acmd-guard"], check=False)
    assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]


def test_both_booted_at_once(cluster: Cluster) -> None:
    """Power back for the whole site, caches lost: one of the two becomes active by itself."""
    cluster.start()
    for host in cluster.bed.hosts:
        host.exec(["sync", "-f", "/"])  # units and configuration were installed long ago
    for host in cluster.bed.hosts:
        host.power_off(lose_cache=True)
    off_ns = time.monotonic_ns()
    for host in cluster.bed.hosts:
        host.power_on()
    wait_for(lambda: any(run.first_ns > off_ns for run in cluster.runs()), 30, "one is active")
    time.sleep(8)  # beyond W
    assert len([run for run in cluster.assert_alone() if run.first_ns > off_ns]) == 1


def test_a_busy_host(cluster: Cluster) -> None:
    """Processors taken by others, ten to one: no failover, no reset, the service goes on."""
    active, _ = cluster.start()
    guard = main_pid(active, "acmd-guard.service")
    active.exec("for i in $(seq 20); do timeout 10 sh -c 'while :; do :; done' >/dev/null 2>&1 & done")
    time.sleep(11)
    (run,) = cluster.assert_alone()
    assert time.monotonic_ns() - run.last_ns < NS_PER_S
    assert main_pid(active, "acmd-guard.service") == guard


@pytest.mark.skipif(not faultfs_available(), reason="needs pyfuse3 and tests/faultfs")
def test_a_process_that_cannot_be_killed(template: Template) -> None:
    """A service stuck on dead storage survives SIGKILL at K: the host resets itself before D."""
    with Bed(["alpha", "beta"], storage="faultfs", template=template) as bed:
        cluster = Cluster(bed, options=("stuck", "/shared/payload"))
        active, peer = cluster.start()
        boot = active.boot_id()
        active.shared.fail("stall", "write", "fsync", name="*payload*")
        time.sleep(0.2)
        active.exec(["systemctl", "kill", "-s", "STOP", "--kill-who=main", "acmd"])
        stopped = time.monotonic()
        leader = inside.leader(active.cgroup)
        wait_for(lambda: inside.leader(active.cgroup) != leader, 10, "the reset")
        assert KILL_S - 0.5 < time.monotonic() - stopped < RESET_S + 0.5
        assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]
        wait_reset(active, boot)


@pytest.mark.skipif(not faultfs_available(), reason="needs pyfuse3 and tests/faultfs")
@pytest.mark.parametrize("action", ["stall", "errno"])
def test_dead_storage(template: Template, action: str) -> None:
    """The lease's storage hangs or fails for the active host: it stops at R without a reset, the peer takes
    over; healed, it joins again by itself.
    """
    with Bed(["alpha", "beta"], storage="faultfs", template=template) as bed:
        cluster = Cluster(bed)
        active, peer = cluster.start()
        boot, failed_ns = active.boot_id(), time.monotonic_ns()
        active.shared.fail(action, *EVERY_OP, name="*acmd*")
        assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]
        assert cluster.assert_alone()[0].last_ns - failed_ns < (RENEW_S + 0.5) * NS_PER_S
        assert prop(active, "ActiveState") == "active"
        active.shared.clear()
        wait_for(lambda: cluster.status(active)["role"] == "passive", 15, "it joins again")
        assert active.boot_id() == boot
        cluster.assert_alone()


@pytest.mark.skipif(not faultfs_available(), reason="needs pyfuse3 and tests/faultfs")
def test_a_stop_with_dead_storage(template: Template) -> None:
    """`systemctl stop acmd` does not hang: service and guard end, the peer takes over after W."""
    with Bed(["alpha", "beta"], storage="faultfs", template=template) as bed:
        cluster = Cluster(bed)
        active, peer = cluster.start()
        active.shared.fail("stall", *EVERY_OP, name="*acmd*")
        assert active.exec(["systemctl", "stop", "acmd"], timeout_s=30).duration_s < 10
        wait_for(
            lambda: prop(active, "ActiveState", "acmd-guard.service") == "inactive", 5, "the guard ended"
        )
        assert taken_over(cluster, peer) <= TAKEOVER_S["fast"]
        active.shared.clear()
        active.exec(["systemctl", "start", "acmd"])
        wait_for(lambda: cluster.status(active)["role"] == "passive", 15, "it joins again")
        cluster.assert_alone()
