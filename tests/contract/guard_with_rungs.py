"""A guard process whose last rung and watchdog are files: what would have been done is written there.

`python guard_with_rungs.py RUN_DIR SETTINGS_AS_JSON`; never the real rungs, whatever the settings say.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from acmd.guard import last_resort, system
from acmd.guard.ladder import Ladder
from acmd.guard.last_resort import WDIOC_GETSUPPORT, WDIOC_KEEPALIVE, WDIOF_MAGICCLOSE
from acmd.guard.places import Places
from acmd.guard.server import Server
from acmd.guard.settings import parse


class NotedDevice(last_resort.Device):
    """Shaped as a watchdog; each call adds a word to a file. Busy while a file `busy` is beside it."""

    def __init__(self, note: Path) -> None:
        super().__init__(str(note))
        self._note = note
        note.touch()

    def _add(self, word: str) -> None:
        with self._note.open("a") as file:
            file.write(f"{word}\n")

    def open(self) -> None:
        if self._note.with_name("busy").exists():
            raise OSError(16, "Device or resource busy")
        self._add("open")

    def control(self, request: int, argument: bytes) -> bytes:
        self._add("feed" if request == WDIOC_KEEPALIVE else "control")
        return struct.pack("I36x", WDIOF_MAGICCLOSE) if request == WDIOC_GETSUPPORT else argument

    def write(self, data: bytes) -> None:
        self._add(data.decode())

    def close(self) -> None:
        self._add("close")

    def cannot_stop(self) -> bool:
        return False


def main() -> None:
    """Serve."""
    run_dir = Path(sys.argv[1])
    settings = parse(sys.argv[2:])

    def rung() -> None:
        with (run_dir / "reset").open("a") as file:
            file.write("reset\n")

    def broken_rung() -> None:
        raise OSError("this rung is broken")

    watchdog = None
    if settings.watchdog_timeout_ns:
        watchdog = last_resort.Watchdog(NotedDevice(run_dir / "watchdog"), settings.watchdog_timeout_ns)
    ladder = Ladder(str(run_dir / "services"), settings.cgroup, settings.sync)
    places = Places(str(run_dir), settings.renew_ns, system.boot_id())
    Server(settings, ladder, places, (broken_rung, rung), watchdog, {}).run()


if __name__ == "__main__":
    main()
