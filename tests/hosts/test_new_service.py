"""A service that is configured while the guard is armed: nothing runs that this guard could not kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.witness import wait_for

UNIT = "[Service]\nExecStart=/bin/sleep infinity\n"
SERVICE = '\n[[service]]\nname = "extra"\nkind = "systemd"\nunit = "extra.service"\ndata_directories = []\n'


@pytest.fixture
def cluster(template: Template) -> Iterator[Cluster]:
    """Two hosts with the unit; acmd does not know it yet."""
    with Bed(["alpha", "beta"], template=template) as bed:
        made = Cluster(bed)
        for host in bed.hosts:
            host.push("/etc/systemd/system/extra.service", UNIT)
        made.start()
        yield made


def runs(host: Host) -> bool:
    """Whether it does."""
    return host.exec(["systemctl", "is-active", "extra"], check=False).stdout.strip() == "active"


def test_a_service_that_the_armed_guard_does_not_know(cluster: Cluster) -> None:
    """It is not started, and status says why and what to do; started by hand, the node hands over in order,
    to one whose guard knows it; the guard here is replaced then.
    """
    active, passive = cluster.bed.hosts
    for host in (passive, active):
        host.push("/etc/acmd/acmd.toml", cluster.config(host) + SERVICE)
        host.exec(["systemctl", "restart", "acmd"], timeout_s=60)
    wait_for(lambda: "service-barred" in active.journal(), 20, "it is said")
    said = active.exec([ACMD, "status"], check=False).stdout
    assert "the guard that is armed was started before this service was configured" in said
    assert cluster.status(active)["role"] == "active"
    assert not runs(active)
    wait_for(lambda: not cluster.status(passive)["guard"]["outdated"], 20, "the passive node's guard is new")
    active.exec(["systemctl", "start", "extra"])
    wait_for(lambda: runs(passive), 30, f"handed over; {cluster.says()}")
    assert not runs(active)
    wait_for(lambda: not cluster.status(active)["guard"]["outdated"], 20, "the guard is replaced")
    wait_for(lambda: all(node["fit"] for node in cluster.status(passive)["nodes"]), 20, "fit again")
    passive.exec([ACMD, "switchover"])
    wait_for(lambda: runs(active), 20, "it runs under a guard that knows it")
    cluster.assert_alone()
