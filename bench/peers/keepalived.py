"""keepalived: VRRP decides, notify scripts start and stop the service."""

from __future__ import annotations

from bench.peers.peer import Peer
from tests.hosts.host import Host


class Keepalived(Peer):
    """Two routers of one virtual address."""

    name = "keepalived"
    title = "keepalived (VRRP)"
    packages = ("keepalived",)
    units = ("keepalived.service",)
    limit_s = 15.0
    remark = "Debian's unit does not restart it after a kill"

    def prepare(self) -> None:
        """The service and one configuration file."""
        self.put_service()
        for host, priority in zip(self.hosts, ("100", "90"), strict=True):
            self.put(host, "keepalived.conf", "/etc/keepalived/keepalived.conf", PRIORITY=priority)
            self.put(host, "keepalived.drop-in", "/etc/systemd/system/keepalived.service.d/bench.conf")
            host.exec(["systemctl", "daemon-reload"])

    def start(self) -> None:
        """Both; the first one becomes master."""
        for host in self.hosts:
            host.exec(["systemctl", "enable", "--quiet", "keepalived"])
            host.exec(["systemctl", "start", "keepalived"])
            self.wait(self.running, 15.0)

    def planned_move(self, source: Host, target: Host) -> None:
        """Stopping the master makes it resign with priority 0."""
        source.exec(["systemctl", "stop", "keepalived"])

    def moved(self, source: Host) -> None:
        """Back as the backup."""
        source.exec(["systemctl", "start", "keepalived"])

    def lacking(self) -> str:
        """Both daemons."""
        return "".join(
            f"{host.name}: keepalived does not run; "
            for host in self.hosts
            if host.exec(["systemctl", "is-active", "keepalived"], check=False).returncode
        )
