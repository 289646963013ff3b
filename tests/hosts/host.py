"""One host: a real systemd as PID 1 in a container of its own, with the verbs that tests work on it by."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.hosts import inside
from tests.hosts.image import VENV
from tests.hosts.inside import Result
from tests.hosts.machine import Machine


@dataclass(frozen=True, slots=True)
class Baseline:
    """What `reset` goes back to: the units that ran and the unit files that were there after the first
    boot.
    """

    units: frozenset[str]
    files: frozenset[str]


@dataclass(slots=True)
class Host(Machine):
    """Created and removed by a Bed: a Machine, and what tests do inside of it."""

    _baseline: Baseline | None = None
    _pushed: list[str] = field(default_factory=list)

    def exec_python(self, code: str, *, timeout_s: float = 60.0, check: bool = True) -> Result:
        """Run `code` with acmd's interpreter and the repository's own sources (not the installed wheel)."""
        return self.exec(
            [f"{VENV}/bin/python", "-c", code], timeout_s=timeout_s, check=check, env=inside.REPO_ENV
        )

    def run_pytest(self, *arguments: str, timeout_s: float = 600.0) -> Result:
        """Run test files of the repository (paths from its root) inside; HostError with pytest's words if
        red.
        """
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "", "--rootdir", "/repo"]
        command = [f"{VENV}/bin/python", "-m", "pytest", *options, *arguments]
        return self.exec(
            ["sh", "-c", 'cd /repo && exec "$@"', "sh", *command], timeout_s=timeout_s, env=inside.REPO_ENV
        )

    def journal(self, unit: str | None = None, boot: int = 0) -> str:
        """The journal of a boot (0 this one, -1 the one before), of one unit or all."""
        chosen = ["-u", unit] if unit else []
        return self.exec(
            ["journalctl", "--no-pager", "-q", "-o", "short-precise", "-b", str(boot), *chosen]
        ).stdout

    def push(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file inside, atomically, with its directories. `reset` removes it again."""
        data = content.encode() if isinstance(content, str) else content
        script = (
            'set -e; mkdir -p "$(dirname "$1")"; cat > "$1.push"; chmod "$2" "$1.push"; mv "$1.push" "$1"'
        )
        self.exec(["sh", "-c", script, "sh", path, f"{mode:o}"], stdin=data)
        self._pushed.append(path)

    def read(self, path: str) -> str:
        """A file's content."""
        return self.exec(["cat", path]).stdout

    def start_service(self, unit: str) -> None:
        """`systemctl start`, waiting for the job."""
        self.exec(["systemctl", "start", unit], timeout_s=90)

    def stop_service(self, *units: str) -> None:
        """`systemctl stop`, waiting for the job. Name the sockets too, or the next connection starts it
        again.
        """
        self.exec(["systemctl", "stop", *units], timeout_s=90)

    def fill_disk(self, mount: str = "/", leave_bytes: int = 0) -> None:
        """Leave only `leave_bytes` on the file system at `mount` (`/` or `/run`), for root as well."""
        inside.fill(self.exec, mount, leave_bytes)

    def free_disk(self, mount: str = "/") -> None:
        """Undo fill_disk."""
        self.exec(["rm", "-f", f"{mount.rstrip('/')}/{inside.FILLER}"])

    def limit_memory(self, limit_bytes: int | None) -> None:
        """Give the host that much memory; None takes the limit away."""
        self.cgroup.limit_memory(limit_bytes)

    def limit_pids(self, limit: int | None) -> None:
        """Allow the host that many tasks; None takes the limit away."""
        self.cgroup.limit_pids(limit)

    # ------------------------------------------------------------------ between tests

    def remember(self) -> None:
        """Take the present state as the one that `reset` goes back to."""
        self._baseline = Baseline(inside.active_units(self.exec), inside.unit_files(self.exec))
        self._pushed.clear()

    def reset(self) -> None:
        """Heal everything and undo what a test did: execs killed, units stopped, files removed, no limits.

        About 0.2 s. A host that is off, or does not come back to `running` by that, is booted on an empty
        disk. Shared storage is not touched: see Bed.reset.
        """
        if self.is_on() and self._baseline is not None:
            self.thaw()
            self.heal_link()
            self.shared.heal()
            inside.exec_cgroup(self.cgroup).kill()
            self.cgroup.unlimit()
            self.network.forget_inside(self.name, self.address)
            inside.undo(self.exec, self._baseline.units, self._baseline.files, self._pushed)
            self._pushed.clear()
            if self.exec(["systemctl", "is-system-running"], check=False).stdout.strip() == "running":
                return
        self.disk_reset()

    def disk_reset(self) -> None:
        """Boot on an empty disk: a host as if it had just been installed."""
        self.power_off()
        self.network.isolate(self.name, False)
        self.heal_link()
        self.shared.heal()
        self.disk.wipe()
        self.auto_boot = True
        self.boot()
        self.remember()
