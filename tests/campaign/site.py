"""The cluster under test: Apache on both hosts; MariaDB and the stamper on the active one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.image import REPO
from tests.hosts.inside import HostError
from tests.hosts.site import DATABASE, MYSQL, PREPARE, YML
from tests.hosts.witness import wait_for

WITNESS = "/witness"
IGNORE_TERM = f"{WITNESS}/ignore-term"
FENCE_ORDERS = f"{WITNESS}/fence"
TABLE = "orchestrator.numbers"
START_S = 60.0
ASK_S = 10.0

CONFIG = """
services = ["APACHE", "MYSQL"]

[cluster]
directory = "{directory}"

[node]
address = "{address}"

[timing]
profile = "{profile}"

[guard]
last_resort = "reset"
watchdog = "{watchdog}"
watchdog_device = "{watchdog_device}"

[hold_down]
first_s = 3.0
longest_s = 10.0

[database]
file = "/etc/orchestrator/database.yml"
{fencing}
[[service]]
name = "APACHE"
unit = "apache2.service"
after = []
probe = [{{ kind = "http", port = 80, interval_s = 2.0 }}]

[[service]]
name = "MYSQL"
unit = "mariadb.service"
data_directories = ["/shared/mysql"]
restart = {{ max_restarts = 3, window_s = 60.0 }}
probe = [{{ kind = "mysql", must_be_writable = true, interval_s = 1.0, timeout_s = 2.0 }}]

[[service]]
name = "witness"
kind = "command"
command = ["/usr/bin/python3", "/opt/stamper.py", "{witness}", "ignore-term-if", "{ignore_term}"]
stop_timeout_s = 2.0
"""

FENCING = f"""
[fencing]
policy = "required"
agent = ["/usr/bin/python3", "/opt/fence.py", "{FENCE_ORDERS}"]
suspect_after_s = {{suspect_s}}
timeout_s = 20.0
"""
SUSPECT_S = {"fast": 2.5, "standard": 6.5}

# Files on the data directory's file system are one thing, what a fault leaves of them another: no native AIO,
# which some test kernels lack.
SERVER = (
    MYSQL
    + "innodb_use_native_aio=0\ninnodb_buffer_pool_size=32M\nskip_name_resolve=1\nperformance_schema=0\n"
    "loose_innodb_buffer_pool_size_max=64M\n"
)


def stamps_of(witness: str) -> str:
    """Where the stampers write, below the witness' directory."""
    return f"{witness}/stamps"


@dataclass(slots=True)
class CampaignSite(Cluster):
    """A `Cluster` with a database, a web server, and perhaps a fence agent."""

    agent: bool = False
    watchdog: str = "off"
    watchdog_device: str = "/dev/watchdog"
    further: str = ""  # services beside those of CONFIG
    patience: float = 1.0  # how much longer everything may take than on the fast bed
    machine_witness: Path = Path("/nonexistent")
    witness: str = stamps_of(WITNESS)

    def config(self, host: Host) -> str:
        """The host's configuration."""
        fencing = FENCING.format(suspect_s=SUSPECT_S[self.profile]) if self.agent else ""
        made = CONFIG.format(
            address=host.address,
            directory=self.directory,
            profile=self.profile,
            witness=self.witness,
            ignore_term=IGNORE_TERM,
            fencing=fencing,
            watchdog=self.watchdog,
            watchdog_device=self.watchdog_device,
        )
        return made + self.further

    def stamps(self) -> Path:
        """The stampers' directory as the machine sees it."""
        return Path(stamps_of(str(self.machine_witness)))

    def install(self) -> None:
        """Everything on both hosts, MariaDB's data on shared storage; nothing is started."""
        Cluster.install(self)
        agent = (REPO / "tests/campaign/fence.py").read_bytes()
        for host in self.bed.hosts:
            host.push("/opt/fence.py", agent)
            host.push(DATABASE, YML, 0o640)
            host.push("/etc/mysql/mariadb.conf.d/95-shared.cnf", SERVER)
        (self.machine_witness / "fence").mkdir(exist_ok=True)
        self.bed.hosts[0].exec(
            PREPARE.replace("orchestrator.entries (id varchar(80)", f"{TABLE} (n bigint"),
            timeout_s=START_S * self.patience,
        )

    def start(self) -> tuple[Host, Host]:
        """Everything up, enabled at boot too: the host that became active, and the other one."""
        self.install()
        self.init()
        first, second = self.bed.hosts
        for host in (first, second):
            host.exec(["systemctl", "enable", "acmd"])
            host.exec(["systemctl", "start", "acmd"], timeout_s=START_S * self.patience)
            self.wait_role(host, "active" if host is first else "passive")
        # What was installed long ago is on the disk by the time that the power goes.
        for host in (first, second):
            host.exec(["sync", "-f", "/"])
        return first, second

    def wait_role(self, host: Host, role: str) -> None:
        """Until `acmd status` says so."""
        limit_s = START_S * self.patience
        wait_for(lambda: self.asked(host).get("role") == role, limit_s, f"{host.name} {role}; {self.says()}")

    def init(self) -> None:
        """Make the cluster's directory."""
        host = self.bed.hosts[0]
        host.exec(["mkdir", "-p", str(Path(self.directory).parent)])
        host.exec([ACMD, "init"], timeout_s=START_S * self.patience)

    def asked(self, host: Host) -> dict[str, Any]:
        """`acmd status --json`, or {} when nothing sensible comes."""
        try:
            said = host.exec([ACMD, "status", "--json"], check=False, timeout_s=ASK_S * self.patience).stdout
            found: dict[str, Any] = json.loads(said)
        except (HostError, ValueError):
            return {}
        return found
