"""Reading the file, and putting another in its place."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from acmd.errors import AcmdError
from acmd.small_file import sync_directory

LONGEST_FILE_BYTES = 1 << 20
RESTORE = "Restore it from the other node or from a backup."


class DatabaseYmlError(AcmdError):
    """The file cannot be used; nothing was changed."""


def load(file: str) -> tuple[str, str]:
    """Its text, and the file that the name leads to."""
    try:
        where = os.path.realpath(file, strict=True)
        with open(where, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise DatabaseYmlError(f"{file} is no regular file", RESTORE)
            data = opened.read(LONGEST_FILE_BYTES + 1)
    except OSError as error:
        raise DatabaseYmlError(f"{file} cannot be read: {error.strerror}", RESTORE) from None
    if len(data) > LONGEST_FILE_BYTES:
        raise DatabaseYmlError(f"{file} is larger than {LONGEST_FILE_BYTES} bytes", RESTORE)
    try:
        return data.decode("utf-8"), where
    except UnicodeDecodeError:
        raise DatabaseYmlError(f"{file} is not UTF-8 text", RESTORE) from None


def replace(where: str, text: str) -> None:
    """Another file in its place, with the same mode, owner and attributes; durable once this returns."""
    directory = os.path.dirname(where)
    # One name only: a daemon that is killed just here leaves no row of files behind.
    temporary = os.path.join(directory, f".{os.path.basename(where)}.acmd")
    try:
        old = os.stat(where)
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(text.encode("utf-8"))
            opened.flush()
            os.fchown(opened.fileno(), old.st_uid, old.st_gid)
            os.fchmod(opened.fileno(), stat.S_IMODE(old.st_mode))
            for name in _attributes(where):  # access lists and security labels
                os.setxattr(opened.fileno(), name, os.getxattr(where, name))
            os.fsync(opened.fileno())
        os.replace(temporary, where)
        sync_directory(directory)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        raise DatabaseYmlError(
            f"{where} cannot be rewritten: {error.strerror}",
            "It is as it was. Make room, or correct its directory.",
        ) from None


def _attributes(where: str) -> list[str]:
    try:
        return os.listxattr(where)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise
