"""A shared directory in memory: executes the procedures of `core.calls` and `core.board`."""

from __future__ import annotations

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


class MemoryFile:
    """One inode."""

    def __init__(self, inode: int, data: bytes, modified_ns: int) -> None:
        self.inode = inode
        self.data = data
        self.modified_ns = modified_ns


class MemoryDirectory:
    """Paths lead to files, several names may share one. `fail` maps a system call's type to a fault."""

    def __init__(self) -> None:
        self.files: dict[str, MemoryFile] = {}
        self.directories: set[str] = set()
        self.fail: dict[type, Fault] = {}
        self.now_ns = 10**18  # the server's clock
        self.calls: list[str] = []
        self._inodes = 1

    def run(self, steps: Any) -> Any:
        """What the procedure returns. Raises StorageFault."""
        does: dict[type, Callable[..., Any]] = {
            ListDir: self._list,
            ReadFile: self._read,
            Create: self._create,
            OpenForWriting: self._open_for_writing,
            Overwrite: self._overwrite,
            Link: self._link,
            Rename: self._rename,
            SyncDir: self._sync,
            board.StatFile: self._stat,
            board.Remove: self._remove,
            board.MakeDir: self._make_directory,
        }
        try:
            request = next(steps)
            while True:
                self.calls.append(type(request).__name__)
                try:
                    if type(request) in self.fail:
                        raise StorageFault(self.fail[type(request)], "injected")
                    result = does[type(request)](*request)
                except StorageFault as failure:
                    request = steps.throw(failure)
                else:
                    request = steps.send(result)
        except StopIteration as end:
            return end.value

    def put(self, path: str, data: bytes, age_ns: int = 0) -> MemoryFile:
        """A file as somebody else left it."""
        self._inodes += 1
        self.files[path] = MemoryFile(self._inodes, data, self.now_ns - age_ns)
        return self.files[path]

    def _need(self, path: str) -> MemoryFile:
        if path not in self.files:
            raise StorageFault(Fault.MISSING, path)
        return self.files[path]

    def _parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent and parent not in self.directories:
            raise StorageFault(Fault.MISSING, parent)

    def _list(self, path: str) -> tuple[str, ...]:
        if path != ".":
            self._parent(f"{path}/.")
        prefix = "" if path == "." else f"{path}/"
        names = {name[len(prefix) :] for name in (*self.files, *self.directories) if name.startswith(prefix)}
        return tuple(name for name in names if "/" not in name)

    def _read(self, path: str, limit: int) -> FileData:
        file = self._need(path)
        return FileData(file.data[:limit], file.inode)

    def _create(self, path: str, data: bytes) -> MemoryFile:
        self._parent(path)
        if path in self.files:
            raise StorageFault(Fault.EXISTS, path)
        return self.put(path, data)

    def _open_for_writing(self, path: str, inode: int) -> MemoryFile:
        file = self._need(path)
        if file.inode != inode:
            raise StorageFault(Fault.STALE, path)
        return file

    def _overwrite(self, handle: MemoryFile, data: bytes) -> None:
        handle.data = data + handle.data[len(data) :]
        handle.modified_ns = self.now_ns

    def _link(self, source: str, target: str) -> None:
        file = self._need(source)
        self._parent(target)
        if target in self.files:
            raise StorageFault(Fault.EXISTS, target)
        self.files[target] = file

    def _rename(self, source: str, target: str) -> None:
        file = self._need(source)
        self._parent(target)
        del self.files[source]
        self.files[target] = file

    def _sync(self, path: str) -> None:
        return

    def _stat(self, path: str) -> board.FileStat:
        file = self._need(path)
        return board.FileStat(len(file.data), file.modified_ns)

    def _remove(self, path: str) -> None:
        self._need(path)
        del self.files[path]

    def _make_directory(self, path: str) -> None:
        if path in self.directories:
            raise StorageFault(Fault.EXISTS, path)
        self.directories.add(path)


class FailingDirectory(MemoryDirectory):
    """A directory in memory in which single files (`broken`) fail although they are listed."""

    def __init__(self) -> None:
        super().__init__()
        self.directories.update(board.DIRECTORIES)
        self.broken: dict[str, Fault] = {}

    def _need(self, path: str) -> Any:
        if path in self.broken:
            raise StorageFault(self.broken[path], path)
        return super()._need(path)
