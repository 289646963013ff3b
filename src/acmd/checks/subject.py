"""What checks may look at: local files below a root, programs with a limit, what the daemon says.

Shared storage is never touched from here: what stands there is asked of processes that can be given up
(`storage`). What hangs all the same is given up with the whole check (`apart`). A root other than `/` is for
tests and for hosts that are not booted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acmd.checks.finding import Silent
from acmd.config.model import Config

LARGEST_FILE = 1 << 20
RUN_LIMIT_S = 10.0
AGAIN_LIMIT_S = 1.0  # for a program that did not answer before: the next question is cut short
LAST_WAIT_S = 0.2  # for what was killed; a process that hangs in the kernel does not go
FILES_LIMIT = 2000
SYSTEMD_HANGS = (
    "acmd cannot start or stop units meanwhile: `timeout 5 systemctl is-system-running` tries it, "
    "`journalctl -b -p warning` says why it hangs; a restart of the host ends it"
)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program said. `code` None: there is no such program, or (`late`) it did not end in time."""

    code: int | None
    output: str
    waited_s: float = 0.0  # until it was given up

    @property
    def late(self) -> bool:
        """Whether it was given up."""
        return self.waited_s > 0

    @property
    def fine(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Subject:
    """One host, as checks see it."""

    config: Config | None = None
    snapshot: Mapping[str, Any] = field(default_factory=dict)  # as `acmd status --json`; empty: not asked
    root: Path = Path("/")
    limit_s: float = RUN_LIMIT_S
    refused: tuple[tuple[str, str], ...] = ()  # why there is no configuration, and what to do, each
    slow: set[str] = field(default_factory=set, compare=False)  # programs that did not answer

    @property
    def settings(self) -> Config:
        """The configuration, for checks that are only run with one."""
        if self.config is None:
            raise RuntimeError("a check that needs a configuration was run without")
        return self.config

    @property
    def privileged(self) -> bool:
        """Whether everything can be seen."""
        return os.geteuid() == 0

    @property
    def running(self) -> bool:
        """Whether the daemon answered."""
        return bool(self.snapshot) and self.snapshot.get("role") not in (None, "not-running")

    def at(self, path: str) -> Path:
        """Where a path of the host is."""
        return self.root / path.lstrip("/")

    def read(self, path: str) -> str | None:
        """A local file's text, at most a megabyte of it; None when it is not there or cannot be read."""
        try:
            with self.at(path).open("rb") as file:
                return file.read(LARGEST_FILE).decode("utf-8", "replace")
        except OSError:
            return None

    def files(self, directory: str) -> Iterator[str]:
        """The ordinary files of a local directory and of those in it, by their paths, at most 2000."""
        top = self.at(directory)
        count = 0
        for where, directories, names in os.walk(top):
            directories.sort()
            for name in sorted(names):
                count += 1
                if count > FILES_LIMIT:
                    return
                path = Path(where) / name
                if path.is_file():
                    yield f"/{path.relative_to(self.root)}"

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """What `systemctl show` says of a unit; nothing where there is no systemd. Raises Silent."""
        ran = self.run("systemctl", "show", f"--property={','.join(properties)}", "--", name)
        if ran.late:
            raise Silent(
                f"systemd does not say within {ran.waited_s:g} s what it knows of {name}", SYSTEMD_HANGS
            )
        return dict(line.split("=", 1) for line in ran.output.splitlines() if "=" in line) if ran.fine else {}

    def run(self, *command: str, limit_s: float | None = None) -> Ran:
        """Run a program that only looks; given up at the limit. Never raises for what the program does."""
        limit_s = limit_s or self.limit_s
        if command[0] in self.slow:
            limit_s = min(limit_s, AGAIN_LIMIT_S)
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": ""},
                start_new_session=True,
            )
        except OSError:
            return Ran(None, "")
        try:
            output, _ = child.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.slow.add(command[0])
            give_up(child)
            return Ran(None, "", limit_s)
        return Ran(child.returncode, output.decode("utf-8", "replace"))


def give_up(child: subprocess.Popen[bytes]) -> None:
    """Kill a process and what it started, and wait for nothing: on dead storage it may never go."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    try:
        child.wait(LAST_WAIT_S)
    except subprocess.TimeoutExpired:
        child.returncode = -signal.SIGKILL  # it hangs in the kernel and will be that
