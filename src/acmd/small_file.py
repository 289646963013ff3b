"""Small local files: one JSON object, replaced as a whole, is what a daemon leaves for the next one.

Mode 0600, links are not followed. Nothing that is read here is trusted: whoever loads checks what it says.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT = 1 << 20
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def load(path: Path) -> dict[str, Any]:
    """What was saved last; a file that is missing or cannot be understood holds nothing."""
    try:
        with open(os.open(path, os.O_RDONLY | _FLAGS), "rb") as file:
            found = json.loads(file.read(LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Replace it, or leave it as it was. Raises OSError."""
    replace(path, json.dumps(content).encode())


def replace(path: Path, data: bytes, *, durable: bool = False) -> None:
    """The same with its very bytes. `durable`: they are on the disk then."""
    new = path.with_name(f"{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600), "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    new.replace(path)


def sync_directory(directory: Path | str) -> None:
    """Names made and removed there are on the disk then. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
