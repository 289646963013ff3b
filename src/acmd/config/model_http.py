"""The plain values of `[http]`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where HTTP is spoken. Empty texts: not."""

    listen: str  # "ADDRESS:PORT", "[ADDRESS]:PORT" for IPv6
    certificate_file: str
    key_file: str
    token_file: str


def split_listen(value: str) -> tuple[str, int]:
    """Address and port. Raises ValueError, saying why it is neither."""
    host, colon, port = value.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or not 0 < int(port[:6]) < 65536:
        raise ValueError("must be ADDRESS:PORT, as in 127.0.0.1:8808 or [::1]:8808")
    if (host[:1] == "[") != (host[-1:] == "]") or (":" in host and host[:1] != "["):
        raise ValueError("must have an IPv6 address in brackets, as in [::1]:8808")
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError:
        raise ValueError("must begin with an IP address, not a name: 127.0.0.1, 0.0.0.0 for all") from None


def is_loopback(listen: str) -> bool:
    """Whether only this host can connect there."""
    return ipaddress.ip_address(split_listen(listen)[0]).is_loopback
