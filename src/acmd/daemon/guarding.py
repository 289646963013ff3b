"""What else the guard is told: the virtual addresses, and the command that releases for a dead daemon."""

from __future__ import annotations

import os
import sys

from acmd.config.model import Config, OcfService, ServiceSettings, SysvService
from acmd.daemon.services import services_group, unit_of
from acmd.drivers.run_store import LOCK_FILE
from acmd.drivers.scripts import addresses

ADDRESS_AGENTS = {"IPaddr2": "ip", "IPaddr": "ip", "IPv6addr": "ipv6addr"}
"""Resource agents that bring an address up, and the parameter that names it."""


def virtual_addresses(config: Config) -> tuple[str, ...]:
    """The addresses of active-only services: they follow the active node, and go at the kill deadline."""
    named = (_address(entry) for entry in config.services if entry.runs_on == "active")
    bare = (address.partition("/")[0].partition("%")[0] for address in named)
    return tuple(dict.fromkeys(address for address in bare if addresses.valid(address)))


def release_settings(config: Config) -> dict[str, list[str] | str]:
    """The command that releases for a daemon that died for good, and the lock that it takes.

    Nothing where an active-only service may hold something that the guard cannot see: then the peer
    waits for W, as after every other expiry.
    """
    active = [entry for entry in config.services if entry.runs_on == "active"]
    grouped = bool(services_group(config, "active"))
    if not all(_is_seen_whole(entry, grouped) for entry in active):
        return {}
    command = [sys.executable, "-P", "-m", "acmd", "--config", os.path.abspath(config.file)]
    return {"helper": [*command, "guard", "release"], "lock": f"{config.run_dir}/{LOCK_FILE}"}


def unseen(config: Config) -> str:
    """Why this node must not be active: processes of a service would be in no group that the guard knows.

    It could neither kill them nor see that they live on, and the other node would start the same beside.
    """
    if services_group(config, "active"):
        return ""
    active = [entry for entry in config.services if entry.runs_on == "active"]
    found = [entry.name for entry in active if isinstance(entry, SysvService) and not unit_of(entry)]
    if not found:
        return ""
    return (
        f"{', '.join(found)} would run in no control group, so that the guard could not kill it: boot this "
        "host with control groups v2 (kernel option systemd.unified_cgroup_hierarchy=1), or make a systemd "
        "unit of it"
    )


def _is_seen_whole(entry: ServiceSettings, grouped: bool) -> bool:
    """Whether processes, PID 1's word and addresses are all there is to it; not so a mount by an agent."""
    if isinstance(entry, OcfService):
        return grouped and bool(_address(entry))
    if isinstance(entry, SysvService):
        return grouped or bool(unit_of(entry))
    return True


def _address(entry: ServiceSettings) -> str:
    if not isinstance(entry, OcfService) or entry.agent_type not in ADDRESS_AGENTS:
        return ""
    return entry.parameters.get(ADDRESS_AGENTS[entry.agent_type], "")
