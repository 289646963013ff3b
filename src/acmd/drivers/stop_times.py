"""How long the last stops of each service took: a small file in the state directory."""

from __future__ import annotations

import contextlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acmd.ports import LocalFailure

NAME = "stop-times.json"
LIMIT = 65_536
SERVICES, EACH = 256, 8


@dataclass(frozen=True, slots=True)
class StopTimesFile:
    """Not worth a sync: after a power loss the last stop may be missing."""

    directory: Path

    def load(self) -> dict[str, list[float]]:
        """Seconds by the service's name; a file that is missing or cannot be understood holds nothing."""
        try:
            descriptor = os.open(
                self.directory / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            )
            with open(descriptor, "rb") as file:
                wire = json.loads(file.read(LIMIT))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(wire, dict):
            return {}
        return {name: _lengths(found) for name, found in list(wire.items())[:SERVICES] if _lengths(found)}

    def save(self, times: dict[str, list[float]]) -> None:
        """Replace the file. Raises LocalFailure."""
        path, new = self.directory / NAME, self.directory / f"{NAME}.new"
        try:
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            descriptor = os.open(
                new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            with open(descriptor, "wb") as file:
                file.write(json.dumps(times).encode())
            new.replace(path)
        except OSError as problem:
            raise LocalFailure(
                f"{path} cannot be written: {problem.strerror}",
                f"make room in {self.directory}; until then stops are measured but forgotten with the daemon",
            ) from None


def _lengths(found: Any) -> list[float]:
    if not isinstance(found, list):
        return []
    return [
        float(length)
        for length in found[-EACH:]
        if type(length) in (int, float) and math.isfinite(length) and length >= 0
    ]
