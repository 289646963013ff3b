"""`acmd status` when the lease is nobody's: its holder is dead, its record another cluster's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from acmd.core.decision import Reason
from acmd.core.lease import LeaseState, Record, encode, lease_name
from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.image import Template
from tests.hosts.status_kit import because, follow, over, quiet, roles, said, status


@pytest.fixture(scope="module")
def cluster(template: Template) -> Iterator[Cluster]:
    """Two hosts, quiet."""
    with Bed(["alpha", "beta"], template=template) as bed:
        made = Cluster(bed)
        for host in made.start():
            quiet(host)
            host.exec(["sync", "-f", "/"])
        yield made


def test_a_holder_that_died_in_maintenance(cluster: Cluster) -> None:
    """Nobody takes over from it, until an operator says that it is dead, and then that it is off."""
    lost, peer = roles(cluster)
    lost.exec([ACMD, "disable", "--all"])
    because(lost, Reason.DETACHED)
    lost.auto_boot = False
    lost.power_off()
    remedy = said(peer, "detached", lost.name)
    said(peer, "silent", lost.name)
    said(peer, "all disabled")
    because(peer, Reason.ALL_DISABLED)
    follow(peer, remedy)
    over(peer, "detached")
    over(peer, "all disabled")
    because(peer, Reason.HOLDING)
    follow(peer, said(peer, "unconfirmed", lost.name), lost.name)
    over(peer, "unconfirmed")
    lost.auto_boot = True
    lost.boot()
    quiet(peer)
    quiet(lost)


def test_a_record_of_another_cluster(cluster: Cluster) -> None:
    """Nobody acts on it, and both hosts say why; taken away, one of them is active again."""
    epoch = status(cluster.bed.hosts[0])["epoch"] + 1
    stray = cluster.bed.shared / "acm/acmd" / lease_name(epoch)
    stray.write_bytes(
        encode(
            Record(
                cluster_id="another",
                epoch=epoch,
                sequence=0,
                holder="gamma",
                incarnation="i",
                attempt="a",
                machine_id="m",
                boot_id="b",
                duration_ms=4500,
                state=LeaseState.HELD,
            )
        )
    )
    for host in cluster.bed.hosts:
        assert "acmd check --group storage" in said(host, "refused", lease_name(epoch))
        because(host, Reason.REFUSED_RECORD)
    stray.unlink()
    for host in cluster.bed.hosts:
        quiet(host)


def test_a_run_directory_that_is_full(cluster: Cluster) -> None:
    """The guard cannot write its gate and says so; what acmd keeps there has its room, so it stays active."""
    active, passive = roles(cluster)
    active.fill_disk("/run")
    try:
        assert "journalctl -u acmd-guard" in said(active, "guard", "the gate cannot be written")
        assert status(passive)["active"] == active.name
    finally:
        active.free_disk("/run")
    quiet(active)
    quiet(passive)
