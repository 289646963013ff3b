"""A cluster of acmd on the hosts of a bed: the units of packaging/, a configuration, a witness as service."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import REPO
from tests.hosts.inside import HostError
from tests.hosts.witness import NS_PER_S, Run, overlaps_ns, runs, wait_for

UNITS = REPO / "packaging/systemd"
ACMD = "/opt/acmd/venv/bin/acmd"
DIRECTORY = "/shared/acm/acmd"
WITNESS = "/shared/witness"
TAKEOVER_S = {"fast": 5.5 + 0.4 + 1.0, "standard": 14.7 + 1.0 + 1.0}  # W + h + 1 s

CONFIG = """
[cluster]
directory = "{directory}"

[node]
address = "{address}"

[timing]
profile = "{profile}"

[guard]
last_resort = "{last_resort}"

[[service]]
name = "witness"
kind = "command"
command = ["/usr/bin/python3", "/opt/stamper.py", "{witness}"{options}]
stop_timeout_s = 5
"""


def install_units(host: Host) -> None:
    """What a package will do."""
    for unit in UNITS.iterdir():
        host.push(f"/etc/systemd/system/{unit.name}", unit.read_bytes())
    host.exec(["systemctl", "daemon-reload"])


@dataclass(slots=True)
class Cluster:
    """Made by `install`; everything in it goes with the hosts' disks."""

    bed: Bed
    profile: str = "fast"
    last_resort: str = "reset"
    options: tuple[str, ...] = ()
    witness: str = WITNESS
    directory: str = DIRECTORY

    def install(self) -> None:
        """Units, configuration and witness on every host; nothing is started, no cluster made."""
        stamper = (REPO / "tests/hosts/stamper.py").read_bytes()
        for host in self.bed.hosts:
            host.push("/opt/stamper.py", stamper)
            host.push("/etc/acmd/acmd.toml", self.config(host))
            install_units(host)

    def config(self, host: Host) -> str:
        """The host's configuration."""
        return CONFIG.format(
            directory=self.directory,
            address=host.address,
            profile=self.profile,
            last_resort=self.last_resort,
            witness=self.witness,
            options="".join(f', "{option}"' for option in self.options),
        )

    def init(self) -> None:
        """Make the cluster's directory."""
        self.bed.hosts[0].exec(["mkdir", "-p", str(Path(self.directory).parent)])
        self.bed.hosts[0].exec([ACMD, "init"])

    def start(self) -> tuple[Host, Host]:
        """Everything up, enabled at boot too: the host that became active, and the other one."""
        self.install()
        self.init()
        first, second = self.bed.hosts
        for host in (first, second):
            host.exec(["systemctl", "enable", "acmd"])
        first.exec(["systemctl", "start", "acmd"], timeout_s=90)
        self.wait_active(first)
        second.exec(["systemctl", "start", "acmd"], timeout_s=90)
        return first, second

    # -- looking ----------------------------------------------------------------------------------

    def status(self, host: Host) -> dict[str, Any]:
        """`acmd status --json`."""
        found: dict[str, Any] = json.loads(host.exec([ACMD, "status", "--json"], check=False).stdout)
        return found

    def runs(self) -> list[Run]:
        """What the witnesses stamped on shared storage."""
        directory = self.bed.shared / Path(self.witness).name
        return runs(directory) if directory.is_dir() else []

    def running(self, host: Host, since_ns: int = 0) -> Run | None:
        """The host's run that stamped within the last 50 ms, and started after `since_ns`."""
        now = time.monotonic_ns()
        ours = [run for run in self.runs() if run.node == host.name and run.first_ns > since_ns]
        return next((run for run in ours if now - run.last_ns < NS_PER_S // 20), None)

    def wait_active(self, host: Host, timeout_s: float = 20.0, since_ns: int = 0) -> Run:
        """Until the service runs there."""
        run = wait_for(
            lambda: self.running(host, since_ns), timeout_s, f"the service runs on {host.name}; {self.says()}"
        )
        assert run is not None
        return run

    def says(self) -> str:
        """For a failed assertion: the last words of every daemon."""
        lines = []
        for host in self.bed.hosts:
            try:
                words = host.exec(
                    ["journalctl", "-q", "-n", "12", "-o", "cat", "-u", "acmd", "-u", "acmd-guard"],
                    timeout_s=5,
                )
            except HostError as error:
                lines.append(f"{host.name}: {error}")
            else:
                lines.append(f"{host.name}:\n{words.stdout}")
        return "\n".join(lines)

    def assert_alone(self) -> list[Run]:
        """No instant at which the service ran on two hosts. Returns all runs."""
        found = self.runs()
        assert found
        assert overlaps_ns(found) == []
        return found


def prop(host: Host, name: str, unit: str = "acmd.service") -> str:
    """A property of a unit."""
    return host.exec(["systemctl", "show", "-P", name, unit]).stdout.strip()


def renew(bed: Bed) -> None:
    """Hosts as if just installed, on empty shared storage."""
    bed.network.heal()
    for host in bed.hosts:
        host.disk_reset()
    for path in bed.shared.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main_pid(host: Host, unit: str = "acmd.service") -> int:
    """The unit's main process, 0 when there is none."""
    return int(prop(host, "MainPID", unit))
