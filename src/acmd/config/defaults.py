"""Defaults that a command needs before, or instead of, the whole configuration: quick to import."""

from __future__ import annotations

DEFAULT_FILE = "/etc/acmd/acmd.toml"
FILE_VARIABLE = "ACMD_CONFIG"
DEFAULT_CLUSTER = "acmd"
DEFAULT_DIRECTORY = "/opt/aspera/acm/acmd"


def default_run_dir(cluster: str) -> str:
    """Where a cluster keeps what must not survive a reboot, unless configured otherwise."""
    return f"/run/acmd/{cluster}"


def default_state_dir(cluster: str) -> str:
    """Where a cluster keeps what must survive a reboot, unless configured otherwise."""
    return f"/var/lib/acmd/{cluster}"


def default_node_name(hostname: str) -> str:
    """The host's name up to the first dot."""
    return hostname.partition(".")[0]
