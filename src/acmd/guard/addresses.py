"""Virtual addresses, straight from the kernel (rtnetlink): seen, and removed, with no program run.

At the kill deadline no `ip` needs to be found, forked or waited for. Each call ends in the kernel
at once; the largest dump is a few kilobytes. Standard library only.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 1, 4, 0x10, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
IFA_ADDRESS, IFA_LOCAL = 1, 2
HEADER = struct.Struct("=IHHII")
ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, interface
ATTRIBUTE = struct.Struct("=HH")
LIMIT_S = 1.0


def packed(address: str) -> bytes:
    """As the kernel has it; an interface's name behind a % is left out. Raises ValueError for no address."""
    text = address.partition("%")[0]
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        raise ValueError(f"{address!r} is no address") from None


def held(addresses: Iterable[str]) -> list[str]:
    """Those that any interface of this host has. Raises OSError when the kernel cannot be asked."""
    wanted = {packed(address): address for address in addresses}
    return sorted({wanted[local] for local, _ in _entries(wanted)})


def take_away(addresses: Iterable[str]) -> int:
    """Take them from every interface that has one; how many entries those were. Raises OSError."""
    count = 0
    for local, entry in list(_entries({packed(address): address for address in addresses})):
        attributes = _attribute(IFA_LOCAL, local) + _attribute(IFA_ADDRESS, local)
        try:
            for _ in _talk(RTM_DELADDR, NLM_F_ACK, entry + attributes):
                count += 1
        except OSError as problem:
            if problem.errno != errno.EADDRNOTAVAIL:  # gone meanwhile
                raise
    return count


def _entries(wanted: dict[bytes, str]) -> Iterator[tuple[bytes, bytes]]:
    """The kernel's entries of these addresses: the address, and what names the entry to the kernel."""
    for size, family in ((4, socket.AF_INET), (16, socket.AF_INET6)):
        if not any(len(address) == size for address in wanted):
            continue
        for kind, body in _talk(RTM_GETADDR, NLM_F_DUMP, ADDRESS.pack(family, 0, 0, 0, 0)):
            local = _local(body) if kind == RTM_NEWADDR else b""
            if local in wanted:
                yield local, body[: ADDRESS.size]


def _local(body: bytes) -> bytes:
    found: dict[int, bytes] = {}
    offset = ADDRESS.size
    while offset + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, offset)
        if length < ATTRIBUTE.size:
            break
        found[kind] = body[offset + ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    # On a point-to-point link IFA_ADDRESS is the peer's.
    return found[IFA_LOCAL] if IFA_LOCAL in found else found.get(IFA_ADDRESS, b"")


def _attribute(kind: int, value: bytes) -> bytes:
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value


def _talk(kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Send one request; all that comes back. Raises OSError."""
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    ) as link:
        link.settimeout(LIMIT_S)
        link.send(HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body)
        while True:
            data = link.recv(65536)
            offset = 0
            while offset + HEADER.size <= len(data):
                length, answer, marks, _, _ = HEADER.unpack_from(data, offset)
                if length < HEADER.size or marks & NLM_F_DUMP_INTR:  # changed while it was listed
                    raise OSError(errno.EAGAIN, "the kernel's list of addresses is not whole")
                content = data[offset + HEADER.size : offset + length]
                if answer == NLMSG_DONE:
                    return
                if answer == NLMSG_ERROR:
                    (code,) = struct.unpack_from("=i", content)
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    yield answer, content
                    return
                yield answer, content
                offset += (length + 3) & ~3
