"""Services that an operator keeps stopped or paused: a small file in the run directory, until the reboot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acmd import small_file
from acmd.core.orders import Held
from acmd.ports import LocalFailure

NAME = "held-services.json"


@dataclass(frozen=True, slots=True)
class HeldServicesFile:
    """What the console keeps them in."""

    directory: Path

    def load(self) -> dict[str, Held]:
        """By the service's name; a file that is missing or cannot be understood holds nothing."""
        wire = small_file.load(self.directory / NAME)
        return {name: held for name, entry in wire.items() if (held := _held(entry)) is not None}

    def save(self, held: dict[str, Held]) -> None:
        """Replace the file. Raises LocalFailure."""
        path = self.directory / NAME
        try:
            small_file.save(path, {name: entry._asdict() for name, entry in held.items()})
        except OSError as problem:
            raise LocalFailure(
                f"{path} cannot be written: {problem.strerror}; the service is left as it was",
                "make room in /run and try again",
            ) from None


def _held(entry: Any) -> Held | None:
    """The entry, checked: Held's fields and no others, each of its type."""
    try:
        found = Held(**entry)
    except TypeError:
        return None
    texts, numbers = (found.how, found.by, found.reason), (found.at, found.epoch)
    if not all(type(value) is str for value in texts) or not all(type(value) is int for value in numbers):
        return None
    return found if found.how in ("stopped", "paused") else None
