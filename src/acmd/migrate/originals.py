"""Files are changed so that each can be put back byte for byte, also after a crash in the middle.

Before a file is changed its content, mode and owner are kept in the state directory, durably. A change
that is there already is not made again; what was kept first stays what is put back.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acmd.errors import AcmdError
from acmd.small_file import sync_directory

PLACE = "var/lib/acmd/migrate"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Change:
    """A file as it is to be. `after` None: it is to be gone. A secret one is never shown."""

    path: str
    after: bytes | None = field(repr=False)
    mode: int
    why: str
    secret: bool = False


class Originals:
    """The journal of one host. Its file is for root alone: originals may hold passwords."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file = root / PLACE / "originals.json"
        self.entries: dict[str, dict[str, Any]] = {}
        self.notes: dict[str, Any] = {}
        with suppress(FileNotFoundError):
            try:
                wire = json.loads(self._file.read_bytes())
                if wire["v"] != FORMAT:
                    raise ValueError(f"format {wire['v']}")
                self.entries, self.notes = wire["entries"], wire["notes"]
            except (ValueError, KeyError, TypeError) as error:
                raise AcmdError(
                    f"{self._file} cannot be understood: {error}", "restore it from a backup"
                ) from None

    @property
    def begun(self) -> bool:
        """Whether there is something to put back."""
        return bool(self.entries or self.notes)

    def before(self, path: str) -> bytes | None:
        """What is in a file now; None when it is not there."""
        with suppress(FileNotFoundError):
            return self._at(path).read_bytes()
        return None

    def note(self, key: str, value: Any) -> None:
        """Keep something else that the way back needs; the first value stays."""
        if key not in self.notes:
            self.notes[key] = value
            self.save()

    def make(self, change: Change) -> bool:
        """Keep the original, then change the file atomically. False when it is so already."""
        now = self.before(change.path)
        at = self._at(change.path)
        if now == change.after and (now is None or stat.S_IMODE(at.stat().st_mode) == change.mode):
            return False
        if change.path not in self.entries:
            entry: dict[str, Any] = {"content": None}
            if now is not None:
                status = at.stat()
                entry = {
                    "content": base64.b64encode(now).decode(),
                    "mode": stat.S_IMODE(status.st_mode),
                    "uid": status.st_uid,
                    "gid": status.st_gid,
                }
            self.entries[change.path] = entry
        self.entries[change.path]["after"] = digest(change.after)
        self.save()
        original = self.entries[change.path]
        if change.after is None:
            remove(at)
        else:
            replace(at, change.after, change.mode, original.get("uid", 0), original.get("gid", 0))
        return True

    def changed_since(self) -> list[str]:
        """Files that somebody edited after the migration: putting them back would lose that."""
        found = []
        for path, entry in self.entries.items():
            now = self.before(path)
            if digest(now) != entry["after"] and now != _content(entry):
                found.append(path)
        return sorted(found)

    def put_back(self, path: str) -> None:
        """One file as it was; its entry goes once that is durable."""
        entry = self.entries[path]
        content = _content(entry)
        if content is None:
            remove(_temporary(self._at(path)))  # left by one that was killed
            remove(self._at(path))
        else:
            replace(self._at(path), content, entry["mode"], entry["uid"], entry["gid"])
        del self.entries[path]
        self.save()

    def save(self) -> None:
        """The journal itself, durably; without anything to put back it goes."""
        if not self.begun:
            remove(self._file)
            return
        wire = {"v": FORMAT, "entries": self.entries, "notes": self.notes}
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(self._file.parent, 0o700)
        replace(self._file, json.dumps(wire, indent=1).encode(), 0o600, os.geteuid(), os.getegid())

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")


def digest(content: bytes | None) -> str:
    """Names a content; empty for a file that is not there."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def replace(at: Path, content: bytes, mode: int, uid: int, gid: int) -> None:
    """Another file in its place, durable once this returns. Raises AcmdError; it is as it was then."""
    temporary = _temporary(at)
    try:
        at.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            temporary.unlink()
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if os.geteuid() == 0:
                os.fchown(file.fileno(), uid, gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, at)
        sync_directory(at.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise AcmdError(
            f"{at} cannot be written: {(error.strerror or str(error)).lower()}",
            "it is as it was; mend that, then run the same command again",
        ) from None


def _temporary(at: Path) -> Path:
    """cron and logrotate skip names with a leading dot."""
    return at.with_name(f".{at.name}.acmd-migrate")


def remove(at: Path) -> None:
    """No file there, durably."""
    with suppress(FileNotFoundError):
        at.unlink()
        sync_directory(at.parent)


def _content(entry: dict[str, Any]) -> bytes | None:
    return None if entry["content"] is None else base64.b64decode(entry["content"])
