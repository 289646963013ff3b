"""A host's disk, and its view of the storage that all hosts share."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DISK_BYTES = 3 * 1024**3
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
ORDER_TIMEOUT_S = 5.0
EVERY_OP = (
    "create", "fsync", "fsyncdir", "getattr", "link", "lookup", "mkdir", "opendir", "read", "readdir",
    "rename", "setattr", "unlink", "write",
)  # fmt: skip
PLAIN = "a plain directory can neither stall nor fail: ask for Bed(storage='faultfs')"


class StorageError(Exception):
    """A storage verb could not do what it says; the message tells why."""


@dataclass(frozen=True, slots=True)
class Disk:
    """An ext4 image, sparse, that takes what the host writes; the template's layers are below it."""

    image: Path
    lower: tuple[Path, ...]

    def wipe(self) -> None:
        """Make it empty: the next boot is the first one. The host must be off."""
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as file:
            file.truncate(DISK_BYTES)
        # No reserved blocks: a full disk is full for root too. No discard: the image is sparse anyway.
        command = [
            "mkfs.ext4",
            "-q",
            "-F",
            "-m",
            "0",
            "-E",
            "nodiscard,lazy_itable_init=1,lazy_journal_init=1",
        ]
        subprocess.run([*command, str(self.image)], check=True, stdin=subprocess.DEVNULL)

    def lose_cache(self, keeper_pid: int, mounted_at: Path) -> None:
        """Shut the file system down without its journal: only what was fsynced is on the image from now
        on.
        """
        descriptor = os.open(f"/proc/{keeper_pid}/root{mounted_at}", os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def wait_released(self, timeout_s: float = 20.0) -> None:
        """Return once no loop device holds the image: a second mount before that would destroy it."""
        deadline = time.monotonic() + timeout_s
        while devices := loop_devices(str(self.image)):
            if time.monotonic() > deadline:
                raise StorageError(f"{self.image} is still held by {', '.join(devices)} after {timeout_s} s")
            time.sleep(0.005)


def loop_devices(prefix: str) -> list[str]:
    """The loop devices whose backing file's path begins with `prefix`."""
    found: list[str] = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            held = backing.read_text().strip()
        except OSError:
            continue  # Detached between the listing and now.
        if held.startswith(prefix):
            found.append(backing.parts[3])
    return found


def faultfs_available() -> bool:
    """Whether this interpreter can run tests.faultfs."""
    return all(_importable(name) for name in ("pyfuse3", "tests.faultfs"))


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class SharedView:
    """How one host sees shared storage: a plain bind, or a file system process of its own that can be told
    to fail.
    """

    backing: Path
    run: Path
    faulty: bool

    def keeper_variables(self) -> dict[str, str]:
        """What keeper.sh is told about it."""
        return {"SHARED": str(self.backing), "FAULTFS": "1" if self.faulty else "", "PYTHON": sys.executable}

    @property
    def control_socket(self) -> Path:
        """Where tests.faultfs takes orders for this host."""
        return self.run / "faultfs.sock"

    def stop(self) -> None:
        """Nobody answers any more, as with a dead server and a hard mount: only SIGKILL ends the waiters.

        It stays so over resets and power cycles of the host, until go_on.
        """
        if not self.faulty:
            raise StorageError(PLAIN)
        (self.run / "stalled").touch()
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Undo stop: what was queued in this boot is carried out now."""
        (self.run / "stalled").unlink(missing_ok=True)
        self._signal(signal.SIGCONT)

    def heal(self) -> None:
        """Back to a healthy view, whatever was ordered before."""
        if self.faulty:
            self.go_on()
            if self._pid_file.exists():
                self.clear()

    def fail(self, action: str, *ops: str, **how: Any) -> int:
        """Order a fault for this host only, in the words of tests.faultfs.rules; returns the rule's number.

        It ends by clear, or with the host's boot. `stop` is for the storage as a whole.
        """
        return int(self._order(do="add", action=action, ops=ops, **how))

    def clear(self, number: int | None = None) -> None:
        """Take one rule, or all, out of force; what it stalled goes on."""
        self._order(do="clear", number=number)

    def hits(self, number: int) -> int:
        """How many operations the rule was applied to."""
        return int(self._order(do="hits", number=number))

    def _order(self, **wish: Any) -> Any:
        if not self.faulty:
            raise StorageError(PLAIN)
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(ORDER_TIMEOUT_S)
            control.connect(str(self.control_socket))
            control.sendall(json.dumps(wish).encode() + b"\n")
            answer = control.makefile().readline()
        if not answer:
            log = self.run / "faultfs.log"
            raise StorageError(f"tests.faultfs did not understand {wish}; see {log}")
        return json.loads(answer)

    @property
    def _pid_file(self) -> Path:
        return self.run / "faultfs.pid"

    def _signal(self, number: signal.Signals) -> None:
        if self._pid_file.exists():  # Else the host is off; its next boot looks at `stalled`.
            os.kill(int(self._pid_file.read_text()), number)

    def forget(self) -> None:
        """The process is gone with the host's power: its id is nobody's, or another's, from now on."""
        self._pid_file.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a bed's directory; what is mounted in it lives in other mount namespaces and is gone by then."""
    shutil.rmtree(path, ignore_errors=True)
