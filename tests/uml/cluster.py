"""acmd on a UmlBed: tests.hosts' Cluster with its directory on NFS and its witness past all of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.inside import HostError
from tests.hosts.witness import NS_PER_S, Run, wait_for
from tests.uml.bed import UmlBed
from tests.uml.guest import Guest

WATCHDOG_DEVICE = "/dev/watchdog1"
STAMP_AGE_S = 0.3  # a guest's processors are the machine's, shared with everybody
WHOLE_TIMEOUT_S = 90.0

# A file for each epoch: who writes to it, and how far that came.
WRITER = """
[[service]]
name = "writer-{mode}"
kind = "command"
command = ["/usr/bin/python3", "/repo/tests/uml/inside/writer.py", "/shared/blocks", "{mode}"]
stop_timeout_s = {stop_timeout_s}
"""

BROKEN = "/run/systemd/system/acmd-guard.service.d"
# What a guard is started as from now on does nothing; the next boot knows nothing of that.
NO_GUARD = (
    f"mkdir -p {BROKEN}; cd {BROKEN}; "
    "printf '[Service]\\nExecStart=\\nExecStart=/bin/sleep 1000\\n' > a.conf; "
    "systemctl daemon-reload; "
)


@dataclass(slots=True)
class NfsCluster(Cluster):
    """`start` it once; `whole` waits for one active and one passive node after whatever was done to it."""

    profile: str = "standard"  # a guest is too slow for the watchdogs of `fast` when the machine is busy
    witness: str = "/witness/stamps"
    watchdog: str = "off"
    writer: bool = False

    def config(self, host: Host) -> str:
        """The host's configuration."""
        text = Cluster.config(self, host)
        dog = f'[guard]\nwatchdog = "{self.watchdog}"\nwatchdog_device = "{WATCHDOG_DEVICE}"\n'
        return text.replace("[guard]\n", dog) + (
            WRITER.format(mode="direct", stop_timeout_s=5) if self.writer else ""
        )

    def start(self) -> tuple[Host, Host]:
        """Everything up, enabled at boot too: the host that became active, and the other one."""
        self.install()
        self.init()
        for host in self.bed.hosts:
            host.exec(["systemctl", "enable", "--now", "acmd"], timeout_s=90)
        return self.whole()

    def whole(self, timeout_s: float = WHOLE_TIMEOUT_S) -> tuple[Host, Host]:
        """The active and the passive host, once both say so and the service runs on the active one."""
        deadline = time.monotonic() + timeout_s
        roles: dict[str, str] = {}
        while time.monotonic() < deadline:
            roles = {host.name: self.role(host) for host in self.bed.hosts}
            if sorted(roles.values()) == ["active", "passive"]:
                active, peer = sorted(self.bed.hosts, key=lambda host: roles[host.name])
                if self.running(active):
                    return active, peer
            time.sleep(0.2)
        raise AssertionError(f"not whole after {timeout_s} s: {roles}; {self.says()}")

    def role(self, host: Host) -> str:
        """What the host says of itself; what went wrong when it says nothing."""
        try:
            return str(self.status(host).get("role"))
        except (HostError, ValueError) as error:
            return f"no answer: {str(error)[:80]}"

    def switchover(self, active: Host) -> None:
        """Ask the active host to hand over, and return when it did; again while it has not heard its peer."""

        def told() -> bool:
            return active.exec([ACMD, "switchover"], timeout_s=60, check=False).returncode == 0

        wait_for(told, 60, f"{active.name} hands over")

    def running(self, host: Host, since_ns: int = 0) -> Run | None:
        """The host's run that stamped just now, and started after `since_ns`; looks at ends of files only."""
        now = time.monotonic_ns()
        for path in (self.bed.shared / "stamps").glob(f"{host.name}-*-*"):
            _, epoch, first = path.name.rsplit("-", 2)
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - 64))
                stamps = [int(line) for line in file.read().split(b"\n")[1:-1]]
            fresh = stamps and now - stamps[-1] < STAMP_AGE_S * NS_PER_S
            if fresh and int(first) > since_ns:
                return Run(host.name, int(epoch), int(first), stamps[-1], 0)
        return None

    def taken_over(self, peer: Host, timeout_s: float = 40.0) -> tuple[Run, Run]:
        """Wait for the peer's service: the run before it, and its own. Nothing may overlap, ever."""
        now_ns = time.monotonic_ns()
        since_ns = max((run.first_ns for run in self.runs() if run.node != peer.name), default=now_ns)
        wait_for(lambda: self.running(peer, since_ns), timeout_s, f"runs on {peer.name}; {self.says()}")
        found = self.assert_alone()
        return found[-2], found[-1]


def guest(bed: UmlBed, host: Host) -> Guest:
    """The same host, with the verbs that only a kernel of its own has."""
    return bed[host.name]
