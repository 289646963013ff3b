"""Patroni with etcd on three hosts: the service is PostgreSQL's primary."""

from __future__ import annotations

from bench.peers.peer import Peer, PeerError
from tests.hosts.host import Host

CONFIG = "/etc/patroni/config.yml"
START_S = 90.0


class Patroni(Peer):
    """Two PostgreSQL servers; etcd on both and on a third host."""

    name = "patroni"
    title = "etcd + patroni (PostgreSQL), three hosts"
    names = ("alpha", "beta", "gamma")
    packages = ("etcd-server", "patroni", "postgresql-15")
    units = ("patroni.service",)
    limit_s = 60.0
    remark = (
        "the service is PostgreSQL itself: a stamp is a transaction that the local server took as primary; "
        "Patroni alone is killed or stopped"
    )
    lane = "patroni"
    whole_s = 120.0

    def prepare(self) -> None:
        """etcd everywhere, Patroni on two; what the database takes is stamped."""
        for host in self.bed.hosts:
            self.put(host, "etcd.default", "/etc/default/etcd")
        for host in self.hosts:
            self.put(host, "patroni.yml", CONFIG)
            self.put(host, "pg_stamper.py", "/opt/pg_stamper.py")
            self.put(host, "pg-witness.service", "/etc/systemd/system/pg-witness.service")
            host.exec(["systemctl", "daemon-reload"])
            host.exec("install -d -o postgres -g postgres -m 750 /var/lib/postgresql/15")

    def start(self) -> None:
        """etcd's quorum, then one server after the other."""
        for host in self.bed.hosts:
            host.exec(["systemctl", "enable", "--quiet", "etcd"])
            host.exec(["systemctl", "start", "--no-block", "etcd"])
        for host in self.bed.hosts:
            if not self.wait(lambda host=host: self._up(host, "etcd"), START_S, 0.2):  # type: ignore[misc]
                raise PeerError(f"etcd did not come up on {host.name}: {host.journal('etcd')[-1500:]}")
        for host in self.hosts:
            host.exec(["systemctl", "enable", "--quiet", "patroni", "pg-witness"])
            host.exec(["systemctl", "start", "patroni", "pg-witness"])
            self.wait(self.running, START_S, 0.2)

    def signal(self, host: Host, name: str) -> None:
        """Patroni itself: PostgreSQL's processes are in the same unit, and are the service."""
        host.exec(["systemctl", "kill", "-s", name, "--kill-whom=main", "patroni"], check=False)

    def planned_move(self, source: Host, target: Host) -> None:
        """`patronictl switchover`."""
        words = ["patronictl", "-c", CONFIG, "switchover", "--candidate", target.name, "--force", "bench"]
        source.exec(words, timeout_s=90)

    def lacking(self) -> str:
        """A primary beside the service, and a replica that streams."""
        for host in self.hosts:
            role = "primary" if {host.name} == self.running() else "replica"
            said = host.exec(["curl", "-sf", f"http://{host.address}:8008/{role}"], check=False)
            if said.returncode:
                return f"{host.name} is no {role}: {said.stdout[:300]}"
            if role == "primary" and '"streaming"' not in said.stdout:
                return f"nobody streams from {host.name}: {said.stdout[:300]}"
        return ""

    @staticmethod
    def _up(host: Host, unit: str) -> bool:
        return host.exec(["systemctl", "is-active", unit], check=False).returncode == 0
