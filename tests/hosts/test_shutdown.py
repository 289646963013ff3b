"""A host that goes down: released while the mount and the network that carry the lease are still there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import Cluster, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.witness import NS_PER_S, wait_for

# As an entry of fstab with _netdev makes it; the bed's /shared is nobody's mount unit.
MOUNT = """[Unit]
Description=shared storage
Before=remote-fs.target
[Mount]
What=/shared
Where=/srv/acm
Type=none
Options=bind,_netdev
"""
# As whatever brings the network up: it takes it down again at its own stop.
NETWORK = """[Unit]
Description=the network
Wants=network.target
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/usr/bin/python3 -c "import time; open('/shared/network-down', 'w').write(str(time.monotonic_ns()))"
"""
RELEASED_NS = 3 * NS_PER_S  # the takeover wait of the fast profile is 5.5 s


@pytest.fixture
def cluster(template: Template) -> Iterator[Cluster]:
    """Two hosts whose lease directory is on a mount that systemd takes away on the way down."""
    with Bed(["alpha", "beta"], template=template) as bed:
        for host in bed.hosts:
            host.push("/etc/systemd/system/srv-acm.mount", MOUNT)
            host.push("/etc/systemd/system/fake-network.service", NETWORK)
            host.exec("mkdir -p /srv/acm; systemctl unmask remote-fs.target; systemctl daemon-reload")
            host.exec("systemctl start srv-acm.mount fake-network.service remote-fs.target")
        yield Cluster(bed, directory="/srv/acm/acm/acmd", witness="/srv/acm/witness")
        renew(bed)


def at(host: Host, words: str) -> int:
    """The line of the last boot's journal in which PID 1 says so."""
    lines = host.journal(boot=-1).splitlines()
    return max(index for index, line in enumerate(lines) if words in line)


def test_released_before_mount_and_network(cluster: Cluster) -> None:
    """The peer takes over without a takeover wait; network and mount went only after the daemon."""
    active, peer = cluster.start()
    wait_for(lambda: cluster.status(peer).get("role") == "passive", 30, "the peer is there")
    active.auto_boot = False
    active.exec(["systemctl", "poweroff"], check=False)
    cluster.wait_active(peer)
    first, second = cluster.assert_alone()
    assert second.first_ns - first.last_ns < RELEASED_NS
    mark = cluster.bed.shared / "network-down"
    wait_for(lambda: mark.exists() and mark.read_text().isdigit(), 30, "the network went down, and said when")
    assert int(mark.read_text()) > first.last_ns
    wait_for(lambda: not active.has_power(), 60, "it is off")
    active.boot()
    stopped = at(active, "Stopped acmd.service")
    assert stopped < at(active, "Unmounted srv-acm.mount")
    assert stopped < at(active, "Stopped fake-network.service")
