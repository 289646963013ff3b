"""Virtual addresses of this host, seen and removed with no program run; the guard does the same at K."""

from __future__ import annotations

import ipaddress

from acmd.guard import addresses


def valid(address: str) -> bool:
    """Whether it is an address at all; the others want only such ones."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def present(address: str) -> bool:
    """Whether any interface has it. What cannot be asked counts as present."""
    return asked(address) is not False


def asked(address: str) -> bool | None:
    """Whether any interface has it; None when the kernel cannot be asked, or its list changes just now."""
    try:
        return bool(addresses.held([address]))
    except OSError:
        return None


def remove(address: str) -> int:
    """Take it from every interface that has it; how many those were. What fails shows in `present`."""
    try:
        return addresses.take_away([address])
    except OSError:
        return 0
