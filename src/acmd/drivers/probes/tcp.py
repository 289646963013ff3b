"""The tcp probe, and connections for the others: made without ever blocking the loop."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from dataclasses import dataclass, field
from typing import Any

from acmd.drivers.probes.probe import CheckFailed
from acmd.drivers.probes.worker import Worker

Address = tuple[int, Any]  # address family, and what connect() takes


async def connect(host: str, port: int, resolver: Worker) -> socket.socket:
    """A connected, non-blocking socket. Raises CheckFailed; names are looked up in the resolver's thread."""
    failure = f"{host} has no address"
    for family, address in await addresses(host, port, resolver):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            await connected(sock, address)
        except OSError as error:
            failure = f"cannot connect to {host} port {port}: {os.strerror(error.errno or 0)}"
        else:
            return sock
    raise CheckFailed(failure)


async def connected(sock: socket.socket, address: Any) -> None:
    """Connect without blocking; the socket is closed when that fails or is cancelled. Raises OSError."""
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise


async def addresses(host: str, port: int, resolver: Worker) -> list[Address]:
    """Addresses of a name, in the system's order. A literal address needs no look-up."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [(socket.AF_INET if literal.version == 4 else socket.AF_INET6, (host, port))]
    try:
        found = await resolver.run(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        raise CheckFailed(f"{host} cannot be looked up: {error}") from None
    return [(int(entry[0]), entry[4]) for entry in found]


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """Good when a connection is accepted. Note that a frozen process's kernel still accepts."""

    host: str
    port: int
    _resolver: Worker = field(default_factory=lambda: Worker("tcp"), repr=False, compare=False)

    async def __call__(self) -> dict[str, Any]:
        """Connect and close. Raises CheckFailed."""
        (await connect(self.host, self.port, self._resolver)).close()
        return {}
