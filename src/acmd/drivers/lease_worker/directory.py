"""Runs the procedures of `core.calls` and `core.board` against the operating system."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Callable
from typing import Any

from acmd.core import board
from acmd.core.calls import (
    Create,
    Fault,
    FileData,
    Link,
    ListDir,
    OpenForWriting,
    Overwrite,
    ReadFile,
    Rename,
    StorageFault,
    SyncDir,
)

NAMES_LIMIT = 100_000
_BUFFER_BYTES = 128 * 1024  # page-aligned; only the pages that are used are ever there
_NAME = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # non-blocking: a FIFO must not hold us
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_FULL = (errno.ENOSPC, errno.EDQUOT)

_FAULTS = {
    **dict.fromkeys((errno.EIO, errno.EREMOTEIO, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN), Fault.IO),
    **dict.fromkeys((errno.ENXIO, errno.ENODEV, errno.ECONNABORTED), Fault.IO),
    errno.ESTALE: Fault.STALE,
    **dict.fromkeys(_FULL, Fault.NO_SPACE),
    errno.EROFS: Fault.READ_ONLY,
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR), Fault.DENIED),
    errno.ENOENT: Fault.MISSING,
    errno.EEXIST: Fault.EXISTS,
}


def fault_of(error: OSError) -> Fault:
    """The typed fault of a failed system call; what the table does not know is OTHER."""
    return _FAULTS.get(error.errno or 0, Fault.OTHER)


def _close(descriptor: int) -> None:
    """What was to be kept was synced before; a late error of a network file system says nothing new."""
    try:
        os.close(descriptor)
    except OSError:
        return


class Directory:
    """Executes procedures below one directory. It is opened anew for each call: a remount shows."""

    def __init__(self, path: str, node: str) -> None:
        self._path = path
        self._node = node
        self._page = mmap.mmap(-1, _BUFFER_BYTES)
        self._direct = os.O_DIRECT
        self._opened: dict[str, int] = {}  # directories of the call under way
        self._handles: list[int] = []
        self._kept: tuple[str, int, int] | None = None  # own lease file: name, inode, descriptor
        self._does: dict[type, Callable[..., Any]] = {
            ListDir: self._list,
            ReadFile: self._read,
            Create: self._create,
            OpenForWriting: self._open_for_writing,
            Overwrite: self._overwrite,
            Link: self._link,
            Rename: self._rename,
            SyncDir: self._sync_directory,
            board.StatFile: self._stat,
            board.Remove: self._remove,
            board.MakeDir: self._make_directory,
        }

    def run(self, steps: Any) -> Any:
        """What the procedure returns. Raises StorageFault."""
        try:
            request = next(steps)
            while True:
                try:
                    result = self._does[type(request)](*request)
                except OSError as error:
                    detail = f"{type(request).__name__} {request[0]}: {os.strerror(error.errno or 0)}"
                    request = steps.throw(StorageFault(fault_of(error), detail))
                except StorageFault as failure:
                    request = steps.throw(failure)
                else:
                    request = steps.send(result)
        except StopIteration as end:
            return end.value
        finally:
            self._close_all()

    def _close_all(self) -> None:
        for descriptor in (*self._opened.values(), *self._handles):
            _close(descriptor)
        self._opened.clear()
        self._handles.clear()

    def _directory(self, path: str) -> int:
        descriptor = self._opened.get(path)
        if descriptor is None:
            if path == ".":
                try:
                    descriptor = os.open(self._path, _DIRECTORY)
                except FileNotFoundError:
                    raise StorageFault(Fault.NOT_A_CLUSTER, "the cluster directory is absent") from None
            else:
                descriptor = os.open(path, _DIRECTORY, dir_fd=self._directory("."))
            self._opened[path] = descriptor
        return descriptor

    def _place(self, path: str) -> tuple[int, str]:
        directory, _, name = path.rpartition("/")
        return self._directory(directory or "."), name

    def _open(self, path: str, flags: int) -> int:
        """A descriptor of a regular file, for direct I/O where the file system takes it."""
        directory, name = self._place(path)
        try:
            descriptor = os.open(name, flags | _NAME | self._direct, dir_fd=directory)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
            descriptor = os.open(name, flags | _NAME, dir_fd=directory)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                self._direct = 0  # this file system has none; a directory of that name proves nothing
        return descriptor

    def _through_page(self, transfer: Callable[..., int], descriptor: int, size: int) -> int:
        """One positional transfer at offset 0; plain where the device's alignment forbids a direct one."""
        with memoryview(self._page) as page, page[:size] as part:
            try:
                return transfer(descriptor, [part], 0)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._direct:
                    raise
                flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
                fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT)
                return transfer(descriptor, [part], 0)

    @staticmethod
    def _regular(descriptor: int, path: str) -> os.stat_result:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise StorageFault(Fault.DENIED, f"{path} is not a regular file")
        return found

    def _list(self, path: str) -> tuple[str, ...]:
        names = os.listdir(self._directory(path))
        if len(names) > NAMES_LIMIT:
            raise StorageFault(Fault.OTHER, f"{len(names)} names in {path}; the limit is {NAMES_LIMIT}")
        return tuple(names)

    def _read(self, path: str, limit: int) -> FileData:
        descriptor = self._open(path, os.O_RDONLY)
        try:
            found = self._regular(descriptor, path)
            size = self._through_page(os.preadv, descriptor, -(-limit // 4096) * 4096)
        finally:
            _close(descriptor)
        if size < min(found.st_size, limit):
            raise StorageFault(Fault.IO, f"{path}: {size} of {found.st_size} bytes were read")
        return FileData(self._page[: min(size, limit)], found.st_ino)

    def _create(self, path: str, data: bytes) -> int:
        directory, name = self._place(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NAME
        try:
            return self._fill(os.open(name, flags, 0o640, dir_fd=directory), data)
        except OSError as error:
            if error.errno not in _FULL or not name.startswith("claim."):
                raise
            return self._create_from_reserve(directory, name, data, error)

    def _fill(self, descriptor: int, data: bytes) -> int:
        self._handles.append(descriptor)
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
        return descriptor

    def _create_from_reserve(self, directory: int, name: str, data: bytes, full: OSError) -> int:
        """On a full disk the preallocated file takes the claim's name, so its own is never used again."""
        for reserve in os.listdir(directory):
            if not reserve.startswith(board.reserve_prefix(self._node)):
                continue
            os.rename(reserve, name, src_dir_fd=directory, dst_dir_fd=directory)
            descriptor = os.open(name, os.O_WRONLY | _NAME, dir_fd=directory)
            found = os.fstat(descriptor)
            if found.st_size == len(data) and found.st_nlink == 1 and stat.S_ISREG(found.st_mode):
                return self._fill(descriptor, data)
            _close(descriptor)
        raise full

    def _open_for_writing(self, path: str, inode: int) -> int:
        if self._kept is not None:
            if self._kept[:2] == (path, inode):
                return self._kept[2]
            self.let_go()
        descriptor = self._open(path, os.O_RDWR | os.O_DSYNC)
        self._kept = (path, inode, descriptor)
        try:
            found = self._regular(descriptor, path)
            if found.st_ino != inode:
                raise StorageFault(Fault.STALE, f"{path} is inode {found.st_ino}, no longer {inode}")
        except (OSError, StorageFault):
            self.let_go()
            raise
        return descriptor

    @property
    def keeps(self) -> bool:
        """Whether the own lease file is kept open for the next write."""
        return self._kept is not None

    def let_go(self) -> None:
        """Close it: who does not renew must not keep the file system from being unmounted."""
        if self._kept is not None:
            descriptor = self._kept[2]
            self._kept = None
            _close(descriptor)

    def _overwrite(self, handle: int, data: bytes) -> None:
        self._page[: len(data)] = data
        try:
            written = self._through_page(os.pwritev, handle, len(data))
        except OSError:
            self.let_go()  # a stale handle stays stale; the name may still lead to the file
            raise
        if written != len(data):
            raise StorageFault(Fault.IO, f"{written} of {len(data)} bytes were written")

    def _link(self, source: str, target: str) -> None:
        from_directory, old = self._place(source)
        to_directory, new = self._place(target)
        os.link(old, new, src_dir_fd=from_directory, dst_dir_fd=to_directory, follow_symlinks=False)

    def _rename(self, source: str, target: str) -> None:
        from_directory, old = self._place(source)
        to_directory, new = self._place(target)
        os.rename(old, new, src_dir_fd=from_directory, dst_dir_fd=to_directory)

    def _sync_directory(self, path: str) -> None:
        try:
            os.fsync(self._directory(path))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # the file system has no such thing
                raise

    def _stat(self, path: str) -> board.FileStat:
        directory, name = self._place(path)
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        return board.FileStat(found.st_size, found.st_mtime_ns)

    def _remove(self, path: str) -> None:
        directory, name = self._place(path)
        os.unlink(name, dir_fd=directory)

    def _make_directory(self, path: str) -> None:
        directory, name = self._place(path)
        os.mkdir(name, 0o750, dir_fd=directory)
