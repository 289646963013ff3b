"""A host's hardware: its power, its network card, and the way in. What runs on it is the business of host.py.

What is a host's own: root disk (ext4 image under an overlay), cgroups, network card and address, machine id,
boot id, process ids, journal, /run. What it shares with the machine: the kernel, its clock, its memory.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.hosts import inside
from tests.hosts.cgroups import Cgroup
from tests.hosts.image import REPO
from tests.hosts.inside import HostError, Result
from tests.hosts.network import Network
from tests.hosts.storage import Disk, SharedView

BOOT_TIMEOUT_S = 60.0
BOOT_ID = "/proc/sys/kernel/random/boot_id"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class Machine:
    """Something with a power button that runs systemd as PID 1. Not for use by two threads at once."""

    name: str
    address: str
    bed: str
    run: Path
    network: Network
    disk: Disk
    shared: SharedView
    auto_boot: bool = True
    machine_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    boot_duration_s: float = 0.0
    _keeper: subprocess.Popen[bytes] | None = None

    @property
    def cgroup(self) -> Cgroup:
        """Everything that runs on the host, its supervisor included."""
        return Cgroup(f"{self.bed}/{self.name}.host")

    @property
    def keeper_cgroup(self) -> Cgroup:
        """What stands for its hardware: the keeper, and the file system process behind /shared."""
        return Cgroup(f"{self.bed}/{self.name}.keep")

    # ------------------------------------------------------------------ power

    def power_on(self) -> None:
        """Press the button and return at once; `wait_running` waits. HostError when it is on already."""
        if self.has_power():
            raise HostError(f"{self.name} is on already")
        for group in (self.cgroup, self.keeper_cgroup):
            group.create()
        variables = {
            "NAME": self.name,
            "MACHINE_ID": self.machine_id,
            "ADDRESS": self.address,
            "RUN": str(self.run),
            "DISK": str(self.disk.image),
            "LOWER": ":".join(str(path) for path in self.disk.lower),
            "NETNS": self.network.namespace(self.name),
            "HOST_PROCS": " ".join(map(str, self.cgroup.procs_files())),
            "INIT_SCOPE": str(self.cgroup.unified / "payload/init.scope"),
            "KEEP_PROCS": " ".join(map(str, self.keeper_cgroup.procs_files())),
            "REPO": str(REPO),
            "WITNESS": str(self.run.parent / "witness"),
            "AUTO_BOOT": "1" if self.auto_boot else "0",
            **self.shared.keeper_variables(),
        }
        command = [
            "unshare",
            "-m",
            "--propagation",
            "private",
            "bash",
            str(Path(__file__).with_name("keeper.sh")),
        ]
        with (self.run / "console.log").open("ab") as console:
            # Nothing that stays up may hold a test's pipes.
            self._keeper = subprocess.Popen(
                command,
                env={"PATH": SYSTEM_PATH, **variables},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def boot(self, timeout_s: float = BOOT_TIMEOUT_S) -> float:
        """Switch on and wait until systemd says `running`; returns the seconds that it took."""
        started = time.monotonic()
        self.power_on()
        self.wait_running(timeout_s)
        self.boot_duration_s = time.monotonic() - started
        return self.boot_duration_s

    def wait_running(self, timeout_s: float = BOOT_TIMEOUT_S, after_boot_id: str = "") -> None:
        """Return once the boot (another than `after_boot_id`) is complete; HostError if degraded or too
        slow.
        """
        deadline = time.monotonic() + timeout_s
        state = "no PID 1"
        while time.monotonic() < deadline:
            leader = inside.leader(self.cgroup)
            if leader is None:
                if self._keeper is not None and self._keeper.poll() is not None:
                    raise HostError(f"{self.name} went off while booting: {self.console()[-1500:]}")
                time.sleep(0.02)
                continue
            # --wait hangs on a PID 1 that goes down: hence a limit of its own.
            done = self._attempt(["systemctl", "is-system-running", "--wait"], deadline)
            state = (done.stdout + done.stderr).strip() if done else "no answer"
            if state == "running" and (not after_boot_id or self._boot_id_is_new(after_boot_id, deadline)):
                return
            if state == "degraded" and (not after_boot_id or self._boot_id_is_new(after_boot_id, deadline)):
                failed = self.exec(["systemctl", "--failed", "--no-legend", "--plain"]).stdout
                raise HostError(f"{self.name} is degraded: {failed}")
            time.sleep(0.02)
        raise HostError(
            f"{self.name} did not boot in {timeout_s} s, last word: {state}; {self.console()[-1500:]}"
        )

    def _boot_id_is_new(self, old: str, deadline: float) -> bool:
        # The old boot may end while it is asked.
        done = self._attempt(["cat", BOOT_ID], deadline)
        return done is not None and done.returncode == 0 and done.stdout.strip() != old

    def _attempt(self, command: list[str], deadline: float) -> Result | None:
        limit = max(0.1, min(20.0, deadline - time.monotonic()))
        try:
            return self.exec(command, timeout_s=limit, check=False)
        except HostError:
            return None

    def power_off(self, lose_cache: bool = False) -> float:
        """Cut the power at once; with `lose_cache` also what the disk was never told to keep (all but fsynced
        data).

        Returns the seconds from the cut until nothing of the host was left. Its disk can be booted again.
        """
        started = time.monotonic()
        self.network.power(self.name, False)
        keeper = self._keeper
        if lose_cache and keeper is not None and keeper.poll() is None:
            self.disk.lose_cache(keeper.pid, self.run / "disk")
        # First the host's own processes; those that wait in /shared die with the process behind it.
        if self.cgroup.unified.is_dir():
            (self.cgroup.unified / "cgroup.kill").write_text("1")
        self.keeper_cgroup.kill()
        self.cgroup.wait_empty()
        self.shared.forget()
        if keeper is not None:
            keeper.wait(timeout=20)
        self._keeper = None
        gone_s = time.monotonic() - started
        self.disk.wait_released()
        for group in (self.cgroup, self.keeper_cgroup):
            group.remove()
        return gone_s

    def power_cycle(self, lose_cache: bool = False) -> float:
        """Cut the power and boot again; returns the seconds until `running`."""
        started = time.monotonic()
        self.power_off(lose_cache)
        self.boot()
        return time.monotonic() - started

    def has_power(self) -> bool:
        """Whether it is switched on, be it in the middle of a reset of its own."""
        return self._keeper is not None and self._keeper.poll() is None

    def is_on(self) -> bool:
        """Whether a PID 1 is there."""
        return inside.leader(self.cgroup) is not None

    def freeze(self, drop_packets: bool = True) -> None:
        """Stop the whole host as a paused virtual machine is; without `drop_packets` its kernel still
        answers.
        """
        if drop_packets:
            self.network.isolate(self.name, True)
        self.cgroup.freeze(True)

    def thaw(self) -> None:
        """Let a frozen host go on, and its packets pass."""
        self.network.isolate(self.name, False)
        self.cgroup.freeze(False)

    # ------------------------------------------------------------------ network

    def cut_link(self) -> None:
        """Pull the cable."""
        self.network.plug(self.name, False)

    def heal_link(self) -> None:
        """Plug the cable in again."""
        self.network.plug(self.name, True)

    # ------------------------------------------------------------------ inside

    def exec(
        self,
        command: list[str] | str,
        *,
        timeout_s: float = 30.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: dict[str, str] | None = None,
    ) -> Result:
        """Run a command (a string: by sh) as the host's root, unable to set the clock; see inside.run."""
        words = ["sh", "-c", command] if isinstance(command, str) else command
        return inside.run(
            self.name, self.cgroup, words, timeout_s=timeout_s, check=check, stdin=stdin, env=env
        )

    def boot_id(self) -> str:
        """The id of this boot, as the host's own processes see it."""
        return self.exec(["cat", BOOT_ID]).stdout.strip()

    def console(self) -> str:
        """What all boots of this host said on the console."""
        return (self.run / "console.log").read_text(errors="replace")
