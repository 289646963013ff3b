"""`acmd detach` on hosts with a real systemd: the daemon stays down, the service lives on."""

from __future__ import annotations

from functools import partial

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, prop
from tests.hosts.host import Host
from tests.hosts.witness import wait_for


def _ended(host: Host) -> bool:
    return prop(host, "ActiveState") == "inactive"


def test_detach_and_back(pair: Bed) -> None:
    """The unit is inactive, not failed, and not started again; the next daemon finds the same process."""
    cluster = Cluster(pair)
    active, passive = cluster.start()
    before = cluster.wait_active(active)
    for host in (active, passive):
        host.exec([ACMD, "detach", "--yes", "--reason", "new storage"])
        wait_for(partial(_ended, host), 30, "the unit ends")
        assert prop(host, "ExecMainStatus") == "4"
    assert cluster.wait_active(active).first_ns == before.first_ns
    for host in (active, passive):
        host.exec(["systemctl", "start", "acmd"])
    active.exec([ACMD, "enable", "--all"])
    assert cluster.status(active)["active"] == active.name
    assert cluster.wait_active(active).first_ns == before.first_ns
    cluster.assert_alone()
