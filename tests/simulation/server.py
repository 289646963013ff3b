"""The file server: names, inodes, contents. Each system call executes at one instant."""

from __future__ import annotations

from typing import Any, Callable

from acmd.core.calls import (
    CLUSTER_FILE,
    Create,
    Fault,
    FileData,
    Link,
    ListDir,
    OpenForWriting,
    Overwrite,
    ReadFile,
    Rename,
    SyncDir,
)


class Inode:
    """A file. `acknowledged`: the highest number of a write whose reply was sent."""

    __slots__ = ("number", "data", "previous", "acknowledged", "first", "epoch")

    def __init__(self, number: int, data: bytes, now: int) -> None:
        self.number = number
        self.data = data
        self.previous = data
        self.acknowledged = 0
        self.first = {data: now}  # when each content first appeared: what an observer counts from
        self.epoch = -1

    def __repr__(self) -> str:
        return f"inode {self.number}"


class Server:
    """Executes system calls. Values are returned, failures too: as a `Fault`."""

    def __init__(self, cluster_file: bytes) -> None:
        self.inodes = 0
        self.requests = 0
        self.names: dict[str, Inode] = {}
        self.listing: tuple[str, ...] = ()
        self.hidden: list[tuple[str, str, int]] = []  # name, host, until
        self.frozen: dict[str, tuple[tuple[str, ...], int]] = {}  # host -> its old view, until
        self.on_linked: Callable[[str, Inode, str], None] = lambda name, inode, host: None
        self.on_written: Callable[[Inode, bytes, str], None] = lambda inode, data, host: None
        self.full_until = -1
        self._enter(CLUSTER_FILE, self._inode(cluster_file, 0))

    def _inode(self, data: bytes, now: int) -> Inode:
        self.inodes += 1
        return Inode(self.inodes, data, now)

    def _enter(self, name: str, inode: Inode) -> None:
        self.names[name] = inode
        if "/" not in name:
            self.listing = tuple(name for name in self.names if "/" not in name)

    def put(self, name: str, data: bytes, now: int) -> Inode:
        """Place a file, as `acmd init` does."""
        inode = self._inode(data, now)
        self._enter(name, inode)
        return inode

    def unlink(self, name: str) -> None:
        """Somebody removes a name."""
        del self.names[name]
        self.listing = tuple(name for name in self.names if "/" not in name)

    def _is_hidden(self, name: str, host: str, now: int) -> bool:
        for hidden, from_host, until in self.hidden:
            if hidden == name and from_host == host and now < until:
                return True
        return False

    def execute(self, call: Any, host: str, now: int, number: int = 0, torn_at: int = 0) -> Any:
        """Execute one system call. `torn_at`: a write or a read that comes in two halves."""
        kind = type(call)
        if kind is ReadFile:
            inode = self.names.get(call.path)
            if inode is None or (self.hidden and self._is_hidden(call.path, host, now)):
                return Fault.MISSING
            data = inode.data
            if torn_at:
                data = data[:torn_at] + inode.previous[torn_at:]
            return FileData(data[: call.limit], inode.number)
        if kind is ListDir:
            if host in self.frozen:
                view, until = self.frozen[host]
                if now < until:
                    return view
                del self.frozen[host]
            if not self.hidden:
                return self.listing
            return tuple(name for name in self.listing if not self._is_hidden(name, host, now))
        if kind is Overwrite:
            return self._overwrite(call.handle, call.data, host, now, number, torn_at)
        if kind is OpenForWriting:
            inode = self.names.get(call.path)
            if inode is None:
                return Fault.MISSING
            return inode if inode.number == call.inode else Fault.STALE
        if kind is Create:
            if call.path in self.names:
                return Fault.EXISTS
            if now < self.full_until:
                return Fault.NO_SPACE
            inode = self._inode(call.data, now)
            self.names[call.path] = inode
            return inode
        if kind is Link:
            return self._link(call.source, call.target, host, now)
        if kind is Rename:
            inode = self.names.pop(call.source, None)
            if inode is None:
                return Fault.MISSING
            inode.first = {inode.data: now}
            self._enter(call.target, inode)
            self.on_linked(call.target, inode, host)
            return None
        if kind is SyncDir:
            return None
        raise TypeError(call)

    def _overwrite(self, inode: Inode, data: bytes, host: str, now: int, number: int, torn_at: int) -> None:
        """A write. One that was issued before an acknowledged one never executes: the assumption."""
        if number < inode.acknowledged:
            return
        inode.previous = inode.data
        inode.data = data[:torn_at] + inode.data[torn_at:] if torn_at else data
        inode.first.setdefault(inode.data, now)
        self.on_written(inode, data, host)

    def _link(self, source: str, target: str, host: str, now: int) -> Any:
        inode = self.names.get(source)
        if inode is None:
            return Fault.MISSING
        if target in self.names:
            return Fault.EXISTS
        if now < self.full_until:
            return Fault.NO_SPACE
        inode.first = {inode.data: now}
        if self.hidden or self.frozen:  # its own change of the directory makes a client look afresh
            self.frozen.pop(host, None)
            self.hidden = [item for item in self.hidden if item[1] != host]
        self._enter(target, inode)
        self.on_linked(target, inode, host)
        return None
