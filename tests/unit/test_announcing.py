"""`daemon.announcing`: what a node says of itself for the check on the others."""

from __future__ import annotations

import asyncio
import os
import pwd

import pytest

from acmd.core.nodefile import NodeFile, from_content, to_content
from acmd.daemon import announcing
from tests.unit.configs import loaded

SERVICE = '[[service]]\nname = "web"\nkind = "command"\ncommand = ["/usr/bin/web"]\n'


@pytest.mark.parametrize("own", ['[node]\naddress = "192.0.2.11"\n', '[log]\nlevel = "debug"\n', ""])
def test_what_may_differ(own: str) -> None:
    """A node's own address and log level do not change the digest."""
    assert announcing.digest(loaded(own + SERVICE).config) == announcing.digest(loaded(SERVICE).config)


@pytest.mark.parametrize(
    "other",
    [
        SERVICE + "stop_timeout_s = 7\n",
        '[timing]\nprofile = "fast"\n' + SERVICE,
        SERVICE + 'runs_on = "all"\n',
    ],
)
def test_what_may_not(other: str) -> None:
    """Services and timing do."""
    assert announcing.digest(loaded(other).config) != announcing.digest(loaded(SERVICE).config)


def test_users() -> None:
    """uid:gid of a service's user; one that this host does not have is left out."""
    me = pwd.getpwuid(os.getuid())
    config = loaded(f'{SERVICE}user = "{me.pw_name}"\n').config
    assert asyncio.run(announcing.users(config))[me.pw_name] == f"{me.pw_uid}:{me.pw_gid}"


@pytest.mark.parametrize("users", [None, 7, [], {"a": 7}, {"a\x1b[2J": "1:1"}])
def test_nonsense_of_another_node(users: object) -> None:
    """It is shown harmlessly or not at all."""
    file = NodeFile("b", "", "passive", True, "", False, "1", "i", "b", 1)
    found = from_content({**to_content(file), "users": users})
    assert isinstance(found, NodeFile)
    assert all(name.isprintable() and isinstance(ids, str) for name, ids in found.users.items())
