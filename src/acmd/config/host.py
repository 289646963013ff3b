"""What loading a configuration may know of the host, as values and functions that tests supply themselves."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One host. `lstat` and `realpath` are asked about shared storage by `directory.examine` alone."""

    hostname: str
    addresses: frozenset[str]
    has_user: Callable[[str], bool]
    lstat: Callable[[str], os.stat_result]
    realpath: Callable[[str], str]


def this_host() -> HostFacts:
    """The host that this runs on."""
    return HostFacts(
        hostname=socket.gethostname(),
        addresses=_addresses(),
        has_user=_has_user,
        lstat=os.lstat,
        realpath=os.path.realpath,
    )


def _addresses() -> frozenset[str]:
    """The IP addresses of all interfaces; link-local ones without their zone."""
    import psutil  # noqa: PLC0415 - 10 ms and 1 MB that only a full load needs

    return frozenset(
        entry.address.partition("%")[0]
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6}
    )


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
