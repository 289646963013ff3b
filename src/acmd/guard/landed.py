"""Proof that nothing which dead services wrote is still on its way to network storage.

A signal ends a process that waits for an NFS server, but not the request that it waited for: the kernel
keeps it and sends it when the server is back, direct and synchronous writes included. syncfs(2) waits for
dirty pages alone, and returns at once for a file system that has none, whether its server answers or not.
So the proof for a network file system has three parts, in this order:

1. syncfs returned without an error;
2. the server answered a question asked afterwards (statfs(2), which NFS answers from no cache);
3. no request that changes files there is outstanding in the kernel's RPC client, as far as debugfs lets
   that be seen (/sys/kernel/debug/sunrpc/rpc_clnt: net/sunrpc/debugfs.c).

Where debugfs is not there, a second answer stands in for the third part: once a connection is back, what
waits is sent in the order of its asking. Each part can hang, so this runs in a process that can be given up:
a worker of the guard's, or `python landed.py PATH...` for the daemon. Standard library only.
"""

from __future__ import annotations

import glob
import os
import sys
import time
from typing import NamedTuple

if not __package__:  # run as a file
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from acmd.guard.system import syncfs

NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "glusterfs", "fuse.glusterfs", "fuse.ceph")
)
UNKNOWN = "*"
"""`*DIRECTORY` among the paths: every network file system of this host, but one for that directory alone."""
MOUNTS = "/proc/self/mountinfo"
RPC_CLIENTS = "/sys/kernel/debug/sunrpc/rpc_clnt"
PAUSE_S = 0.01
LINKS_LIMIT = 200  # components of a path, with those of the links in it
CHANGING = ("WRITE", "COMMIT", "SETATTR", "CREATE", "OPEN", "REMOVE", "RENAME", "LINK", "MKDIR", "MKNOD",
            "RMDIR", "ALLOCATE", "COPY", "CLONE")  # fmt: skip


class Mount(NamedTuple):
    """A file system of another host. `device` is what st_dev says of its files."""

    device: int
    point: str
    server: str  # its address where the mount's options say so, else ""


def network_mounts(table: str) -> list[Mount]:
    """Those in a text like /proc/self/mountinfo."""
    found = []
    for line in table.splitlines():
        head, _, tail = line.partition(" - ")
        fields, rest = head.split(), tail.split()
        if len(fields) < 6 or len(rest) < 3 or rest[0] not in NETWORK:
            continue
        major, _, minor = fields[2].partition(":")
        options = dict(option.partition("=")[::2] for option in rest[2].split(","))
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        found.append(Mount(os.makedev(int(major), int(minor)), point, options.get("addr", "")))
    return found


def _all_mounts() -> list[Mount]:
    with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        return network_mounts(file.read())


def places(paths: tuple[str, ...], mounts: list[Mount]) -> list[str]:
    """The paths, with those that `UNKNOWN` stands for. Nothing on network storage is touched."""
    found = [path for path in paths if not path.startswith(UNKNOWN)]
    for unknown in (path.removeprefix(UNKNOWN) for path in paths if path.startswith(UNKNOWN)):
        points = {mount.point for mount in mounts}
        real = _up_to_a_mount(unknown, points) if points else unknown
        own = {real, os.path.dirname(real)}
        found += [mount.point for mount in mounts if mount.point not in own]
    return list(dict.fromkeys(found))


def _up_to_a_mount(path: str, points: set[str]) -> str:
    """The path with its links followed as far as they lie before the first of these mounts."""
    seen, left = "/", path.strip("/").split("/")
    for _ in range(LINKS_LIMIT):
        while left and left[0] in ("", "."):
            left.pop(0)
        if not left or seen in points:
            break
        here = os.path.join(seen, left.pop(0))
        try:
            target = "" if here in points else os.readlink(here)
        except OSError:  # no link, or not there
            target = ""
        if target:
            left = [*target.split("/"), *left]
            seen = "/" if target.startswith("/") else seen
        else:
            seen = os.path.normpath(here)
    return os.path.join(seen, *left)


def network() -> bool:
    """Whether this host has network file systems, for which a sync proves too little. Cannot hang."""
    return bool(_all_mounts())


def prove(paths: tuple[str, ...], rpc_clients: str = RPC_CLIENTS) -> None:
    """Return once all is proven to have landed. Waits for as long as it is not. Raises OSError."""
    mounts = _all_mounts()
    handles = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in places(paths, mounts)]
    try:
        for handle in handles:
            syncfs(handle)
        by_device = {mount.device: mount for mount in mounts}
        for handle in handles:
            mount = by_device.get(os.fstat(handle).st_dev)
            if mount is not None:
                os.fstatvfs(handle)
                _wait_until_quiet(mount, handle, rpc_clients)
    finally:
        for handle in handles:
            os.close(handle)


def _wait_until_quiet(mount: Mount, handle: int, rpc_clients: str) -> None:
    while True:
        waiting = outstanding(mount.server, rpc_clients)
        if waiting is None:
            os.fstatvfs(handle)
            return
        if not waiting:
            return
        time.sleep(PAUSE_S)


def outstanding(server: str, rpc_clients: str = RPC_CLIENTS) -> int | None:
    """Requests to that address ("" for any) that change files and have not ended; None: cannot be seen."""
    clients = glob.glob(f"{rpc_clients}/[0-9]*")
    if not clients:
        return None
    count = 0
    for client in clients:
        try:
            tasks = _read(f"{client}/tasks")
            there = _read(f"{client}/xprt/info") if tasks else ""
        except FileNotFoundError:
            continue  # it has gone meanwhile, and its requests with it
        except OSError:
            return None
        if server and there and ["addr:", server] not in (line.split() for line in there.splitlines()):
            continue
        count += sum(_changes(line) for line in tasks.splitlines())
    return count


def _changes(task: str) -> bool:
    """`pid flags status client xid timeout ops PROGRAMv4 PROCEDURE a:... q:...`: the procedure says."""
    words = task.split()
    at = next((index for index, word in enumerate(words) if word.startswith("nfsv")), -1)
    return 0 <= at < len(words) - 1 and any(name in words[at + 1] for name in CHANGING)


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


if __name__ == "__main__":
    prove(tuple(sys.argv[1:]))
