"""ACM's method: a script that cron starts every minute, and a file on shared storage whose age decides."""

from __future__ import annotations

from bench.peers.peer import Peer
from tests.hosts.host import Host

RUN = "/shared/acm_data/run"
SCRIPT = "/opt/aspera/acm/bin/acm4orchestrator"
FRESH_FILE_S = 75


class Acm(Peer):
    """Re-enacted with real cron: checks each minute, a file that is too old after two."""

    name = "acm"
    title = "ACM's method, re-enacted (cron, 60 s / 120 s)"
    storage = "faultfs"
    shared_storage = True
    packages = ()
    units = ("cron.service",)
    limit_s = 190.0
    remark = (
        "cron is killed or stopped; the planned move is by hand: it is disabled on the active node, and "
        "the service stopped there"
    )
    limits = {"partition": 70.0, "kill": 70.0}  # noqa: RUF012
    lane = "acm"
    whole_s = 200.0

    def prepare(self) -> None:
        """The script, its line for cron, and the port that it asks."""
        self.put_service()
        for host in self.hosts:
            self.put(host, "acm4orchestrator", SCRIPT, 0o755)
            self.put(host, "mysql-port.service", "/etc/systemd/system/mysql-port.service")
            wants = "[Unit]\nWants=mysql-port.service\n"
            host.push("/etc/systemd/system/witness.service.d/port.conf", wants)
            host.exec(["systemctl", "daemon-reload"])
        self.hosts[0].exec(["mkdir", "-p", RUN])

    def start(self) -> None:
        """Once by hand, as its manual says; then cron."""
        for host in self.hosts:
            order = f"{SCRIPT} {host.address} {self.other(host).address}"
            host.exec(order)
            host.push("/etc/cron.d/acm", f"* * * * * root {order} >/dev/null 2>&1\n")
            host.exec(["sync", "-f", "/"])

    def planned_move(self, source: Host, target: Host) -> None:
        """There is none. By hand: ACM disabled on the active node and MySQL stopped there."""
        source.exec(f"touch {RUN}/disabled.{source.name} && systemctl stop witness")

    def moved(self, source: Host) -> None:
        """Enabled again."""
        source.exec(["rm", f"{RUN}/disabled.{source.name}"])

    def lacking(self) -> str:
        """cron on both, and a file that is fresh and names the active host."""
        for host in self.hosts:
            if host.exec(["systemctl", "is-active", "cron"], check=False).returncode:
                return f"{host.name}: cron does not run"
        file = self.bed.shared / "acm_data/run/acm4orchestrator.status"
        age = self.hosts[0].exec(f"echo $(($(date +%s) - $(stat -c %Y {RUN}/{file.name})))").stdout
        if int(age) > FRESH_FILE_S:
            return f"the status file is {age.strip()} s old"
        named = file.read_text().strip()
        return "" if {named} == self.running() else f"the status file names {named}"
