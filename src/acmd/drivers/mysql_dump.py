"""A backup of MySQL: `mysqldump` into a compressed file that is complete, verified, and for its owner alone.

All functions block. The password goes to the client through an anonymous file in memory that only this
process and the client have open: never in arguments, in the environment or on a disk.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from acmd.errors import AcmdError
from acmd.small_file import sync_directory

CLIENTS = ("mariadb-dump", "mysqldump")
# No tablespaces: asking for them takes a privilege that an application's user does not have.
OPTIONS = ("--single-transaction", "--quick", "--routines", "--triggers", "--events", "--no-tablespaces")
COMPLETE = b"-- Dump completed"
TAIL = 256
CHUNK = 1 << 20
SAID_LIMIT = 400
FILE = "mysql.sql.gz"
DATE = "%Y-%m-%d_%H%M%S"
DATED = re.compile(r"\d{4}-\d\d-\d\d_\d{6}")
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Source:
    """What to dump, and how to log in. `database` empty: all of them."""

    user: str
    password: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 3306
    socket: str = ""  # instead of host and port
    database: str = ""


def options_file(source: Source) -> str:
    """The section [client] of an option file, quoted so that every password arrives as it is."""
    place = {"socket": source.socket} if source.socket else {"host": source.host, "port": str(source.port)}
    values = {"user": source.user, "password": source.password, **place}
    return "[client]\n" + "".join(f"{key}={_quoted(value)}\n" for key, value in values.items())


def back_up(source: Source, directory: Path, keep: int, limit_s: float, client: str = "") -> Path:
    """Dump into a new dated directory below `directory`; the newest `keep` stay. Returns the new file.

    Nothing under a dated name is ever incomplete. Raises AcmdError; then nothing new is there and no
    older backup was removed.
    """
    client = client or _client()
    now = datetime.now().astimezone().strftime(DATE)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=directory))  # mode 0700
        try:
            _dump(client, source, partial / FILE, limit_s)
            _verify(partial / FILE)
            sync_directory(partial)
            partial.rename(directory / now)
            sync_directory(directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _prune(directory, keep)
    except OSError as error:
        raise AcmdError(
            f"the backup below {directory} failed: {(error.strerror or str(error)).lower()}",
            "look at the directory and the room on its disk, or name another one",
        ) from None
    return directory / now / FILE


def _client() -> str:
    found = next((path for name in CLIENTS if (path := shutil.which(name))), None)
    if found is None:
        raise AcmdError(
            f"neither {' nor '.join(CLIENTS)} is in the PATH", "install the client of MySQL or MariaDB"
        )
    return found


def _quoted(value: str) -> str:
    return '"' + "".join(ESCAPES.get(letter, letter) for letter in value) + '"'


@contextmanager
def _in_memory(text: str) -> Iterator[int]:
    """A file without a name, mode 0600: clients ignore option files that others may write."""
    handle = os.memfd_create("acmd-mysql")
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, text.encode())
        yield handle
    finally:
        os.close(handle)


def _dump(client: str, source: Source, file: Path, limit_s: float) -> None:
    what = ("--databases", source.database) if source.database else ("--all-databases",)
    with _in_memory(options_file(source)) as options, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [client, f"--defaults-file=/dev/fd/{options}", *OPTIONS, *what],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            pass_fds=(options,),
            start_new_session=True,
        )
        late = threading.Event()
        timer = threading.Timer(limit_s, _give_up, (process, late))
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            with process.stdout as output:
                tail = _compress(output, file)
            code = process.wait(limit_s)
        finally:
            timer.cancel()
            timer.join()
            process.kill()
            process.wait()
        if late.is_set():
            raise AcmdError(f"{client} did not end within {limit_s:g} s", "allow more time with --limit")
        said.seek(0)
        words = said.read(SAID_LIMIT).decode("utf-8", "replace").strip()
    if code:
        raise AcmdError(
            f"{client} failed with {code}: {words or 'it said nothing'}",
            "look at the login (`acmd check --group database`) and at MySQL's log",
        )
    if COMPLETE not in tail:
        raise AcmdError(
            f"{client} ended before the dump was complete (no '{COMPLETE.decode()}')", "run it again"
        )


def _give_up(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _compress(output: IO[bytes], file: Path) -> bytes:
    """Write all of `output` into a new file of mode 0600; the end of it, uncompressed."""
    tail = b""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as raw:
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6) as packed:
            while chunk := output.read(CHUNK):
                packed.write(chunk)
                tail = (tail + chunk)[-TAIL:]
        raw.flush()
        os.fsync(raw.fileno())
    return tail


def _verify(file: Path) -> None:
    """Read it back, checksum included. Raises AcmdError."""
    tail = b""
    try:
        with gzip.open(file, "rb") as packed:
            while chunk := packed.read(CHUNK):
                tail = (tail + chunk)[-TAIL:]
    except (EOFError, gzip.BadGzipFile, ValueError):
        tail = b""
    if COMPLETE not in tail:
        raise AcmdError(f"{file.name} is not what was written, read back", "look at the disk that it is on")


def _prune(directory: Path, keep: int) -> None:
    """Remove the oldest dated backups; whatever has another name, or holds another file, stays."""
    dated = sorted(path for path in directory.iterdir() if DATED.fullmatch(path.name) and path.is_dir())
    for old in dated[: max(0, len(dated) - keep)]:
        if not old.is_symlink() and [path.name for path in old.iterdir()] == [FILE]:
            shutil.rmtree(old)
