"""sanlock: leases on shared storage, and the service as the lease's process."""

from __future__ import annotations

import shutil
import subprocess

from bench.peers.peer import ETC, Peer
from tests.hosts.host import Host

WATCHDOG = "sanlock relies on a watchdog device here, and the hosts of the bed have none"
BESIDE = "[Service]\nEnvironment=LD_PRELOAD=/opt/limits.so\nRuntimeDirectory=sanlock\n"
INIT = """
set -e
mkdir -p /shared/sanlock && cd /shared/sanlock
for name in lockspace resource; do dd if=/dev/zero of=$name bs=1M count=1 status=none; done
chown -R sanlock:sanlock . && chmod 660 lockspace resource && chmod 755 .
sanlock direct init -s bench:0:/shared/sanlock/lockspace:0
sanlock direct init -r bench:service:/shared/sanlock/resource:0
"""


class Sanlock(Peer):
    """Leases in files, all timeouts the defaults."""

    name = "sanlock"
    title = "sanlock, leases on shared storage"
    storage = "faultfs"
    shared_storage = True
    packages = ("sanlock",)
    units = ("sanlock.service",)
    limit_s = 230.0
    remark = "every timeout is its default (io_timeout 10 s)"
    limits = {"partition": 40.0}  # noqa: RUF012
    lane = "sanlock"
    whole_s = 330.0
    cannot = {"kill": WATCHDOG, "stop": WATCHDOG}  # noqa: RUF012
    mended_by_hand = frozenset({"kill", "stop", "isolation"})

    @classmethod
    def missing(cls) -> str:
        """A compiler for etc/limits.c."""
        return "" if shutil.which("cc") else "no C compiler for bench/peers/etc/limits.c: apt-get install gcc"

    def prepare(self) -> None:
        """Two files of leases, and two units on each host."""
        self.put_service()
        self.hosts[0].exec(INIT)
        library = self.bed.run / "limits.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, ETC / "limits.c"], check=True)
        for number, host in enumerate(self.hosts, start=1):
            host.exec(["systemctl", "mask", "--quiet", "wdmd.service"])
            self.put(host, "sanlock.default", "/etc/default/sanlock")
            host.push("/opt/limits.so", library.read_bytes())
            host.push("/etc/systemd/system/sanlock.service.d/bench.conf", BESIDE)
            for unit in ("sanlock-join.service", "sanlock-service.service"):
                self.put(host, unit, f"/etc/systemd/system/{unit}", NUMBER=str(number))
            host.exec(["systemctl", "daemon-reload"])

    def start(self) -> None:
        """The daemon and the lockspace on both, then the service."""
        names = ["sanlock", "sanlock-join", "sanlock-service"]
        for host in self.hosts:
            host.exec(["systemctl", "enable", "--quiet", *names])
            host.exec(["systemctl", "start", *names], timeout_s=60)

    def planned_move(self, source: Host, target: Host) -> None:
        """Stop the process: its lease is released with it, and the other host's next try gets it."""
        source.exec(["systemctl", "stop", "sanlock-service"])

    def moved(self, source: Host) -> None:
        """The source tries again."""
        source.exec(["systemctl", "start", "sanlock-service"])

    def rejoin(self, host: Host) -> None:
        """The daemon anew, and into the lockspace again."""
        names = ["sanlock-service", "sanlock-join", "sanlock"]
        host.exec(["systemctl", "stop", *names], timeout_s=90, check=False)
        host.exec(["systemctl", "reset-failed"])
        host.exec(["systemctl", "start", *reversed(names)], timeout_s=90)

    def lacking(self) -> str:
        """Both in the lockspace."""
        for host in self.hosts:
            said = host.exec(["sanlock", "client", "status"], check=False).stdout
            spaces = [line for line in said.splitlines() if line.startswith("s bench:")]
            if not spaces or "ADD" in spaces[0]:
                return f"{host.name} is not in the lockspace: {said.strip()}"
        return ""
