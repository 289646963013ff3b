"""acmd itself, in the three ways in which it is used."""

from __future__ import annotations

from typing import ClassVar

from bench.peers.peer import ETC, Peer
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host


class Acmd(Peer):
    """Profile `standard`, no fence agent."""

    name = "acmd"
    title = "acmd, profile `standard`"
    storage = "faultfs"
    shared_storage = True
    units = ("acmd.service",)
    limit_s = 22.0
    remark = "the daemon is killed or stopped, not its guard, a process of its own that is there for this"
    profile: ClassVar[str] = "standard"
    fencing: ClassVar[bool] = False

    def prepare(self) -> None:
        """The units of packaging/, and the configuration."""
        self.cluster = Cluster(self.bed, profile=self.profile)
        self.cluster.install()
        self.put_service()
        for host in self.hosts:
            self.put(host, "acmd.toml", "/etc/acmd/acmd.toml", PROFILE=self.profile)
            if self.fencing:
                text = host.read("/etc/acmd/acmd.toml") + (ETC / "acmd-fencing.toml").read_text()
                host.push("/etc/acmd/acmd.toml", text)

    def start(self) -> None:
        """One node first, so that it is known who is active."""
        self.cluster.init()
        for host in self.hosts:
            host.exec(["systemctl", "enable", "acmd"])
            host.exec(["systemctl", "start", "acmd"], timeout_s=60)

    def planned_move(self, source: Host, target: Host) -> None:
        """`acmd switchover`."""
        source.exec([ACMD, "switchover", "--to", target.name], timeout_s=60)

    def lacking(self) -> str:
        """Roles, and a passive node that is fit."""
        try:
            roles = {host.name: self.cluster.status(host) for host in self.hosts}
        except ValueError:  # no JSON: it was asked too early after a boot
            return "a daemon does not answer yet"
        if sorted(str(status.get("role")) for status in roles.values()) != ["active", "passive"]:
            return f"roles are { {name: status.get('role') for name, status in roles.items()} }"
        for name, status in roles.items():
            for node in status["nodes"]:
                if node["name"] == name and not node["fit"]:
                    return f"{name} is unfit: {node['unfit_because']}"
                if node["role"] == "unknown":
                    return f"{name} has not heard {node['name']}"
        return ""


class AcmdFast(Acmd):
    """Profile `fast`, for storage that always answers quickly."""

    name = "acmd-fast"
    title = "acmd, profile `fast`"
    profile = "fast"
    limit_s = 12.0


class AcmdFenced(Acmd):
    """Profile `standard` with a required fence agent."""

    name = "acmd-fenced"
    title = "acmd, profile `standard`, fence agent required"
    fencing = True
