"""Where a campaign takes place: two hosts of a bed, the cluster on them, the witnesses beside it.

A bed of another kind offers the same names and says in `can` which faults it knows.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.campaign.checker import Rows, Stamps, numbers
from tests.campaign.site import TABLE, CampaignSite
from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import REPO, Template, build_template
from tests.hosts.inside import HostError
from tests.hosts.witness import NS_PER_S, wait_for

CAN = frozenset({"rules", "stop", "machine", "network", "power switch"})
TICK_S = 0.1
FIRST_ROW_S = 60.0
POWERED_AGAIN_S = 1.0
QUERY_S = 20.0
OVERLAP_ROWS = 500  # rows before those that are new are looked for again each time


@dataclass(slots=True)
class Place:
    """Use as a context: everything is up inside of it, and gone afterwards."""

    profile: str = "fast"
    agent: bool = False
    template: Template | None = None
    wheels: Path = Path("/nonexistent")
    kind: str = "nspawn"
    recent_s: float = 0.8
    meant_off: set[str] = field(default_factory=set)
    fenced: list[str] = field(default_factory=list)
    twice: int = 0
    _checked: int = 0
    _power_at: dict[str, float] = field(default_factory=dict)
    _client: subprocess.Popen[bytes] | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    bed: Bed = field(init=False)
    site: CampaignSite = field(init=False)
    rows: Rows = field(init=False)
    stamps: Stamps = field(init=False)

    def __enter__(self) -> Place:
        self.template = self.template or build_template()
        self.bed = self.make_bed()
        self._stack.enter_context(self.bed)
        try:
            self.site = self.make_site()
            self.site.start()
            self.rows = Rows(self.bed.run / "client.log")
            self.stamps = Stamps(self.site.stamps())
            self._start_client()
            wait_for(self.rows.read, FIRST_ROW_S * self.site.patience, f"a first row; {self.site.says()}")
            self.at_server(f"cp -a . {self.backup}")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.kill()
            self._client.wait()
        self._stack.close()

    @property
    def hosts(self) -> list[Host]:
        """Both."""
        return self.bed.hosts

    # ------------------------------------------------------------------ otherwise on another bed

    def make_bed(self) -> Bed:
        """The hosts, not yet booted."""
        return Bed(["alpha", "beta"], storage="faultfs", template=self.template)

    def make_site(self) -> CampaignSite:
        """The cluster on them, not yet installed."""
        site = CampaignSite(self.bed, profile=self.profile, agent=self.agent)
        site.machine_witness = self.witness
        return site

    @property
    def witness(self) -> Path:
        """What the hosts have at /witness."""
        return self.bed.witness

    @property
    def backup(self) -> str:
        """A copy of the cluster's directory from the first minute, at the server."""
        return str(self.bed.run / "backup")

    def at_server(self, command: str) -> str:
        """Run a command in the cluster's directory as the file server has it; what it printed."""
        directory = self.bed.shared / "acm/acmd"
        done = subprocess.run(
            ["sh", "-c", command], cwd=directory, check=True, capture_output=True, timeout=QUERY_S
        )
        return done.stdout.decode()

    def databases(self) -> list[str]:
        """On which hosts a database server lives, by the machine's own process table."""
        return [host.name for host in self.hosts if any(_is_database(pid) for pid in host.cgroup.pids())]

    def late_writes(self) -> list[str]:
        """Writes of an ended epoch that landed since the last look. Needs a file server that can be asked."""
        return []

    def other(self, host: Host) -> Host:
        """The one that is not this."""
        return next(each for each in self.hosts if each is not host)

    def _start_client(self) -> None:
        program = REPO / "tests/campaign/client.py"
        words = [sys.executable, str(program), str(self.rows.log), *(host.address for host in self.hosts)]
        self._client = subprocess.Popen(
            self.bed.network.client_command(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    # ------------------------------------------------------------------ time passes

    def sleep(self, seconds: float) -> None:
        """Let time pass; the power switch obeys, and it is watched where the database runs."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(TICK_S, left))

    def tick(self) -> None:
        """What has to happen again and again while a fault lasts."""
        self._obey_fencing()
        for host in self.hosts:
            due = self._power_at.get(host.name)
            if due is not None and time.monotonic() >= due and host.name not in self.meant_off:
                del self._power_at[host.name]
                self.power_on(host)
        if len(self.databases()) > 1:
            self.twice += 1

    def power_on(self, host: Host) -> None:
        """Press the button of a host that is off; one that is on stays as it is."""
        self._power_at.pop(host.name, None)
        self.meant_off.discard(host.name)
        if not host.has_power():
            host.power_off()  # what an unfinished end left
            host.network.isolate(host.name, False)
            host.power_on()

    def _obey_fencing(self) -> None:
        for order in (self.witness / "fence").glob("*.order"):
            name = order.read_text()
            host = next(each for each in self.hosts if each.name == name)
            if host.has_power():
                host.power_off()
                self._power_at[name] = time.monotonic() + POWERED_AGAIN_S
            self.fenced.append(name)
            order.rename(order.with_suffix(".done"))

    # ------------------------------------------------------------------ looking

    def lacking(self) -> str:
        """What is missing for the cluster to be whole; "" when it is."""
        now = time.monotonic_ns()
        rows = self.rows.read()
        if now - rows[-1].at_ns > self.recent_s * NS_PER_S:
            return f"no row for {(now - rows[-1].at_ns) / NS_PER_S:.1f} s"
        running = self.stamps.running(now, self.recent_s)
        if len(running) != 1:
            return f"the stamper runs on {sorted(running) or 'no host'}"
        found = {}
        for host in self.hosts:
            if not host.is_on():
                return f"{host.name} is off"
            found[host.name] = self.site.asked(host)
        return _lacking(found)

    def active(self) -> Host:
        """The one on which the stamper runs. Only when whole."""
        (name,) = self.stamps.running(time.monotonic_ns(), self.recent_s)
        return self.bed[name]

    def lost_rows(self, everything: bool = False) -> list[int]:
        """Numbers of acknowledged rows that are not in the database. Only when whole."""
        rows = self.rows.read()
        start = 0 if everything else max(0, self._checked - OVERLAP_ROWS)
        wanted = [row.number for row in rows[start:]]
        if not wanted:
            return []
        query = f"select n from {TABLE} where n between {wanted[0]} and {wanted[-1]}"  # noqa: S608
        said = (
            self.active().exec(["mariadb", "-N", "-e", query], timeout_s=QUERY_S * self.site.patience).stdout
        )
        lost = sorted(set(wanted) - numbers(said))
        self._checked = len(rows)
        return lost

    def touch_layers(self) -> None:
        """Keep the image that the hosts stand on from being forgotten while they do."""
        for layer in self.template.lower if self.template is not None else ():
            os.utime(layer)

    def keep_evidence(self, directory: Path) -> None:
        """Journals of this boot and the one before, records, what the witnesses say."""
        directory.mkdir(parents=True, exist_ok=True)
        for host in self.hosts:
            for boot in (0, -1):
                with contextlib.suppress(HostError):
                    (directory / f"{host.name}.boot{boot}.journal").write_text(host.journal(boot=boot))
            (directory / f"{host.name}.console").write_text(host.console()[-20000:])
            with contextlib.suppress(HostError):
                words = [
                    "journalctl",
                    "-q",
                    "-b",
                    "-o",
                    "json",
                    "-u",
                    "acmd",
                    "-u",
                    "acmd-guard",
                    "-n",
                    "2000",
                ]
                (directory / f"{host.name}.acmd.json").write_text(host.exec(words).stdout)
            (directory / f"{host.name}.status").write_text(repr(self.site.asked(host)))
        with contextlib.suppress(HostError, OSError, subprocess.SubprocessError):
            listing = self.at_server("ls -la . nodes control; cat lease.* nodes/*")
            (directory / "cluster").write_text(listing)
        (directory / "runs").write_text("\n".join(map(str, self.stamps.runs()[-20:])))
        (directory / "rows").write_text("\n".join(map(str, self.rows.read()[-400:])))


def _is_database(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return "(mariadbd)" in stat and stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def _lacking(found: dict[str, dict[str, Any]]) -> str:
    roles = {name: status.get("role") for name, status in found.items()}
    if sorted(map(str, roles.values())) != ["active", "passive"]:
        return f"roles are {roles}; " + "; ".join(
            f"{name}: {status.get('reason')}" for name, status in found.items()
        )
    for name, status in found.items():
        for node in status["nodes"]:
            wanted = {"all", "active"} if roles[node["name"]] == "active" else {"all"}
            down = [
                unit["name"]
                for unit in node["services"]
                if unit["runs_on"] in wanted and unit["state"] != "running"
            ]
            if node["name"] == name and down:
                return f"{name}: {', '.join(down)} not running"
            if not node["fit"] and roles[node["name"]] == "passive":
                return f"{node['name']} is unfit: {node['unfit_because']} (seen by {name})"
            if node["role"] == "unknown":
                return f"{name} has not heard {node['name']}"
    return ""
