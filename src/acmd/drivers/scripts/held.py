"""What an agent started and has not said to be stopped: a mark for the guard, which cannot see it otherwise.

Processes and addresses are in the kernel for the guard to see. A mount, a volume or an export that an
agent brought up is not: with the daemon dead it would stay while the next active node brings up the same.
So a mark lies beside the registry of services from before the start until the monitor says that nothing is
left. While it is there nothing counts as gone, and a host whose daemon does not get that far is reset.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from acmd import small_file
from acmd.guard.processes import HELD, held

STARTING = b"starting"


class Held:
    """The mark of one service."""

    def __init__(self, services_dir: str, name: str) -> None:
        self._directory = services_dir
        self._path = Path(services_dir, f"{name}{HELD}")

    def take(self, *, starting: bool = False) -> str:
        """Make it, before anything is started; again once the start has ended by itself. "" or why not."""
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            small_file.replace(self._path, STARTING if starting else b"")
        except OSError as problem:
            return f"{self._path} cannot be made: {problem.strerror}"
        return ""

    def give_back(self) -> None:
        """The monitor said that nothing is left. A mark that stays is only too careful."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def there(self) -> bool:
        """Whether it was started and not said to be stopped."""
        return self._path.exists()

    def cut(self) -> bool:
        """Whether a start began, perhaps under the daemon before this one, and did not end by itself."""
        try:
            return self._path.read_bytes() == STARTING
        except OSError:
            return False


def orphans(services_dir: str, known: Iterable[str]) -> list[str]:
    """Services that are marked and that nobody keeps any more: renamed, taken out, or of another kind now."""
    try:
        return sorted(set(held(services_dir)) - set(known))
    except OSError:
        return []
