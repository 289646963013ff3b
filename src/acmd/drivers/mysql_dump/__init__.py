"""A backup of MySQL: `mysqldump` into a compressed file that is complete, verified, and for its owner alone.

All functions block. The password goes to the client through an anonymous file in memory that only this
process and the client have open: never in arguments, in the environment or on a disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from acmd.drivers.mysql_dump.ending import Signals, end, ends_with_us
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
PARTIAL = ".partial-"
STALE_S = 600.0  # a backup that runs locks its file; this is for the instant before it does
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

    Nothing under a dated name is ever incomplete. Raises AcmdError, also on SIGTERM and SIGHUP; then nothing
    new is there, nothing is being dumped any more, and no older backup was removed.
    """
    with Signals() as signals:
        return _back_up(source, directory, keep, limit_s, client, signals)


def _back_up(
    source: Source, directory: Path, keep: int, limit_s: float, client: str, signals: Signals
) -> Path:
    client = client or _client()
    now = datetime.now().astimezone().strftime(DATE)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(directory)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=directory))  # mode 0700
        try:
            with _new_file(partial / FILE) as raw:
                _dump(client, source, raw, limit_s, signals)
                with signals.heard():
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


def _dump(client: str, source: Source, file: IO[bytes], limit_s: float, signals: Signals) -> None:
    what = ("--databases", source.database) if source.database else ("--all-databases",)
    with _in_memory(options_file(source)) as options, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [client, f"--defaults-file=/dev/fd/{options}", *OPTIONS, *what],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            pass_fds=(options,),
            start_new_session=True,
            preexec_fn=ends_with_us(),  # noqa: PLW1509 - no other thread runs yet
        )
        late = threading.Event()
        timer = threading.Timer(limit_s, _give_up, (process, late))
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            with process.stdout as output, signals.heard():
                tail = _compress(output, file)
                code = process.wait(limit_s)
        finally:
            timer.cancel()
            timer.join()
            end(process)
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
    end(process)


def _new_file(file: Path) -> IO[bytes]:
    """A new file of mode 0600, locked as long as it is open: whoever tidies up leaves it alone."""
    raw = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    with contextlib.suppress(OSError):  # a file system without locks: its age protects it
        fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return raw


def _compress(output: IO[bytes], file: IO[bytes]) -> bytes:
    """Write all of `output` into the file; the end of it, uncompressed."""
    tail = b""
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6) as packed:
        while chunk := output.read(CHUNK):
            packed.write(chunk)
            tail = (tail + chunk)[-TAIL:]
    file.flush()
    os.fsync(file.fileno())
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


def _remove_stale(directory: Path) -> None:
    """What backups left that were killed. One that runs holds the lock of its file."""
    for partial in directory.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if partial.is_symlink() or not {path.name for path in partial.iterdir()} <= {FILE}:
                continue
            if time.time() - max(path.stat().st_mtime for path in (partial, *partial.iterdir())) < STALE_S:
                continue
            if not _is_locked(partial / FILE):
                shutil.rmtree(partial)


def _is_locked(file: Path) -> bool:
    try:
        handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _prune(directory: Path, keep: int) -> None:
    """Remove the oldest dated backups; whatever has another name, or holds another file, stays."""
    dated = sorted(path for path in directory.iterdir() if DATED.fullmatch(path.name) and path.is_dir())
    for old in dated[: max(0, len(dated) - keep)]:
        if not old.is_symlink() and [path.name for path in old.iterdir()] == [FILE]:
            shutil.rmtree(old)
