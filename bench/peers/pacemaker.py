"""corosync and pacemaker, with and without fencing."""

from __future__ import annotations

import os
from typing import ClassVar

from bench.peers.peer import Peer, PeerError
from tests.hosts.host import Host

START_S = 60.0


class Pacemaker(Peer):
    """Two nodes without fencing."""

    name = "pacemaker"
    title = "corosync + pacemaker, no fencing"
    packages = ("corosync", "pacemaker")
    units = ("corosync.service", "pacemaker.service")
    limit_s = 25.0
    remark = (
        "all processes of corosync and pacemaker are killed or stopped; systemd restarts them after a kill. "
        "2 s of each planned move are pacemaker's pause until it looks again at a unit that stops; agents of "
        "other kinds have none"
    )
    lane = "pacemaker"
    whole_s = 90.0
    resources: ClassVar[str] = "pacemaker-unfenced.sh"

    def prepare(self) -> None:
        """One key, one corosync.conf."""
        self.put_service()
        key = os.urandom(256)
        for host in self.hosts:
            self.put(host, "corosync.conf", "/etc/corosync/corosync.conf")
            host.push("/etc/corosync/authkey", key, 0o400)
            self.put(host, "fence_bed", "/usr/sbin/fence_bed", 0o755)

    def start(self) -> None:
        """The cluster, then what it is told to keep."""
        for host in self.hosts:
            host.exec(["systemctl", "enable", "--quiet", *self.units])
            host.exec(["systemctl", "start", "--no-block", *self.units])
        if not self.wait(self._online, START_S, 0.5):
            raise PeerError(f"{self.name}: both nodes did not come online\n{self.words()}")
        self.put(self.hosts[0], self.resources, "/root/resources.sh", 0o755)
        self.hosts[0].exec(["/root/resources.sh"], timeout_s=60)

    def planned_move(self, source: Host, target: Host) -> None:
        """`crm_resource --move`, as `pcs resource move` does."""
        source.exec(["crm_resource", "--resource", "witness", "--move", "--node", target.name])

    def moved(self, source: Host) -> None:
        """The constraint that the move left."""
        source.exec(["crm_resource", "--resource", "witness", "--clear"])

    def rejoin(self, host: Host) -> None:
        """Both daemons, and the failures forgotten."""
        super().rejoin(host)
        self.wait(self._online, START_S, 0.5)
        host.exec(["crm_resource", "--cleanup"], check=False)

    def lacking(self) -> str:
        """Both nodes online by the word of both."""
        return "" if self._online() else "not both nodes are online"

    def _online(self) -> bool:
        said = [host.exec(["crm_mon", "-1", "--inactive"], check=False).stdout for host in self.hosts]
        return all("Online: [ alpha beta ]" in text for text in said)


class PacemakerFenced(Pacemaker):
    """Two nodes with a fence device for each."""

    name = "pacemaker-fenced"
    title = "corosync + pacemaker, fence device for each node"
    resources = "pacemaker-fenced.sh"
