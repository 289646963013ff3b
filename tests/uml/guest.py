"""One host with a kernel of its own: the verbs of tests.hosts.host.Host, on User-Mode Linux."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.host import Host
from tests.hosts.image import REPO
from tests.hosts.inside import HostError, Result
from tests.hosts.machine import BOOT_ID, SYSTEM_PATH
from tests.hosts.network import SUBNET
from tests.hosts.storage import Disk, SharedView, StorageError
from tests.uml import agent
from tests.uml.image import Image
from tests.uml.network import TapNetwork

BOOT_TIMEOUT_S = 120.0
POLL_S = 0.1
INSIDE = "/repo/tests/uml/inside"
DATA_OPTIONS = "hard,timeo=50,retrans=2"
ACM_OPTIONS = "hard,timeo=50,retrans=2,noac,lookupcache=none"
SLEW_PPM = 83333  # the most that chrony does by default


class CowDisk(Disk):
    """Copy on write over the image. What the guest did not flush dies with its kernel."""

    def wipe(self) -> None:
        """Make it the image again: the next boot is the first one. The host must be off."""
        self.image.unlink(missing_ok=True)

    def lose_cache(self, keeper_pid: int, mounted_at: Path) -> None:
        """Nothing to do: the cache is the guest's memory."""

    def wait_released(self, timeout_s: float = 20.0) -> None:
        """Nothing to wait for: the file is held by the guest's processes only."""


@dataclass(frozen=True, slots=True)
class NfsView(SharedView):
    """A client's way to the file server: `stop` cuts it in both directions, `go_on` heals it."""

    network: TapNetwork
    name: str
    store: str

    def stop(self) -> None:
        """The server no longer answers this host; SIGKILL ends those that wait."""
        self._cut(True)

    def go_on(self) -> None:
        """Undo stop: what the kernel still has queued is carried out."""
        self._cut(False)

    def heal(self) -> None:
        """As go_on."""
        self._cut(False)

    def fail(self, action: str, *ops: str, **how: Any) -> int:
        """Not with a real server."""
        raise StorageError("a real NFS server has no single faults: use stop, or the verbs of bed.store")

    def forget(self) -> None:
        """Nothing: the cut is the network's, and outlives the boot."""

    def _cut(self, cut: bool) -> None:
        self.network.cut(self.name, self.store, cut)
        self.network.cut(self.store, self.name, cut)


@dataclass(slots=True, kw_only=True)
class Guest(Host):
    """Created and removed by a UmlBed. Its clock, memory, page cache and watchdog are its own."""

    image: Image
    taps: TapNetwork
    manage: str
    role: str = "client"
    nfs: str = "4.2"
    memory_mb: int = 256
    softdog_margin_s: int | None = None
    data_options: str = DATA_OPTIONS
    acm_options: str = ACM_OPTIONS

    # ------------------------------------------------------------------ power

    def power_on(self) -> None:
        """Press the button and return at once; `wait_running` waits. HostError when it is on already."""
        if self._keeper is not None and self._keeper.poll() is None:
            raise HostError(f"{self.name} is on already")
        for group in (self.cgroup, self.keeper_cgroup):
            group.create()
        (self.run / "bed").mkdir(exist_ok=True)
        (self.run / "bed/host.env").write_text(self._describe())
        (self.run / "bed/hosts").write_text((self.run / "hosts").read_text())
        variables = {
            "NAME": self.name,
            "RUN": str(self.run),
            "REPO": str(REPO),
            "ACMD": str(self.image.acmd),
            "WITNESS": str(self.shared.backing),
            "IMAGE": str(self.image.disk),
            "MEMORY_MB": str(self.memory_mb),
            "MAC": f"02:00:00:00:00:{int(self.address.rpartition('.')[2]):02x}",
            "HOST_PROCS": " ".join(map(str, self.cgroup.procs_files())),
            "KEEP_PROCS": " ".join(map(str, self.keeper_cgroup.procs_files())),
            "SCHEDULE": os.environ.get("ACMD_UML_SCHEDULE", ""),
            "AUTO_BOOT": "1" if self.auto_boot else "0",
        }
        command = ["nsenter", f"--net=/run/netns/{self.network.switch}", "--"]
        command += ["unshare", "-m", "--propagation", "private"]
        command += ["bash", str(Path(__file__).with_name("keeper.sh"))]
        with (self.run / "console.log").open("ab") as console:
            self._keeper = subprocess.Popen(
                command,
                env={"PATH": SYSTEM_PATH, **variables},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _describe(self) -> str:
        values = {
            "NAME": self.name,
            "ROLE": self.role,
            "ADDRESS": self.address,
            "MANAGE": self.manage,
            "SUBNET": SUBNET,
            "MACHINE_ID": self.machine_id.replace("-", ""),
            "NFS": self.nfs,
            "ACMD_LAYER": self.image.acmd.name,
            "DATA_OPTIONS": self.data_options,
            "ACM_OPTIONS": self.acm_options,
            "SOFTDOG_MARGIN_S": str(self.softdog_margin_s or ""),
        }
        return "".join(f"{key}='{value}'\n" for key, value in values.items())

    def boot(self, timeout_s: float = BOOT_TIMEOUT_S) -> float:
        """Switch on and wait until systemd says `running`; returns the seconds that it took."""
        return Host.boot(self, timeout_s)

    def wait_running(self, timeout_s: float = BOOT_TIMEOUT_S, after_boot_id: str = "") -> None:
        """Return once the boot (another than `after_boot_id`) is complete, mounts included; HostError if
        degraded or too slow.
        """
        deadline = time.monotonic() + timeout_s
        state = "no answer"
        while time.monotonic() < deadline:
            if self._keeper is None or self._keeper.poll() is not None:
                raise HostError(f"{self.name} went off while booting: {self.console()[-1500:]}")
            done = self._attempt(["cat", BOOT_ID], deadline)
            if done is None or done.stdout.strip() == after_boot_id:
                time.sleep(POLL_S)
                continue
            done = self._attempt(["systemctl", "is-system-running", "--wait"], deadline)
            state = (done.stdout + done.stderr).strip() if done else "no answer"
            if state == "running":
                return
            if state == "degraded":
                failed = self.exec(["systemctl", "--failed", "--no-legend", "--plain"]).stdout
                raise HostError(f"{self.name} is degraded: {failed}")
            time.sleep(POLL_S)
        raise HostError(
            f"{self.name} did not boot in {timeout_s} s, last word: {state}; {self.console()[-1500:]}"
        )

    def is_on(self) -> bool:
        """Whether its kernel is there."""
        return self.cgroup.populated()

    def resets(self) -> int:
        """How often it has reset itself or been switched off, ever."""
        path = self.run / "exits"
        return len(path.read_text().split()) if path.exists() else 0

    # ------------------------------------------------------------------ inside

    def exec(
        self,
        command: list[str] | str,
        *,
        timeout_s: float = 90.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: dict[str, str] | None = None,
    ) -> Result:
        """Run a command (a string: by sh) as root of the guest, whose clock and kernel are its own."""
        words = ["sh", "-c", command] if isinstance(command, str) else command
        return agent.run(
            self.taps, self.name, self.manage, words,
            is_on=self.is_on, timeout_s=timeout_s, check=check, stdin=stdin, env=env,
        )  # fmt: skip

    def limit_memory(self, limit_bytes: int | None) -> None:
        """Not here: a guest's memory is fixed by `memory_mb` before its boot."""
        raise HostError("a guest's memory cannot be limited while it runs")

    def limit_pids(self, limit: int | None) -> None:
        """Allow the guest that many tasks; None takes the limit away."""
        self.exec(["sysctl", "-q", f"kernel.threads-max={limit or 100000}"])

    # ------------------------------------------------------------------ clock and watchdog

    def step_clock(self, seconds: float) -> None:
        """Set the wall clock that far ahead, or back if negative."""
        self.exec(f'date -s "@$(( $(date +%s) + {int(seconds)} ))" >/dev/null')

    def slew_clock(self, ppm: int) -> None:
        """Let wall clock and CLOCK_MONOTONIC run that many millionths too fast; 0 ends it."""
        self.exec(["/usr/bin/python3", "-S", f"{INSIDE}/slew.py", str(ppm)])

    def watchdog_device(self) -> str:
        """softdog's device node; HostError when it is not loaded (see `softdog_margin_s`)."""
        found = self.exec("grep -l '^Software Watchdog' /sys/class/watchdog/*/identity", check=False).stdout
        if not found:
            raise HostError(f"{self.name} has no softdog: set softdog_margin_s before its boot")
        return f"/dev/{found.split()[0].split('/')[4]}"

    # ------------------------------------------------------------------ between tests

    def remember(self) -> None:
        """Nothing: `reset` goes back to the image."""

    def reset(self) -> None:
        """Boot on an empty disk, everything healed."""
        self.disk_reset()


def disk_usage(path: Path) -> int:
    """Bytes that a sparse file really takes."""
    return os.stat(path).st_blocks * 512
