"""How long the last stops of each service took: a small file in the state directory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acmd import small_file
from acmd.ports import LocalFailure

NAME = "stop-times.json"
SERVICES, EACH = 256, 8


@dataclass(frozen=True, slots=True)
class StopTimesFile:
    """Not worth a sync: after a power loss the last stop may be missing."""

    directory: Path

    def load(self) -> dict[str, list[float]]:
        """Seconds by the service's name; a file that is missing or cannot be understood holds nothing."""
        wire = small_file.load(self.directory / NAME)
        return {name: _lengths(found) for name, found in list(wire.items())[:SERVICES] if _lengths(found)}

    def save(self, times: dict[str, list[float]]) -> None:
        """Replace the file. Raises LocalFailure."""
        path = self.directory / NAME
        try:
            small_file.save(path, times)
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
