"""Apache, the application and MariaDB on shared storage, kept by acmd on two hosts of a bed."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

from tests.hosts.cluster import ACMD, Cluster, prop
from tests.hosts.host import Host
from tests.hosts.image import REPO
from tests.hosts.witness import NS_PER_S, wait_for

UNITS = {"APACHE": "apache2.service", "ORCHESTRATOR": "orchestrator.service", "MYSQL": "mariadb.service"}
DATABASE = "/etc/orchestrator/database.yml"
SECRET = "s3cr3t"

CONFIG = """
services = ["APACHE", "ORCHESTRATOR", "MYSQL"]

[cluster]
directory = "/shared/acm/acmd"

[node]
address = "{address}"

[timing]
profile = "{profile}"

[guard]
last_resort = "reset"

[database]
file = "/etc/orchestrator/database.yml"

[publish]
enabled = true

[[service]]
name = "APACHE"
unit = "apache2.service"
probe = [{{ kind = "http", port = 80, interval_s = 2.0 }}]

[[service]]
name = "ORCHESTRATOR"
unit = "orchestrator.service"

[[service]]
name = "MYSQL"
unit = "mariadb.service"
data_directories = ["/shared/mysql"]
probe = [{{ kind = "mysql", must_be_writable = true, interval_s = 2.0 }}]
"""

YML = f"""# Orchestrator's own file
production: &live
  adapter: mysql2   # never changed
  database: orchestrator
  username: orchestrator
  password: '{SECRET}'
  host: "10.9.9.9"  # the active node
  port: 3306
"""

ORCHESTRATOR = """[Unit]
Description=A small application in Orchestrator's place
[Service]
ExecStart=/opt/acmd/venv/bin/python /opt/orchestrator.py /etc/orchestrator/database.yml /shared/rows
"""

MYSQL = """[mysqld]
datadir=/shared/mysql
bind_address=0.0.0.0
innodb_flush_log_at_trx_commit=1
sync_binlog=1
"""

PREPARE = f"""
set -e
cp -a /var/lib/mysql /shared/mysql
mariadbd --user=mysql --bootstrap <<'SQL'
flush privileges;
create database orchestrator;
create table orchestrator.entries (id varchar(80) primary key) engine=innodb;
create user orchestrator@'%' identified by '{SECRET}';
grant all on *.* to orchestrator@'%';
SQL
mkdir -p /shared/rows && chmod 777 /shared/rows
"""


@dataclass(slots=True)
class Site(Cluster):
    """A `Cluster` whose services are real ones."""

    extra: str = ""
    unit_names: dict[str, str] = field(default_factory=lambda: dict(UNITS))

    def config(self, host: Host) -> str:
        """The host's configuration."""
        return CONFIG.format(address=host.address, profile=self.profile) + self.extra

    def prepare(self) -> None:
        """Files on both hosts, and MariaDB's data on shared storage. acmd is installed, not started."""
        self.install()
        application = (REPO / "tests/hosts/orchestrator.py").read_bytes()
        for host in self.bed.hosts:
            host.push("/opt/orchestrator.py", application)
            host.push(DATABASE, YML, 0o640)
            host.push("/etc/mysql/mariadb.conf.d/95-shared.cnf", MYSQL)
            host.push("/etc/systemd/system/orchestrator.service", ORCHESTRATOR)
            host.exec("systemctl daemon-reload")
        self.bed.hosts[0].exec(PREPARE, timeout_s=60)

    def up(self) -> tuple[Host, Host]:
        """Everything runs and rows come from both hosts: the active host, and the other one."""
        self.prepare()
        self.init()
        first, second = self.bed.hosts
        for host in (first, second):
            host.exec(["systemctl", "enable", "acmd"])
        first.exec(["systemctl", "start", "acmd"])
        self.wait_role(first, "active")
        second.exec(["systemctl", "start", "acmd"])
        self.wait_rows(first, second)
        return first, second

    def wait_role(self, host: Host, role: str, timeout_s: float = 30.0) -> None:
        """Until `acmd status` says so."""
        wait_for(
            lambda: self.status(host).get("role") == role, timeout_s, f"{host.name} {role}; {self.says()}"
        )

    # -- rows -------------------------------------------------------------------------------------

    def rows(self, host: Host) -> list[tuple[str, int]]:
        """The rows of this host's application that MySQL acknowledged, and when."""
        found = []
        for path in (self.bed.shared / "rows").glob(f"{host.name}-*"):
            lines = path.read_text().split("\n")[:-1]
            found += [(words[0], int(words[1])) for line in lines if len(words := line.split()) == 2]
        return sorted(found, key=lambda row: row[1])

    def wait_rows(self, *hosts: Host, timeout_s: float = 60.0) -> None:
        """Until each of them had a row acknowledged after now."""
        now = time.monotonic_ns()
        for host in hosts:
            wait_for(
                lambda host=host: (rows := self.rows(host)) and rows[-1][1] > now,  # type: ignore[misc]
                timeout_s,
                f"rows from {host.name}; {self.says()}",
            )

    def lost(self, active: Host) -> set[str]:
        """Rows that were acknowledged and are not there."""
        acknowledged = {name for host in self.bed.hosts for name, _ in self.rows(host)}
        assert acknowledged
        there = active.exec(["mariadb", "-N", "-e", "select id from orchestrator.entries"]).stdout.split()
        return acknowledged - set(there)

    def longest_gap_s(self, host: Host) -> float:
        """Between two acknowledged rows of this host."""
        times = [at for _, at in self.rows(host)]
        return max(later - earlier for earlier, later in itertools.pairwise(times)) / NS_PER_S

    # -- units ------------------------------------------------------------------------------------

    def invocations(self, host: Host) -> dict[str, str]:
        """Each unit's present run; a restart gives another one."""
        return {unit: prop(host, "InvocationID", unit) for unit in UNITS.values()}

    def running(self, host: Host, since_ns: int = 0) -> None:
        """Not for this kind of cluster."""
        raise NotImplementedError

    def active_units(self, host: Host) -> set[str]:
        """Which of the three run there."""
        return {name for name, unit in UNITS.items() if prop(host, "ActiveState", unit) == "active"}


__all__ = ["ACMD", "DATABASE", "UNITS", "Site"]
