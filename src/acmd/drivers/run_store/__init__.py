"""Small local files that outlive the daemon (`ports.RunStore`).

| file | what |
| --- | --- |
| `<run dir>/lease.json` | the epoch that this node holds, for a daemon that adopts it; gone with the host |
| `<run dir>/daemon.lock` | locked by the one daemon of this host and cluster |
| `<run dir>/write.json`, `write.lock` | the storage workers' mark: has the last renewal's call returned? |
| `<state dir>/highest` | the highest epoch ever seen, and of which cluster; durable |

Directories have mode 0700, files 0600. A directory that was swapped for a link, or that others
may write to, is refused. On a full file system a file is overwritten in place: its length never
changes, and a torn one fails its checksum and counts as absent, which is the safe direction.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acmd.core.state import Lease, Remembered
from acmd.core.timing import Instant
from acmd.drivers.run_store.files import LOCAL, failure, overwrite, read, sealed, write_new
from acmd.errors import AcmdError
from acmd.ports import LocalFailure

LEASE_FILE, LOCK_FILE, HIGHEST_FILE = "lease.json", "daemon.lock", "highest"
WRITE_FILE, WRITE_LOCK = "write.json", "write.lock"
_PREDECESSOR_S = 0.2  # how long the predecessor's idle workers may take to notice that it is gone


class FileRunStore:
    """`run_dir` is `/run/acmd/<cluster>`, `state_dir` is `/var/lib/acmd/<cluster>`."""

    def __init__(self, run_dir: Path, state_dir: Path, cluster_id: str = "") -> None:
        self._run_dir = run_dir
        self._state_dir = state_dir
        self._cluster_id = cluster_id
        self._lock = -1

    def prepare(self) -> None:
        """Make the directories that are missing. Raises LocalFailure, also for unsafe ones."""
        for path in (self._run_dir, self._state_dir):
            try:
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    path.mkdir(mode=0o700)
            except OSError as error:
                raise failure("make", path, error) from None
            with self._directory(path):
                pass

    def lock(self) -> None:
        """Be the one daemon of this host and cluster, until the process ends. Raises AcmdError."""
        with self._directory(self._run_dir) as directory:
            try:
                descriptor = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT | LOCAL, 0o600, dir_fd=directory)
            except OSError as error:
                raise failure("open", self._run_dir / LOCK_FILE, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise AcmdError(
                f"another acmd daemon (process {holder}) already runs for this cluster on this host: "
                f"it holds {self._run_dir / LOCK_FILE}",
                "stop it first (systemctl stop acmd), or give each cluster on this host its own name",
            ) from None
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only its holder goes unnamed
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def unlock(self) -> None:
        """Let another daemon run; the end of the process does it too."""
        if self._lock != -1:
            os.close(self._lock)
            self._lock = -1

    # -- ports.RunStore -----------------------------------------------------------------------

    def load(self) -> Remembered | None:
        """What the daemon before this one left, or None; what cannot be understood is None too.

        `lease.outstanding` is -1 only when the last renewal's call is proven to have returned, or
        never to have been issued. Call it before this daemon's own first renewal.
        """
        try:
            with self._directory(self._run_dir) as directory:
                body = read(directory, LEASE_FILE)
                remembered = _remembered(body) if body is not None else None
                if remembered is None:
                    return None
                lease = remembered.lease
                if lease.outstanding >= 0 and self._has_ended(directory, lease):
                    return remembered._replace(lease=lease._replace(outstanding=-1))
                return remembered
        except LocalFailure:
            return None

    def remember(self, remembered: Remembered) -> None:
        """Replace atomically. Raises LocalFailure."""
        lease = remembered.lease._replace(raw=b"")._asdict()
        del lease["raw"]
        body = {"boot": remembered.boot_id, "restarts": remembered.restarts, "lease": lease}
        with self._directory(self._run_dir) as directory:
            self._replace(directory, self._run_dir / LEASE_FILE, body, durable=False)

    def erase(self) -> None:
        """Take the epoch out, atomically; nothing there is fine. Raises LocalFailure."""
        with self._directory(self._run_dir) as directory:
            try:
                os.unlink(LEASE_FILE, dir_fd=directory)
            except FileNotFoundError:
                return
            except OSError as error:
                raise failure("remove", self._run_dir / LEASE_FILE, error) from None

    def probe(self) -> None:
        """Prove that both directories can be written. Raises LocalFailure."""
        for path in (self._run_dir, self._state_dir):
            with self._directory(path) as directory:
                try:
                    write_new(directory, "probe", b"probe\n", durable=False)
                    os.unlink("probe", dir_fd=directory)
                except OSError as error:
                    raise failure("write to", path, error) from None

    def highest_epoch(self) -> int:
        """The highest epoch ever noted, -1 when none, or when it was another cluster's."""
        cluster_id, epoch = self._highest()
        return epoch if not self._cluster_id or cluster_id == self._cluster_id else -1

    def known_cluster(self) -> str:
        """The cluster id that the highest epoch was noted for; "" when none was."""
        return self._highest()[0]

    def use_cluster(self, cluster_id: str) -> None:
        """From now on, epochs are noted for this cluster."""
        self._cluster_id = cluster_id

    def note_epoch(self, epoch: int) -> None:
        """Keep it durably, unless one as high is kept. Raises LocalFailure."""
        if epoch <= self.highest_epoch():
            return
        with self._directory(self._state_dir) as directory:
            body = {"cluster": self._cluster_id, "epoch": epoch}
            self._replace(directory, self._state_dir / HIGHEST_FILE, body, durable=True)

    # -- files --------------------------------------------------------------------------------

    def _highest(self) -> tuple[str, int]:
        try:
            with self._directory(self._state_dir) as directory:
                body = read(directory, HIGHEST_FILE) or {}
        except LocalFailure:
            return "", -1
        cluster_id, epoch = body.get("cluster"), body.get("epoch")
        if type(cluster_id) is not str or type(epoch) is not int:
            return "", -1
        return cluster_id, epoch

    @staticmethod
    @contextlib.contextmanager
    def _directory(path: Path) -> Iterator[int]:
        """The directory, opened anew each time: one that was swapped is noticed. Raises LocalFailure."""
        try:
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise failure("open", path, error) from None
        try:
            found = os.fstat(directory)
            if found.st_uid != os.geteuid() or found.st_mode & 0o022:
                raise LocalFailure(
                    f"{path} belongs to user {found.st_uid} with mode {found.st_mode & 0o7777:04o}: "
                    "others could forge what acmd remembers, so it is not used",
                    f"chown it to user {os.geteuid()} and chmod 0700 {path}",
                )
            yield directory
        finally:
            os.close(directory)

    @staticmethod
    def _replace(directory: int, path: Path, body: dict[str, Any], durable: bool) -> None:
        data = sealed(body)
        try:
            try:
                write_new(directory, f"{path.name}.new", data, durable)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                overwrite(directory, path.name, data, durable)
                return
            os.rename(f"{path.name}.new", path.name, src_dir_fd=directory, dst_dir_fd=directory)
            if durable:
                os.fsync(directory)
        except OSError as error:
            raise failure("write", path, error) from None

    @staticmethod
    def _has_ended(directory: int, lease: Lease) -> bool:
        """Whether the write `lease.outstanding` has returned, or was never issued, and cannot be any more."""
        try:
            descriptor = os.open(WRITE_LOCK, os.O_RDWR | LOCAL, dir_fd=directory)
        except OSError:
            return False
        try:
            if not _lock_within(descriptor, _PREDECESSOR_S):
                return False  # a worker of the predecessor lives: it is in that call, or has it before it
        finally:
            os.close(descriptor)
        try:
            text = os.open(WRITE_FILE, os.O_RDONLY | LOCAL, dir_fd=directory)
            try:
                mark = json.loads(os.read(text, 256))
            finally:
                os.close(text)
            epoch, issued, returned = (int(mark[key]) for key in ("epoch", "issued", "returned"))
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if epoch != lease.epoch or issued < lease.outstanding:
            return True
        return issued == lease.outstanding == returned


def _lock_within(descriptor: int, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        else:
            return True


def _remembered(body: dict[str, Any]) -> Remembered | None:
    """Each field by its declared type: what somebody else put there is not adopted."""
    boot_id, restarts, wire = body.get("boot"), body.get("restarts"), body.get("lease")
    if type(boot_id) is not str or type(restarts) is not int or not isinstance(wire, dict):
        return None
    values: dict[str, Any] = {}
    for name, hint in Lease.__annotations__.items():
        if name == "raw":
            continue
        value = wire.get(name)
        if not _FITS[str(getattr(hint, "__forward_arg__", hint))](value):
            return None
        values[name] = value
    values["issued"] = Instant(*values["issued"])
    values["unfenced"] = tuple(values["unfenced"])
    return Remembered(boot_id, Lease(**values), restarts)


_FITS = {
    "int": lambda value: type(value) is int,
    "str": lambda value: type(value) is str,
    "bool": lambda value: type(value) is bool,
    "Instant": lambda value: type(value) is list and [type(part) for part in value] == [int, int],
    "tuple[str, ...]": lambda value: type(value) is list and all(type(part) is str for part in value),
}
