"""One node of the demo: power it on, cut its power, cut it off from its storage, ask its daemon."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import acmd
from acmd.cli.client import ask
from acmd.cli.demo import machine
from acmd.cli.demo.place import NodePlace
from acmd.errors import AcmdError

START_LIMIT_S = 10.0
END_LIMIT_S = 5.0
LOOK_LIMIT_S = 1.0
_NURSERY = b"acmd.drivers.lease_worker.nursery"


@dataclass(slots=True)
class Node:
    """A make-believe host with a real `acmd run` on it."""

    place: NodePlace
    daemon_pid: int = 0
    stalled: list[int] = field(default_factory=list)
    _machine: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return self.place.name

    @property
    def powered(self) -> bool:
        """Whether it is on."""
        return self._machine is not None

    @property
    def machine_pid(self) -> int:
        """The process that everything of this node is a descendant of. Raises RuntimeError without power."""
        if self._machine is None:
            raise RuntimeError(f"node {self.name} has no power")
        return self._machine.pid

    def is_empty(self) -> bool:
        """Whether nothing at all runs on it."""
        return self._machine is None or not machine.descendants(self._machine.pid)

    def power_on(self) -> None:
        """Boot: /run is empty, then `acmd run` starts. Raises AcmdError when nothing comes up."""
        shutil.rmtree(self.place.run_dir, ignore_errors=True)
        arguments = [sys.executable, "-I", "-S", machine.__file__]
        arguments += [sys.executable, "-P", "-m", "acmd", "run", "--config", str(self.place.config)]
        with self.place.log.open("ab") as log:
            self._machine = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        self.daemon_pid = self._started()

    def _started(self) -> int:
        """The process id of the daemon that the machine has just started. Raises AcmdError."""
        if self._machine is None or self._machine.stdout is None:
            raise RuntimeError(f"node {self.name} has no power")
        stdout = self._machine.stdout
        ready, _, _ = select.select([stdout], [], [], START_LIMIT_S)
        line = stdout.readline() if ready else b""
        if not line.strip().isdigit():
            self.close()
            raise AcmdError(f"node {self.name} does not start", f"its log: {self.last_words()}")
        return int(line)

    def crash_daemon(self) -> None:
        """SIGKILL to the daemon alone, and at once another one, as the service manager does it."""
        if self._machine is None or self._machine.stdin is None:
            raise RuntimeError(f"node {self.name} has no power")
        os.kill(self.daemon_pid, signal.SIGKILL)
        self._machine.stdin.write(b"start\n")
        self._machine.stdin.flush()
        self.daemon_pid = self._started()

    def power_off(self) -> float:
        """SIGKILL to everything on it at one stroke, as a power loss. Returns its `time.monotonic()`."""
        if self._machine is None:
            return time.monotonic()
        machine.end_all(self._machine.pid)
        at = time.monotonic()
        self.close()
        return at

    def close(self) -> None:
        """Whatever it does, end all of it and wait until it is gone."""
        if self._machine is None:
            return
        self.heal()
        with contextlib.suppress(OSError):
            if self._machine.stdin is not None:
                self._machine.stdin.close()
        try:
            self._machine.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            machine.end_all(self._machine.pid)
            self._machine.kill()
            self._machine.wait()
        if self._machine.stdout is not None:
            self._machine.stdout.close()
        self._machine = None
        self.daemon_pid = 0

    # -- its storage ------------------------------------------------------------------------------

    def stall_storage(self) -> float:
        """Make every call on shared storage hang, as when the network to it is cut.

        All these calls are made in worker processes, forked by one nursery: stop that first, so
        that there are no new ones, then those that are there. What is under way lands when it
        heals, as a hard NFS mount does. Returns the `time.monotonic()` of it.
        """
        nurseries = [pid for pid in machine.descendants(self.daemon_pid) if _is_nursery(pid)]
        for pid in nurseries:
            os.kill(pid, signal.SIGSTOP)
            self.stalled.append(pid)
        at = time.monotonic()
        for pid in [worker for nursery in nurseries for worker in machine.descendants(nursery)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self.stalled.append(pid)
        if not self.stalled:
            raise AcmdError(f"node {self.name} has no storage workers to stop", "this is a bug of the demo")
        return at

    def heal(self) -> None:
        """Let the calls go on."""
        alive = set(machine.descendants(self._machine.pid)) if self._machine is not None else set()
        machine.send([pid for pid in self.stalled if pid in alive], signal.SIGCONT)
        self.stalled.clear()

    # -- what it says -----------------------------------------------------------------------------

    def status(self) -> dict[str, Any] | None:
        """Its daemon's snapshot; None when there is none to be had."""
        if not self.powered:
            return None
        try:
            return ask(self.place.glance(), {"do": "status"}, LOOK_LIMIT_S)
        except AcmdError:
            return None

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        try:
            text = self.place.log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def _is_nursery(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return _NURSERY in command and b"-c\0" in command and not _is_worker(pid)


def _is_worker(pid: int) -> bool:
    """Workers name themselves; they are forks of the nursery with the same command line."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "acmd-storage"
    except OSError:
        return True


def _environment() -> dict[str, str]:
    """As a service manager would give it, and where this acmd is found."""
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "HOME", "TMPDIR"}}
    found_at = [str(Path(acmd.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, found_at))}
