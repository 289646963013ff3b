"""Small local files: one line of JSON with a checksum, always of the same length."""

from __future__ import annotations

import errno
import json
import os
import zlib
from pathlib import Path
from typing import Any

from acmd.ports import LocalFailure

LOCAL = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
FORMAT = 1
BYTES = 2048


def failure(verb: str, path: Path, error: OSError) -> LocalFailure:
    """What to raise, with the remedy that fits."""
    remedies = {
        errno.ENOSPC: "make room on that file system",
        errno.EROFS: "that file system is mounted read-only: look why (dmesg), then remount it",
        errno.ENOTDIR: "it is a link or no directory: remove it, acmd makes a directory with mode 0700",
        errno.ELOOP: "it is a link: remove it, acmd makes the file itself",
    }
    return LocalFailure(
        f"acmd cannot {verb} {path}: {error.strerror}; "
        "without it this node neither takes nor extends a lease",
        remedies.get(error.errno or 0, f"check that the directory {path.parent} exists and is writable"),
    )


def sealed(body: dict[str, Any]) -> bytes:
    """One line of JSON with a checksum, always of the same length."""
    text = json.dumps(body, sort_keys=True)
    line = f'{{"v": {FORMAT}, "crc": "{zlib.crc32(text.encode()):08x}", "body": {text}}}'
    return line.ljust(BYTES - 1).encode() + b"\n"


def read(directory: int, name: str) -> dict[str, Any] | None:
    """The body of a file, or None when it is absent, too long, torn, or of another format."""
    try:
        descriptor = os.open(name, os.O_RDONLY | LOCAL, dir_fd=directory)
    except OSError:
        return None
    try:
        wire = json.loads(os.read(descriptor, BYTES + 1))
        body = wire["body"]
        text = json.dumps(body, sort_keys=True)
        if wire["v"] != FORMAT or wire["crc"] != f"{zlib.crc32(text.encode()):08x}":
            return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    finally:
        os.close(descriptor)
    return body if isinstance(body, dict) else None


def write_new(directory: int, name: str, data: bytes, durable: bool) -> None:
    """Make the file, or empty the one that is there, and write it. Raises OSError."""
    _write(
        os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | LOCAL, 0o600, dir_fd=directory), data, durable
    )


def overwrite(directory: int, name: str, data: bytes, durable: bool) -> None:
    """Write in place, which needs no room. Raises OSError."""
    _write(os.open(name, os.O_WRONLY | LOCAL, dir_fd=directory), data, durable)


def _write(descriptor: int, data: bytes, durable: bool) -> None:
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
