"""What a write leaves on this host for a daemon that comes after this one."""

from __future__ import annotations

import fcntl
import json
import os

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class WriteMarker:
    """Tells a daemon that adopts this epoch whether the last renewal's call has returned.

    `write.json` holds the last sequence that was issued and whether it returned. `write.lock` is
    held shared as long as this worker lives, since a request may wait unread in its socket.
    """

    _BYTES = 128

    def __init__(self, run_dir: str) -> None:
        directory = os.open(run_dir, _DIRECTORY)
        try:
            self._lock = os.open("write.lock", _FILE, 0o600, dir_fd=directory)
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            self._file = os.open("write.json", _FILE, 0o600, dir_fd=directory)
        finally:
            os.close(directory)
        if os.fstat(self._file).st_size == 0:
            self._put(-1, -1, -1)

    def _put(self, epoch: int, issued: int, returned: int) -> None:
        text = json.dumps({"epoch": epoch, "issued": issued, "returned": returned})
        os.pwrite(self._file, text.ljust(self._BYTES - 1).encode() + b"\n", 0)

    def issued(self, epoch: int, sequence: int) -> None:
        """Before the first system call of the write. Raises OSError: then nothing may be issued."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._put(epoch, sequence, -1)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def returned(self, epoch: int, sequence: int) -> None:
        """After the last one, whatever it returned; a later write of another worker is left alone.

        What cannot be noted leaves the write outstanding for an adopting daemon: the safe direction.
        """
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            found = json.loads(os.pread(self._file, self._BYTES, 0))
            if (found["epoch"], found["issued"]) == (epoch, sequence):
                self._put(epoch, sequence, sequence)
        except (OSError, ValueError, KeyError, TypeError):
            return
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
