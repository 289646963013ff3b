"""What outlives a daemon, in memory (`ports.RunStore`)."""

from __future__ import annotations

from acmd.core.state import Remembered
from acmd.ports import LocalFailure


class FakeRunStore:
    """Give the same one to the daemon that comes after. `broken` makes every change fail."""

    def __init__(self) -> None:
        self.remembered: Remembered | None = None
        self.highest = -1
        self.broken = False
        self.proven_ended = False  # the worker's mark says that the outstanding write has returned

    def _change(self) -> None:
        if self.broken:
            raise LocalFailure("acmd cannot write /run/acmd/fake: injected", "mend the test")

    def load(self) -> Remembered | None:
        """What was remembered, without its raw record."""
        if self.remembered is None:
            return None
        lease = self.remembered.lease._replace(raw=b"")
        if self.proven_ended:
            lease = lease._replace(outstanding=-1)
        return self.remembered._replace(lease=lease)

    def remember(self, remembered: Remembered) -> None:
        """Keep it. Raises LocalFailure."""
        self._change()
        self.remembered = remembered
        self.proven_ended = False

    def erase(self) -> None:
        """Forget the epoch. Raises LocalFailure."""
        self._change()
        self.remembered = None

    def probe(self) -> None:
        """Raises LocalFailure while broken."""
        self._change()

    def highest_epoch(self) -> int:
        """The highest epoch noted, -1 when none."""
        return self.highest

    def note_epoch(self, epoch: int) -> None:
        """Keep the higher one. Raises LocalFailure."""
        self._change()
        self.highest = max(self.highest, epoch)
