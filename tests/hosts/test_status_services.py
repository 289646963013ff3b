"""`acmd status` while services fail, are slow to stop or run where they must not; unfit nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from acmd.core.decision import Reason
from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.status_kit import because, checked, follow, over, quiet, roles, said

FRONT = """#!/bin/sh
[ ! -e /run/broken ] || { echo "no licence"; exit 7; }
exec sleep infinity
"""
OLD = """#!/bin/sh
P=/run/old.pid
case $1 in
start) (setsid sleep 100000 >/dev/null 2>&1 & echo $! > $P);;
stop) while [ -e /run/slow ]; do sleep 0.1; done; [ ! -e $P ] || kill $(cat $P); rm -f $P;;
status) [ -e $P ] || exit 3; kill -0 $(cat $P) || exit 1;;
*) exit 3;;
esac
exit 0
"""
FURTHER = """
[hold_down]
first_s = 300.0

[fitness]
check = ["/usr/bin/test", "!", "-e", "/run/unfit"]
interval_s = 1.0
fail_after = 1

[[service]]
name = "front"
kind = "command"
command = ["/opt/front"]
restart = { max_restarts = 2, backoff_s = 2.0 }

[[service.probe]]
kind = "command"
name = "mood"
command = ["/usr/bin/test", "!", "-e", "/run/sick"]
interval_s = 1.0
fail_after = 1000

[[service]]
name = "old"
kind = "sysv"
script = "/opt/old"
stop_timeout_s = 20.0
"""


@dataclass(slots=True)
class WithServices(Cluster):
    """A service that can be broken, one that can be slow, and a check of the node's own."""

    def config(self, host: Host) -> str:
        """The host's configuration."""
        host.push("/opt/front", FRONT, 0o755)
        host.push("/opt/old", OLD, 0o755)
        return Cluster.config(self, host) + FURTHER


@pytest.fixture(scope="module")
def cluster(template: Template) -> Iterator[Cluster]:
    """Two hosts, quiet."""
    with Bed(["alpha", "beta"], template=template) as bed:
        made = WithServices(bed, profile="standard")
        for host in made.start():
            quiet(host)
        yield made


def test_a_probe_that_fails(cluster: Cluster) -> None:
    """With what it said, on both hosts, until it is well again."""
    active, passive = roles(cluster)
    active.exec(["touch", "/run/sick"])
    said(passive, "probe", f"probe mood of service front on {active.name} failed")
    assert f"its log on {active.name}" in said(active, "probe", "mood")
    active.exec(["rm", "/run/sick"])
    quiet(active)
    quiet(passive)


def test_a_service_that_cannot_be_kept_up(cluster: Cluster) -> None:
    """It is said while it is tried; then the node hands over, and stays out until it is told otherwise."""
    active, passive = roles(cluster)
    active.exec("touch /run/broken /run/slow; pkill -x -f 'sleep infinity' || true")
    said(active, "service", f"service front on {active.name} is")
    because(active, Reason.SERVICE_FAILED)
    said(active, "leaving", "a service cannot be kept up here", level="ALARM")
    active.exec(["rm", "/run/slow"])
    said(active, "hold-down", active.name)
    because(active, Reason.HOLD_DOWN)
    remedy = said(passive, "hold-down there", active.name)
    said(passive, "nobody else", passive.name)
    active.exec(["rm", "/run/broken"])
    follow(passive, remedy)
    quiet(passive, "service")
    assert "before" in said(passive, "service", f"front on {active.name} is failed", level="NOTE")
    passive.exec([ACMD, "switchover"], timeout_s=120)  # it runs there again, so that nothing is left to note
    quiet(passive)
    quiet(active)


def test_services_that_are_slow_to_stop(cluster: Cluster) -> None:
    """A switchover and a stop of the daemon while they go on: no alarm; the other host says what it sees."""
    active, passive = roles(cluster)
    active.exec(f"touch /run/slow; {ACMD} switchover >/dev/null 2>&1 &")
    said(active, "leaving", "gives the active role up and stops its services", level="WARN")
    because(active, Reason.SWITCHOVER)
    said(passive, "holder idle", f"{active.name} holds the lease, and gives the active role up")
    active.exec(["rm", "/run/slow"])
    quiet(passive)
    quiet(active)
    passive.exec("touch /run/slow; systemctl stop --no-block acmd")
    because(passive, Reason.STOPPING)
    said(passive, "leaving", "the daemon stops", level="WARN")
    passive.exec("rm /run/slow; systemctl stop acmd; systemctl start acmd", timeout_s=90)
    quiet(passive)
    quiet(active)


def test_a_service_where_it_must_not_run(cluster: Cluster) -> None:
    """Started by hand on the passive host: said on both while it is being stopped, with what follows."""
    active, passive = roles(cluster)
    passive.exec("touch /run/slow; /opt/old start")
    because(passive, Reason.OWN_SERVICES_LEFT)
    said(passive, "kept back", passive.name)
    said(active, "remark", f"{passive.name} remarks: old ran here without a lease and is being stopped")
    passive.exec(["rm", "/run/slow"])
    over(passive, "kept back")
    quiet(active)
    quiet(passive)


def test_an_unfit_node(cluster: Cluster) -> None:
    """By its own check: said on both hosts, with what the check said."""
    active, passive = roles(cluster)
    passive.exec(["touch", "/run/unfit"])
    said(active, "unfit", f"{passive.name} is not fit to run the services")
    said(active, "nobody else", active.name)
    said(passive, "unfit", "exit code 1")
    because(passive, Reason.UNFIT)
    checked(active, "nodes", "KO")
    passive.exec(["rm", "/run/unfit"])
    quiet(active)
    quiet(passive)
