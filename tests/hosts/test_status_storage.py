"""`acmd status` when the shared directory goes for the passive host, for the active one, or is full."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from acmd.core.decision import Reason
from acmd.status import SENTENCES as REASONS
from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.status_kit import because, checked, follow, over, page, quiet, roles, said, status, warnings
from tests.hosts.storage import EVERY_OP, faultfs_available
from tests.hosts.witness import wait_for

CONFIG = "/etc/acmd/acmd.toml"
EVERYWHERE = "[mysqld]\nbind_address=0.0.0.0\n"
NO_LAST_RESORT = "no last resort"


@dataclass(slots=True)
class ForTests(Cluster):
    """Without a last resort, and with the interlock for a MySQL that acmd does not keep."""

    def config(self, host: Host) -> str:
        """The host's configuration."""
        host.push("/etc/mysql/mariadb.conf.d/95-everywhere.cnf", EVERYWHERE)
        return Cluster.config(self, host) + "\n[interlock]\nmysql = true\nport = 3306\n"


@pytest.fixture(scope="module")
def cluster(template: Template) -> Iterator[Cluster]:
    """Two hosts whose storage can go away; all there is to say of them is that they have no last resort."""
    if not faultfs_available():
        pytest.skip("without pyfuse3 no storage can be taken away")
    with Bed(["alpha", "beta"], storage="faultfs", template=template) as bed:
        made = ForTests(bed, last_resort="none", options=("stuck", "/shared/payload"))
        for host in made.start():
            quiet(host, NO_LAST_RESORT)
        yield made


def test_a_passive_host_without_storage(cluster: Cluster) -> None:
    """It names the directory and where to look, and after a lease's time it does not know who is active."""
    active, passive = roles(cluster)
    passive.shared.stop()
    try:
        assert "findmnt" in said(passive, "storage", "/shared/acm/acmd does not work: it does not answer")
        said(passive, "hanging")
        assert not [one for one in warnings(passive) if "was last renewed" in one.what]
        because(passive, Reason.STORAGE)
        said(active, "silent", passive.name)
        said(active, "nobody else")
        said(passive, "nobody known")
        assert "active    not known" in page(passive)
    finally:
        passive.shared.go_on()
    quiet(passive, NO_LAST_RESORT)
    quiet(active, NO_LAST_RESORT)


def test_storage_that_is_full(cluster: Cluster) -> None:
    """Nothing can be created there: said as such, and no failover, since a renewal needs no room."""
    active, passive = roles(cluster)
    active.shared.fail("errno", "create", error=errno.ENOSPC)
    try:
        assert "df -h /shared/acm/acmd" in said(active, "storage full")
        said(passive, "silent", active.name)
        assert status(passive)["active"] == active.name
    finally:
        active.shared.clear()
    quiet(active, NO_LAST_RESORT)
    quiet(passive, NO_LAST_RESORT)


def test_an_active_host_without_storage(cluster: Cluster) -> None:
    """It stops, then kills; its MySQL, which nobody stopped, keeps the other host from taking over.

    That one says who answers, and the order in its remedy is followed. Back again, all is well.
    """
    active, passive = roles(cluster)
    active.exec(["systemctl", "start", "mariadb"], timeout_s=60)
    active.shared.fail("stall", *EVERY_OP)  # SIGKILL ends nobody who waits for it
    try:
        late = REASONS[Reason.RENEW_DEADLINE]
        said(active, "leaving", f"has lost the lease and stops its services: {late}", level="ALARM")
        said(active, "leaving", "kills what is left", level="ALARM")
        because(active, Reason.KILL_DEADLINE)
        said(active, "storage")
        remedy = said(passive, "interlock", active.address)
        because(passive, Reason.INTERLOCK)
        said(passive, "nobody", "an interlock blocks the promotion")
        follow(passive, remedy, "override")
        over(passive, "nobody")
        over(passive, "interlock")
        said(passive, "unconfirmed", active.name)
        assert status(passive)["role"] == "active"
    finally:
        active.shared.clear()
        active.exec(["systemctl", "stop", "mariadb"], timeout_s=60)
    over(passive, "unconfirmed")  # it is heard again, and passive
    quiet(passive, NO_LAST_RESORT)
    quiet(active, NO_LAST_RESORT)


def replaced(active: Host, passive: Host) -> None:
    """Until the passive host's guard is of today's settings; while it is replaced its node is not fit."""
    wait_for(
        lambda: (
            not status(passive)["guard"]["outdated"] and all(node["fit"] for node in status(active)["nodes"])
        ),
        30,
        "another guard",
    )


def test_a_last_resort(cluster: Cluster) -> None:
    """Configured as the remedy says: the guard that is armed stays the old one until a switchover."""
    active, passive = roles(cluster)
    before = {host.name: host.read(CONFIG) for host in (active, passive)}
    remedies = {host.name: said(host, NO_LAST_RESORT) for host in (active, passive)}
    checked(passive, "guard", "KO")
    for host in (passive, active):
        host.push(CONFIG, before[host.name].replace('last_resort = "none"', 'last_resort = "reset"'))
        follow(host, remedies[host.name])
    quiet(passive, "service")  # what was killed there is noted as failed, until it runs there again
    over(active, NO_LAST_RESORT)
    replaced(active, passive)
    follow(active, said(active, "old guard"))
    quiet(active)
    quiet(passive)
    checked(active, "guard", "OK")
    for host in (active, passive):  # as it was for the other tests, with guards that fit
        host.push(CONFIG, before[host.name])
        host.exec(["systemctl", "restart", "acmd"], timeout_s=90)
    quiet(active, NO_LAST_RESORT)
    replaced(passive, active)  # they have changed places
    passive.exec([ACMD, "switchover"], timeout_s=120)
    quiet(passive, NO_LAST_RESORT)
    quiet(active, NO_LAST_RESORT)
