"""`acmd status` while a former holder has to be confirmed off: by the agent, or by a person's word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from acmd.core.decision import Reason
from tests.hosts.bed import Bed
from tests.hosts.cluster import Cluster
from tests.hosts.host import Host
from tests.hosts.image import REPO, Template
from tests.hosts.status_kit import because, follow, over, quiet, roles, said

AGENT_S = 6.0
FENCING = f"""
[fencing]
policy = "required"
agent = ["/usr/bin/python3", "/opt/fence.py", "/witness"]
timeout_s = {AGENT_S}

[hold_down]
first_s = 300.0
"""


@dataclass(slots=True)
class Fenced(Cluster):
    """With a fence agent whose power switch nobody operates: it can confirm nothing."""

    def config(self, host: Host) -> str:
        """The host's configuration."""
        host.push("/opt/fence.py", (REPO / "tests/campaign/fence.py").read_bytes())
        return Cluster.config(self, host) + FENCING


@pytest.fixture(scope="module")
def cluster(template: Template) -> Iterator[Cluster]:
    """Two hosts, quiet."""
    with Bed(["alpha", "beta"], template=template) as bed:
        made = Fenced(bed)
        for host in made.start():
            quiet(host)
            host.exec(["sync", "-f", "/"])
        yield made


def test_a_host_that_stays_off(cluster: Cluster) -> None:
    """Nobody is active while the agent is asked; it cannot tell, a person can, and the node takes over."""
    lost, peer = roles(cluster)
    lost.auto_boot = False
    lost.power_off()
    because(peer, Reason.WAITING)
    said(peer, "late", f"the lease of {lost.name}")
    assert "wait" in said(peer, "fencing", lost.name)
    because(peer, Reason.FENCING, limit_s=AGENT_S)
    said(peer, "nobody", "waits until the former holder is confirmed off", limit_s=AGENT_S)
    remedy = said(peer, "not confirmed", lost.name, level="ALARM")
    because(peer, Reason.HOLD_DOWN)
    said(peer, "nobody", "this node gave up after failures")
    said(peer, "silent", lost.name)
    said(peer, "unconfirmed", lost.name)
    follow(peer, remedy, lost.name)
    over(peer, "not confirmed")
    follow(peer, said(peer, "hold-down", peer.name))
    over(peer, "nobody")
    because(peer, Reason.HOLDING)
    over(peer, "unconfirmed")
    lost.auto_boot = True
    lost.boot()
    quiet(peer)
    quiet(lost)


def test_a_host_that_comes_back(cluster: Cluster) -> None:
    """Seen from there: the holder starts nothing, gives the lease back, and stays out until it is told."""
    lost, peer = roles(cluster)
    lost.power_off()
    said(peer, "fencing", lost.name)
    lost.boot()
    assert peer.name in said(lost, "holder idle", f"{peer.name} holds the lease, and has not started")
    because(lost, Reason.HOLDING)
    follow(lost, said(lost, "hold-down there", peer.name))
    quiet(peer)  # what the agent could not confirm matters no more: the host is heard again
    quiet(lost)
