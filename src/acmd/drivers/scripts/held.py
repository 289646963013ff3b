"""What an agent started and has not said to be stopped: a mark for the guard, which cannot see it otherwise.

Processes and addresses are in the kernel for the guard to see. A mount, a volume or an export that an
agent brought up is not: with the daemon dead it would stay while the next active node brings up the same.
So a mark lies beside the registry of services from before the start until the monitor says that nothing is
left. While it is there nothing counts as gone, and a host whose daemon does not get that far is reset.
"""

from __future__ import annotations

import contextlib
import os

from acmd.guard.processes import HELD


class Held:
    """The mark of one service."""

    def __init__(self, services_dir: str, name: str) -> None:
        self._directory = services_dir
        self._path = f"{services_dir}/{name}{HELD}"

    def take(self) -> str:
        """Make it, before anything is started. "" or why it cannot be made."""
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        except OSError as problem:
            return f"{self._path} cannot be made: {problem.strerror}"
        return ""

    def give_back(self) -> None:
        """The monitor said that nothing is left. A mark that stays is only too careful."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)
