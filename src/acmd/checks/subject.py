"""What checks may look at: local files below a root, programs with a limit, what the daemon says.

Shared storage is never touched from here: what stands there is asked of processes that can be given up
(`storage`). A root other than `/` is for tests and for hosts that are not booted.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acmd.config.model import Config

LARGEST_FILE = 1 << 20
RUN_LIMIT_S = 10.0
FILES_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program said. `code` None: there is no such program, or it did not end within its limit."""

    code: int | None
    output: str

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

    def run(self, *command: str, limit_s: float | None = None) -> Ran:
        """Run a program that only looks; killed at the limit. Never raises for what the program does."""
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=limit_s or self.limit_s,
                env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": ""},
                check=False,
                start_new_session=True,
            )
        except (OSError, subprocess.TimeoutExpired):
            return Ran(None, "")
        return Ran(done.returncode, done.stdout.decode("utf-8", "replace"))
