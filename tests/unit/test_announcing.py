"""`daemon.announcing`: what a node says of itself for the check on the others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
from pathlib import Path

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
    """uid:gid of a service's user, gid of a group; one that this host does not have is left out."""
    me = pwd.getpwuid(os.getuid())
    agent = (
        '[[service]]\nname = "db"\nkind = "ocf"\nagent = "ocf:heartbeat:mysql"\n'
        'parameters = { user = "no-such-user", group = "root" }\n'
    )
    config = loaded(f'{SERVICE}user = "{me.pw_name}"\n{agent}').config
    found = asyncio.run(announcing.users(config))
    assert found is not None
    assert (found[me.pw_name], found[":root"]) == (f"{me.pw_uid}:{me.pw_gid}", ":0")
    assert "no-such-user" not in found


def test_a_name_service_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it, and what was known before is kept; it is asked again soon."""
    (tmp_path / "getent").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "getent").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    async def look() -> dict[str, str]:
        announced = announcing.Announced(loaded(SERVICE).config, limit_s=0.2)
        announced.users["web"] = "7:7"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await announced.run()
        return announced.users

    assert asyncio.run(look()) == {"web": "7:7"}


@pytest.mark.parametrize("users", [None, 7, [], {"a": 7}, {"a\x1b[2J": "1:1"}])
def test_nonsense_of_another_node(users: object) -> None:
    """It is shown harmlessly or not at all."""
    file = NodeFile("b", "", "passive", True, "", False, "1", "i", "b", 1)
    found = from_content({**to_content(file), "users": users})
    assert isinstance(found, NodeFile)
    assert all(name.isprintable() and isinstance(ids, str) for name, ids in found.users.items())
