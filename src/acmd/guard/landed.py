"""Proof that nothing which dead services wrote is still on its way to network storage.

A signal ends a process that waits for an NFS server, but not the request that it waited for: the kernel
keeps it and sends it when the server is back, direct and synchronous writes included. syncfs(2) waits for
dirty pages alone, and returns at once for a file system that has none, whether its server answers or not.
So the proof for a network file system has three parts, in this order:

1. syncfs returned without an error, twice: a server that restarted in between makes the kernel keep pages for
   another time that the first one had sent (nfs_commit_release_pages);
2. the server answered a question asked afterwards (statfs(2), which NFS answers from no cache);
3. the requests changing files there that were outstanding then have ended, and what came of them, as far as
   debugfs lets them be seen (/sys/kernel/debug/sunrpc/rpc_clnt: net/sunrpc/debugfs.c).

The third part does not wait for an instant without any such request: services that go on, backups and acmd
itself write all the time. A request is known by its client and the number of its task. That stays the same
when it is sent again, also under another xid after a session or a lease was recovered (rpc_restart_call); a
number that comes again, after 65536 tasks, only makes the wait longer. What follows in a task of its own (a
COMMIT after a WRITE, a WRITE anew after a COMMIT that a restarted server did not honour) is in the next
listing; `GENERATIONS` of them are waited for. As long as a task has no number yet, all have to end.

Where debugfs is not there, a second answer stands in for the third part: once a connection is back, what
waits is sent in the order of its asking. Each part can hang, so this runs in a process that can be given up:
a worker of the guard's, or `python landed.py PATH...` for the daemon. Standard library only.
"""

from __future__ import annotations

import errno
import glob
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

if not __package__:  # run as a file
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from acmd.guard.system import syncfs

NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "glusterfs", "fuse.glusterfs", "fuse.ceph")
)
UNKNOWN = "*"
"""`*DIRECTORY` among the paths: every network file system of this host but one mounted at that directory."""
MOUNTS = "/proc/self/mountinfo"
RPC_CLIENTS = "/sys/kernel/debug/sunrpc/rpc_clnt"
PAUSE_S = 0.01
GENERATIONS = 3  # WRITE, COMMIT, and a WRITE anew that waits for stable storage itself
PIECE = 2048  # a shorter listing came in one piece: the kernel gives a page, 4 KiB or more, at a time
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
        found += [mount.point for mount in mounts if mount.point != real]
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
    handles = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in places(paths, _all_mounts())]
    try:
        for handle in (*handles, *handles):
            syncfs(handle)
        by_device = {mount.device: mount for mount in _all_mounts()}  # opening a path may mount it
        remote = {handle: by_device.get(os.fstat(handle).st_dev) for handle in handles}
        servers = {mount.server for mount in remote.values() if mount is not None}
        _ask(remote)
        if servers and not _have_ended(servers, rpc_clients):
            _ask(remote)
    finally:
        for handle in handles:
            os.close(handle)


def _ask(remote: dict[int, Mount | None]) -> None:
    for handle in (handle for handle, mount in remote.items() if mount is not None):
        os.fstatvfs(handle)


def _have_ended(servers: set[str], rpc_clients: str) -> bool:
    """Wait for what is outstanding now and for what comes of it. False: it cannot be seen."""
    for _ in range(GENERATIONS):
        time.sleep(PAUSE_S)  # a worker of the kernel's may be about to send what comes of one that has ended
        left = outstanding(servers, rpc_clients)
        while left:
            time.sleep(PAUSE_S)
            now = outstanding(servers, rpc_clients)
            left = now if now is None or any(task.number == 0 for task in left) else left & now
        if left is None:
            return False
    return True


class Task(NamedTuple):
    """A request in the kernel's RPC client. `number` 0: it has none yet, and cannot be told from others."""

    client: str
    number: int


def outstanding(servers: Iterable[str], rpc_clients: str = RPC_CLIENTS) -> set[Task] | None:
    """Requests to these addresses ("": any) that change files and have not ended; None: cannot be seen."""
    clients = glob.glob(f"{rpc_clients}/*")
    if not clients:
        return None
    found = set()
    for client in clients:
        try:
            tasks = whole(lambda client=client: _read(f"{client}/tasks"))  # type: ignore[misc]
        except FileNotFoundError:
            continue  # it has gone meanwhile, and its requests with it
        except OSError as problem:
            if problem.errno == errno.EINVAL:
                continue  # it is going; one that has requests is not
            return None
        numbers = {_number(line) for line in tasks.splitlines() if _changes(line)}
        if numbers and _may_be_for(client, set(servers)):
            found |= {Task(os.path.basename(client), number) for number in numbers}
    return found


def whole(read: Callable[[], str]) -> str:
    """A listing in which no request was passed over. `read` gives one reading.

    A long one comes in pieces. When requests of an earlier piece end meanwhile, later ones move up, and as
    many are passed over; they are further up the next time.
    """
    text = read()
    return text if len(text) < PIECE else text + read() + read()


def _may_be_for(client: str, servers: set[str]) -> bool:
    try:
        there = [line.split() for line in _read(f"{client}/xprt/info").splitlines()]
    except OSError:
        return True
    return not there or "" in servers or any(["addr:", server] in there for server in servers)


def _changes(task: str) -> bool:
    """`pid flags status client xid timeout ops PROGRAMv4 PROCEDURE a:... q:...`: the procedure says."""
    words = task.split()
    at = next((index for index, word in enumerate(words) if word.startswith("nfsv")), -1)
    return 0 <= at < len(words) - 1 and any(name in words[at + 1] for name in CHANGING)


def _number(task: str) -> int:
    first = task.split(maxsplit=1)[0]
    return int(first) if first.isdecimal() else 0


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


if __name__ == "__main__":
    prove(tuple(sys.argv[1:]))
