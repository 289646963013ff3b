"""The passthrough itself: every operation goes to the backing directory, by way of the injector.

Attributes and names are never cached, so each operation of a client arrives here.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Any

import pyfuse3

from tests.faultfs.rules import Injector

_KEPT_FLAGS = os.O_ACCMODE | os.O_TRUNC  # direct and synchronous I/O are the kernel's business above us


class Passthrough(pyfuse3.Operations):
    """Inode numbers are those of the backing directory, except for the root's, which FUSE demands to be 1."""

    enable_writeback_cache = False
    supports_dot_lookup = False

    def __init__(self, backing: str, injector: Injector) -> None:
        super().__init__()
        self._backing = backing
        self._injector = injector
        self._root = os.stat(backing).st_ino
        self._paths: dict[int, set[str]] = {pyfuse3.ROOT_INODE: {""}}
        self._open_dirs: dict[int, tuple[str, list[str]]] = {}
        self._open_files: dict[int, str] = {}
        self._dir_handles = 0

    # -- paths and attributes -----------------------------------------------------------------

    def _real(self, path: str) -> str:
        return os.path.join(self._backing, path) if path else self._backing

    def _path(self, inode: int) -> str:
        for path in self._paths.get(inode, ()):
            try:
                if inode == pyfuse3.ROOT_INODE or os.lstat(self._real(path)).st_ino == inode:
                    return path
            except FileNotFoundError:
                continue
        raise pyfuse3.FUSEError(errno.ESTALE)

    def _child(self, parent: int, name: bytes) -> str:
        return os.path.join(self._path(parent), os.fsdecode(name))

    def _entry(self, found: os.stat_result) -> Any:
        entry: Any = pyfuse3.EntryAttributes()
        for name in (
            *("st_mode", "st_nlink", "st_uid", "st_gid", "st_rdev", "st_size"),
            *("st_atime_ns", "st_mtime_ns", "st_ctime_ns", "st_blksize", "st_blocks"),
        ):
            setattr(entry, name, getattr(found, name))
        entry.st_ino = pyfuse3.ROOT_INODE if found.st_ino == self._root else found.st_ino
        entry.generation = 0
        entry.entry_timeout = 0
        entry.attr_timeout = 0
        return entry

    def _known(self, path: str) -> Any:
        entry = self._entry(os.lstat(self._real(path)))
        self._paths.setdefault(entry.st_ino, set()).add(path)
        return entry

    def _give(self, path: str, ctx: Any) -> None:
        """To whoever asked for it, as far as this process may."""
        if os.geteuid() == 0 and (ctx.uid, ctx.gid) != (0, 0):
            os.chown(self._real(path), ctx.uid, ctx.gid)

    async def _do(self, op: str, path: str, perform: Callable[[], Any], torn: Any = None) -> Any:
        try:
            return await self._injector.apply(op, path, perform, torn)
        except OSError as error:
            raise pyfuse3.FUSEError(error.errno or errno.EIO) from None

    # -- names --------------------------------------------------------------------------------

    async def lookup(self, parent_inode: Any, name: bytes, ctx: Any = None) -> Any:
        path = self._child(parent_inode, name)
        if self._injector.hidden(path):
            raise pyfuse3.FUSEError(errno.ENOENT)
        return await self._do("lookup", path, lambda: self._known(path))

    async def getattr(self, inode: Any, ctx: Any = None) -> Any:
        path = self._path(inode)
        return await self._do("getattr", path, lambda: self._known(path))

    async def setattr(self, inode: Any, attr: Any, fields: Any, fh: Any, ctx: Any) -> Any:
        path = self._path(inode)

        def perform() -> Any:
            if fields.update_size:
                os.truncate(self._real(path), attr.st_size)
            if fields.update_mode:
                os.chmod(self._real(path), stat.S_IMODE(attr.st_mode))
            if fields.update_uid or fields.update_gid:
                owner = attr.st_uid if fields.update_uid else -1
                os.chown(self._real(path), owner, attr.st_gid if fields.update_gid else -1)
            return self._known(path)

        return await self._do("setattr", path, perform)

    async def opendir(self, inode: Any, ctx: Any) -> Any:
        path = self._path(inode)
        self._dir_handles += 1
        handle = self._dir_handles

        def perform() -> int:
            self._open_dirs[handle] = (path, sorted(os.listdir(self._real(path))))
            return handle

        return await self._do("opendir", path, perform)

    async def readdir(self, fh: Any, start_id: int, token: Any) -> None:
        path, names = self._open_dirs[fh]

        def perform() -> None:
            for number, name in enumerate(names[start_id:], start_id + 1):
                child = os.path.join(path, name)
                if self._injector.hidden(child):
                    continue
                try:
                    entry = self._known(child)
                except FileNotFoundError:
                    continue
                if not pyfuse3.readdir_reply(token, os.fsencode(name), entry, number):
                    return

        await self._do("readdir", path, perform)

    async def releasedir(self, fh: Any) -> None:
        self._open_dirs.pop(fh, None)

    async def mkdir(self, parent_inode: Any, name: bytes, mode: Any, ctx: Any) -> Any:
        path = self._child(parent_inode, name)

        def perform() -> Any:
            os.mkdir(self._real(path), mode & ~ctx.umask)
            self._give(path, ctx)
            return self._known(path)

        return await self._do("mkdir", path, perform)

    async def unlink(self, parent_inode: Any, name: bytes, ctx: Any) -> None:
        path = self._child(parent_inode, name)
        await self._do("unlink", path, lambda: os.unlink(self._real(path)))

    async def rmdir(self, parent_inode: Any, name: bytes, ctx: Any) -> None:
        path = self._child(parent_inode, name)
        await self._do("rmdir", path, lambda: os.rmdir(self._real(path)))

    async def symlink(self, parent_inode: Any, name: bytes, target: bytes, ctx: Any) -> Any:
        path = self._child(parent_inode, name)

        def perform() -> Any:
            os.symlink(os.fsdecode(target), self._real(path))
            return self._known(path)

        return await self._do("symlink", path, perform)

    async def readlink(self, inode: Any, ctx: Any) -> Any:
        path = self._path(inode)
        return await self._do("readlink", path, lambda: os.fsencode(os.readlink(self._real(path))))

    async def rename(self, p_old: Any, n_old: bytes, p_new: Any, n_new: bytes, flags: Any, ctx: Any) -> None:
        if flags:
            raise pyfuse3.FUSEError(errno.EINVAL)
        old, new = self._child(p_old, n_old), self._child(p_new, n_new)

        def perform() -> None:
            os.rename(self._real(old), self._real(new))
            self._known(new)

        await self._do("rename", new, perform)

    async def link(self, inode: Any, new_parent_inode: Any, new_name: bytes, ctx: Any) -> Any:
        old, new = self._path(inode), self._child(new_parent_inode, new_name)

        def perform() -> Any:
            os.link(self._real(old), self._real(new))
            return self._known(new)

        return await self._do("link", new, perform)

    # -- content ------------------------------------------------------------------------------

    async def open(self, inode: Any, flags: Any, ctx: Any) -> Any:
        path = self._path(inode)
        return await self._do(
            "open", path, lambda: self._opened(path, os.open(self._real(path), flags & _KEPT_FLAGS))
        )

    def _opened(self, path: str, descriptor: int) -> Any:
        self._open_files[descriptor] = path
        handle: Any = descriptor
        return pyfuse3.FileInfo(fh=handle)

    async def create(self, parent_inode: Any, name: bytes, mode: Any, flags: Any, ctx: Any) -> Any:
        path = self._child(parent_inode, name)

        def perform() -> Any:
            kept = (flags & _KEPT_FLAGS) | os.O_CREAT | (flags & os.O_EXCL)
            info = self._opened(path, os.open(self._real(path), kept, mode & ~ctx.umask))
            self._give(path, ctx)
            return info, self._known(path)

        return await self._do("create", path, perform)

    async def read(self, fh: Any, off: int, size: int) -> Any:
        return await self._do("read", self._open_files[fh], lambda: os.pread(fh, size, off))

    async def write(self, fh: Any, off: int, buf: bytes) -> Any:
        data = bytes(buf)
        path = self._open_files[fh]
        copy = os.dup(fh)  # a write that lands late may outlive the descriptor

        def perform() -> int:
            try:
                return os.pwrite(copy, data, off)
            finally:
                os.close(copy)

        def torn() -> int:
            os.pwrite(fh, data[: len(data) // 2], off)
            os.close(copy)
            return len(data)

        return await self._do("write", path, perform, torn)

    async def flush(self, fh: Any) -> None:
        return

    async def release(self, fh: Any) -> None:
        del self._open_files[fh]
        os.close(fh)

    async def fsync(self, fh: Any, datasync: bool) -> None:
        await self._do("fsync", self._open_files[fh], lambda: os.fsync(fh))

    async def fsyncdir(self, fh: Any, datasync: bool) -> None:
        await self._do("fsyncdir", self._open_dirs[fh][0], lambda: None)

    async def statfs(self, ctx: Any) -> Any:
        found = os.statvfs(self._backing)
        answer: Any = pyfuse3.StatvfsData()
        for name in (
            "f_bsize",
            "f_frsize",
            "f_blocks",
            "f_bfree",
            "f_bavail",
            "f_files",
            "f_ffree",
            "f_favail",
        ):
            setattr(answer, name, getattr(found, name))
        answer.f_namemax = found.f_namemax
        return answer
