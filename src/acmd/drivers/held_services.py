"""Services that an operator keeps stopped or paused: a small file in the run directory, until the reboot."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acmd.core.orders import Held
from acmd.ports import LocalFailure

NAME = "held-services.json"
LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class HeldServicesFile:
    """What the console keeps them in."""

    directory: Path

    def load(self) -> dict[str, Held]:
        """By the service's name; a file that is missing or cannot be understood holds nothing."""
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
        return {name: held for name, entry in wire.items() if (held := _held(entry)) is not None}

    def save(self, held: dict[str, Held]) -> None:
        """Replace the file. Raises LocalFailure."""
        path, new = self.directory / NAME, self.directory / f"{NAME}.new"
        data = json.dumps({name: entry._asdict() for name, entry in held.items()}).encode()
        try:
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            descriptor = os.open(
                new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            with open(descriptor, "wb") as file:
                file.write(data)
            new.replace(path)
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
