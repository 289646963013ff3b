"""Virtual addresses, straight from the kernel (rtnetlink): seen, and removed, with no program run.

At the kill deadline no `ip` needs to be found, forked or waited for. Each call ends in the kernel
at once; the largest dump is a few kilobytes.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
IFA_ADDRESS, IFA_LOCAL = 1, 2
HEADER = struct.Struct("=IHHII")
ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, interface
ATTRIBUTE = struct.Struct("=HH")


def valid(address: str) -> bool:
    """Whether it is an address at all; the others want only such ones."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def present(address: str) -> bool:
    """Whether any interface has it. What cannot be asked counts as present."""
    try:
        return any(True for _ in _entries(_packed(address)))
    except OSError:
        return True


def remove(address: str) -> int:
    """Take it from every interface that has it; how many those were. What fails shows in `present`."""
    packed = _packed(address)
    count = 0
    try:
        for body in list(_entries(packed)):
            attributes = _attribute(IFA_LOCAL, packed) + _attribute(IFA_ADDRESS, packed)
            for kind, _ in _talk(RTM_DELADDR, NLM_F_ACK, body[: ADDRESS.size] + attributes):
                count += kind == NLMSG_ERROR
    except OSError:
        return count
    return count


def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def _entries(packed: bytes) -> Iterator[bytes]:
    """The kernel's entries that hold this address."""
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    for kind, body in _talk(RTM_GETADDR, NLM_F_DUMP, ADDRESS.pack(family, 0, 0, 0, 0)):
        if kind == RTM_NEWADDR and packed in _local(body):
            yield body


def _local(body: bytes) -> set[bytes]:
    found: dict[int, bytes] = {}
    offset = ADDRESS.size
    while offset + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, offset)
        if length < ATTRIBUTE.size:
            break
        found[kind] = body[offset + ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    # On a point-to-point link IFA_ADDRESS is the peer's.
    return {found[IFA_LOCAL] if IFA_LOCAL in found else found.get(IFA_ADDRESS, b"")}


def _attribute(kind: int, value: bytes) -> bytes:
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value


def _talk(kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Send one request; all that comes back. Raises OSError."""
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    ) as link:
        link.settimeout(1.0)
        link.send(HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body)
        while True:
            data = link.recv(65536)
            offset = 0
            while offset + HEADER.size <= len(data):
                length, answer, _, _, _ = HEADER.unpack_from(data, offset)
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
