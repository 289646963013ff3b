"""`daemon.people`: whoever gives an order has a name, and a directory service that hangs stops nothing."""

from __future__ import annotations

import asyncio
import os
import pwd
import threading

import pytest

from acmd.daemon.people import LIMIT_S, People

pytestmark = pytest.mark.asyncio


async def test_names() -> None:
    """Root is known without a search; a number that has no name stays one."""
    people = People()
    assert await people.name(0) == "root"
    assert await people.name(os.getuid()) == pwd.getpwuid(os.getuid()).pw_name
    nobody = next(uid for uid in range(4_000_000_000, 4_000_001_000) if not _known(uid))
    assert await people.name(nobody) == f"uid {nobody}"


def _known(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


async def test_a_directory_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one waits for its limit, the others not at all; when it answers, the name is known."""
    answers = threading.Event()

    def slow(uid: int) -> pwd.struct_passwd:
        answers.wait(60)
        return pwd.struct_passwd(("alice", "x", uid, uid, "", "/", "/bin/sh"))

    monkeypatch.setattr("acmd.daemon.people.pwd.getpwuid", slow)
    people = People()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await people.name(4711) == "uid 4711"
    assert loop.time() - begun >= LIMIT_S
    assert await asyncio.wait_for(people.name(4712), LIMIT_S / 2) == "uid 4712"
    assert await people.name(0) == "root"
    answers.set()
    await asyncio.wait_for(people._found.wait(), 20)
    assert await people.name(4711) == "alice"
