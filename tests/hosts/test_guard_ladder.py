"""The guard's ladder on hosts: virtual addresses at K, the release for a dead daemon, watchdog, suspend."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, main_pid, prop, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.network import SUBNET
from tests.hosts.witness import NS_PER_S, Run, wait_for

VIP = f"{SUBNET}.200"
RENEW_S, KILL_S = 2.0, 3.0  # of the fast profile
LATE_S = 0.3
ADDRESS = f"""
[[service]]
name = "vip"
kind = "ocf"
agent = "ocf:heartbeat:IPaddr2"
parameters = {{ ip = "{VIP}", cidr_netmask = "24", nic = "host0" }}
"""
NO_RESTART = "[Service]\nRestart=no\n"
LONG_WAIT_S = 120.0  # W far beyond what a busy machine needs to start a program
RELEASED_S = 90.0


@pytest.fixture(scope="module")
def bed(template: Template) -> Iterator[Bed]:
    """Two hosts for this file."""
    with Bed(["alpha", "beta"], template=template) as made:
        yield made


class Ladder(Cluster):
    """A cluster whose configuration has something more, or something else; its hosts may be very busy."""

    def wait_active(self, host: Host, timeout_s: float = 60.0, since_ns: int = 0) -> Run:
        """Until the service runs there."""
        return super().wait_active(host, timeout_s, since_ns)

    def says_role(self, host: Host) -> str:
        """Its role by its own word, "" when it did not say."""
        try:
            return str(self.status(host).get("role", ""))
        except ValueError:
            return ""

    extra = ""
    instead: tuple[str, str] = ("", "")

    def config(self, host: Host) -> str:
        """The host's configuration."""
        return super().config(host).replace(*self.instead) + self.extra


@pytest.fixture
def cluster(bed: Bed) -> Iterator[Ladder]:
    """Nothing is installed yet; afterwards the hosts get new disks."""
    yield Ladder(bed)
    renew(bed)


def freeze(host: Host, unit: str, frozen: bool) -> None:
    """All that is in the unit's control group stands still, or goes on."""
    host.exec(f"echo {int(frozen)} > /sys/fs/cgroup$(systemctl show -P ControlGroup {unit})/cgroup.freeze")


def has_address(host: Host) -> bool:
    """Whether the host answers for the virtual address."""
    return f" {VIP}/" in host.exec("ip -4 -o address").stdout


def test_the_address_goes_at_the_kill_deadline(cluster: Ladder) -> None:
    """Daemon and agent frozen: nothing there can stop the address, yet it is gone at K, without a reset, and
    clients reach the peer's. Thawed after the lease's end, the daemon follows, on a host that did not reset.
    """
    cluster.extra = ADDRESS
    active, peer = cluster.start()
    wait_for(lambda: has_address(active), 40, "the address is up")
    wait_for(lambda: cluster.says_role(peer) == "passive", 40, "the peer is there")
    boot = active.boot_id()
    freeze(active, "acmd.service", frozen=True)
    frozen = time.monotonic()
    wait_for(lambda: not has_address(active), KILL_S + 5, "the address is gone")
    gone_s = time.monotonic() - frozen
    print(f"the address was gone {gone_s:.2f} s after the freeze")
    assert RENEW_S - 0.5 < gone_s < KILL_S + LATE_S
    assert f"{SUBNET}." in active.exec("ip -4 -o address").stdout  # its own one stays
    wait_for(lambda: has_address(peer), 40, "the peer has it")
    assert not has_address(active)
    assert cluster.bed.network.client(["ping", "-c1", "-W2", VIP]).returncode == 0
    cluster.wait_active(peer)
    cluster.assert_alone()
    freeze(active, "acmd.service", frozen=False)
    wait_for(lambda: cluster.says_role(active) == "passive", 40, "the thawed daemon follows")
    assert active.boot_id() == boot
    assert not has_address(active)


def test_a_dead_daemon_is_released_for(cluster: Ladder) -> None:
    """Killed, and PID 1 must not start it again: killed at K, released at once, no wait for W, no overlap;
    the guard ends, and the host stays up.
    """
    cluster.instead = ('profile = "fast"', f'profile = "standard"\ntakeover_wait_s = {LONG_WAIT_S}')
    active, peer = cluster.start()
    wait_for(lambda: cluster.says_role(peer) == "passive", 40, "the peer is there")
    boot = active.boot_id()
    active.push("/etc/systemd/system/acmd.service.d/no-restart.conf", NO_RESTART)
    active.exec(["systemctl", "daemon-reload"])
    active.exec(["systemctl", "kill", "-s", "KILL", "--kill-who=main", "acmd"])
    cluster.wait_active(peer, LONG_WAIT_S + 10)
    first, second = cluster.assert_alone()
    gap_s = (second.first_ns - first.last_ns) / NS_PER_S
    print(f"from the last stamp there to the first here: {gap_s:.2f} s")
    assert gap_s < RELEASED_S
    assert cluster.status(peer)["lease"]["unfenced"] == []  # after a mere expiry it would name the old holder
    wait_for(lambda: prop(active, "ActiveState", "acmd-guard.service") == "inactive", 40, "the guard ended")
    assert "release-for-dead-daemon" in active.journal()
    assert active.boot_id() == boot
    active.exec(["systemctl", "reset-failed", "acmd"])
    active.exec(["systemctl", "start", "acmd"], timeout_s=90)
    wait_for(lambda: cluster.says_role(active) == "passive", 40, "it joins again")
    cluster.assert_alone()


def test_a_required_watchdog_that_is_missing(cluster: Ladder) -> None:
    """Without the device the node never becomes active and its status says why; with `automatic` it does."""
    host = cluster.bed["alpha"]
    cluster.instead = ("[guard]", '[guard]\nwatchdog = "required"')
    cluster.install()
    cluster.init()
    host.exec(["systemctl", "start", "acmd"])
    wait_for(lambda: cluster.status(host).get("reason_code") == "watchdog-missing", 40, "the reason")
    time.sleep(2)
    assert cluster.says_role(host) == "passive"
    assert cluster.status(host)["guard"]["watchdog"] == "missing"
    assert "watchdog" in host.exec([ACMD, "status"], check=False).stdout
    assert cluster.runs() == []
    assert "/dev/watchdog is not there" in str(cluster.status(host)["guard"])
    cluster.instead = ("", "")
    guard = main_pid(host, "acmd-guard.service")
    host.push("/etc/acmd/acmd.toml", cluster.config(host))
    host.exec(["systemctl", "restart", "acmd"])
    cluster.wait_active(host)
    assert main_pid(host, "acmd-guard.service") != guard
    assert cluster.status(host)["guard"]["watchdog"] == "none"


def test_no_suspend_while_active(cluster: Ladder) -> None:
    """logind lists the lock while the node is active, over a restart of the daemon, and not afterwards."""

    def locks(host: Host) -> str:
        return host.exec(["systemd-inhibit", "--list", "--no-legend"]).stdout

    cluster.profile = "patient"  # a busy machine must start the next daemon before R
    active, peer = cluster.start()
    wait_for(lambda: "acmd" in locks(active), 40, "the lock")
    assert "sleep" in locks(active)
    assert "block" in locks(active)
    wait_for(lambda: cluster.says_role(peer) == "passive", 40, "the peer is there")
    assert "acmd" not in locks(peer)
    active.exec(["systemctl", "restart", "acmd"])
    wait_for(lambda: "acmd" in locks(active), 40, "the lock again")
    wait_for(lambda: cluster.says_role(active) == "active", 40, "it has adopted")
    active.exec(["systemctl", "stop", "acmd"], timeout_s=120)
    cluster.wait_active(peer)
    assert "acmd" not in locks(active)
    wait_for(lambda: "acmd" in locks(peer), 40, "the peer's lock")
