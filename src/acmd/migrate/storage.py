"""Reading files that may lie on dead storage: by a process that is given up at its limit."""

from __future__ import annotations

import base64
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from acmd.core.calls import Fault, StorageFault
from acmd.drivers.aside import answers
from acmd.errors import AcmdError

LIMIT_S = 10.0
ROUNDS = 20
READ_AT_MOST = 1 << 18


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, by path. A path that is not there has a key `error` alone."""

    files: dict[str, dict[str, Any]]
    taken_s: list[float]

    def text(self, path: str) -> str | None:
        """A file's text; None when it cannot be read."""
        entry = self.files[path]
        if "bytes" not in entry:
            return None
        return base64.b64decode(entry["bytes"]).decode("utf-8", "replace")


def look(paths: list[str], rounds: int = 0) -> Look:
    """Read files and how old they are; with `rounds` also how fast the first one is read.

    Raises AcmdError when storage does not answer within 10 s.
    """
    *entries, taken_s = _answers(paths[0], lambda: _look(paths, rounds))
    return Look(dict(entries), taken_s)


def names(directory: str) -> list[str]:
    """What is in a directory; nothing when it is not there. Raises AcmdError."""
    return _answers(directory, lambda: _names(directory))


def write(path: str, text: str) -> None:
    """A small file on shared storage; no text removes it. Raises AcmdError."""
    _answers(path, lambda: _write(path, text))


def _answers(path: str, work: Callable[[], Iterable[Any]]) -> list[Any]:
    try:
        return list(answers(work, LIMIT_S))
    except StorageFault as failure:
        if failure.fault is Fault.OTHER:
            raise AcmdError(
                f"{path} cannot be used: {failure.detail}",
                "look at the mount, and whether root may write there",
            ) from None
        raise AcmdError(
            f"{path}: the storage did not answer within {LIMIT_S:g} s",
            "look at the mount and the file server",
        ) from None


# -- in the process that may hang -----------------------------------------------------------------


def _look(paths: list[str], rounds: int) -> Iterator[Any]:
    for path in paths:
        yield path, _entry(path)
    taken_s = []
    with suppress(OSError):
        for _ in range(rounds):
            began = time.monotonic()
            with open(paths[0], "rb") as file:
                file.read(4096)
            taken_s.append(time.monotonic() - began)
            if sum(taken_s) > LIMIT_S / 5:  # slow storage is not taken for one that does not answer
                break
    yield taken_s


def _entry(path: str) -> dict[str, Any]:
    try:
        real = os.path.realpath(path)
        found = os.stat(real)
        entry = {
            "real": real,
            "age_s": time.time() - found.st_mtime,
            "mtime_ns": found.st_mtime_ns,
            "device": found.st_dev,
        }
        if stat.S_ISREG(found.st_mode):
            with open(real, "rb") as file:
                entry["bytes"] = base64.b64encode(file.read(READ_AT_MOST)).decode()
    except OSError as error:
        return {"error": error.strerror}
    return entry


def _names(directory: str) -> Iterator[str]:
    try:
        yield from sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageFault(Fault.OTHER, error.strerror or str(error)) from None


def _write(path: str, text: str) -> Iterator[Any]:
    try:
        if text:
            with open(path, "w", encoding="utf-8", opener=_private) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)
    except OSError as error:
        raise StorageFault(Fault.OTHER, error.strerror or str(error)) from None
    yield from ()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)
