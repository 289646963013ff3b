"""What `acmd setup` proposes: addresses, shared storage and services as they are found on this host."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from acmd.checks.storage import NFS, Mount, mount_of, mounts
from acmd.config.defaults import DEFAULT_DIRECTORY
from acmd.config.presets import PRESETS
from acmd.errors import AcmdError
from acmd.guard.landed import NETWORK
from acmd.migrate.storage import look

NOT_OFFERED = ("127.", "::1", "fe80:", "169.254.")
SHARED = NETWORK | {"ocfs2", "gfs2", "cvfs", "beegfs"}
"""Kinds of file systems that several hosts can have mounted at a time."""
PLACES = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


class Storage(NamedTuple):
    """Where a directory lies. `device_id` is None when the storage did not answer."""

    mount: Mount
    device_id: int | None

    @property
    def keeps_its_id(self) -> bool:
        """An NFS mount's can be another one after a reboot."""
        return self.mount.kind not in NFS


def addresses() -> dict[str, str]:
    """This host's own, each with its interface, in the order of `ip addr`."""
    import psutil

    return {
        address: interface
        for interface, entries in psutil.net_if_addrs().items()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6}
        and not (address := entry.address.partition("%")[0]).startswith(NOT_OFFERED)
    }


def shared_mounts() -> list[Mount]:
    """What could be shared storage."""
    return [mount for mount in _table() if mount.kind in SHARED]


def directory() -> str:
    """Beside ACM's directories where ACM was, else on the first mount that could be shared storage."""
    if os.path.lexists(os.path.dirname(DEFAULT_DIRECTORY)):
        return DEFAULT_DIRECTORY
    return next((f"{mount.point.rstrip('/')}/acmd" for mount in shared_mounts()), DEFAULT_DIRECTORY)


def storage(path: str) -> Storage | None:
    """What a directory, or the one that it will be in, lies on; None for the root file system."""
    asked = [path, os.path.dirname(path.rstrip("/")) or "/"]
    try:
        seen = look(asked).files
    except AcmdError:  # it does not answer: by its name alone
        mount = mount_of(path, _table())
        return None if mount is None or mount.point == "/" else Storage(mount, None)
    for entry in (seen[one] for one in asked):
        if "real" in entry:
            mount = mount_of(entry["real"], _table())
            return None if mount is None or mount.point == "/" else Storage(mount, entry["device"])
    return None


def services() -> list[str]:
    """The presets of which a unit, or a script of init's, is on this host."""
    found = []
    for name, values in PRESETS.items():
        paths = [f"{place}/{unit}" for unit in values["unit"] for place in PLACES]
        paths += [f"/etc/init.d/{unit.removesuffix('.service')}" for unit in values["unit"]]
        if any(os.path.exists(path) for path in paths):
            found.append(name)
    return found


def _table() -> list[Mount]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            return mounts(file.read())
    except OSError:
        return []
