"""Whom units run as, by their own `User=` and `Group=`, drop-ins included.

A group is written as chown writes it, `:name`, so that one list holds both.
"""

from __future__ import annotations

from collections.abc import Mapping

SHOWN = ("User", "Group", "DynamicUser")


def named_in(shown: str) -> tuple[str, ...]:
    """The names in what `systemctl show` prints of some units.

    Numbers are the same everywhere, and an id that systemd makes up at each start belongs to nobody's files.
    """
    blocks = (
        dict(line.split("=", 1) for line in each.splitlines() if "=" in line) for each in shown.split("\n\n")
    )
    return tuple(dict.fromkeys(name for block in blocks for name in named(block)))


def named(properties: Mapping[str, str]) -> tuple[str, ...]:
    """The names in one unit's properties."""
    user, group = properties.get("User", ""), properties.get("Group", "")
    given = (user, f":{group}" if group else "") if properties.get("DynamicUser") != "yes" else ()
    return tuple(name for name in given if name and not name.lstrip(":").isdecimal())
