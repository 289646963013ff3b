"""Maintenance of all on hosts with a real systemd: daemons may come and go, services stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, prop, renew
from tests.hosts.host import Host
from tests.hosts.witness import wait_for

EVERYWHERE = """
[[service]]
name = "everywhere"
kind = "command"
runs_on = "all"
command = ["/bin/sleep", "987654"]
"""


@dataclass(slots=True)
class WithEverywhere(Cluster):
    """With a service of every node."""

    def config(self, host: Host) -> str:
        """That one too."""
        return Cluster.config(self, host) + EVERYWHERE


def _everywhere(host: Host) -> str:
    return host.exec(["pgrep", "-f", "^/bin/sleep 987654"], check=False).stdout.strip()


def _ended(host: Host) -> bool:
    return prop(host, "ActiveState") == "inactive"


def test_detach_and_back(pair: Bed) -> None:
    """The unit is inactive, not failed, and not started again; the next daemon finds the same process."""
    renew(pair)
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


def test_services_of_every_node_stay_as_they_are(pair: Bed) -> None:
    """In maintenance one that was ended stays down, and one that runs outlives its daemon; then both run."""
    renew(pair)
    cluster = WithEverywhere(pair)
    active, passive = cluster.start()
    wait_for(lambda: _everywhere(active) and _everywhere(passive), 10, "it runs on both")
    active.exec([ACMD, "disable", "--all", "--reason", "work on the network"])
    wait_for(lambda: "work on the network" in passive.exec([ACMD, "status"], check=False).stdout, 10, "known")
    before = _everywhere(active)
    active.exec(["systemctl", "stop", "acmd"], timeout_s=60)
    passive.exec(["pkill", "-KILL", "-f", "^/bin/sleep 987654"])
    passive.exec(["systemctl", "restart", "acmd"], timeout_s=60)
    active.exec(["systemctl", "start", "acmd"], timeout_s=60)
    wait_for(lambda: cluster.status(active).get("role") == "detached", 15, "it is back")
    wait_for(lambda: cluster.status(passive).get("role") == "passive", 15, "it is back")
    assert _everywhere(active) == before
    assert not _everywhere(passive)
    active.exec([ACMD, "enable", "--all"])
    wait_for(lambda: _everywhere(passive), 15, "it runs again")
    assert _everywhere(active) == before
