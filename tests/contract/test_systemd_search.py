# ruff: noqa: ASYNC110 - the end of a process is waited for by looking
"""The search for processes that left their unit's control group, on real processes and on a dead file."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.drivers.systemd.groups import Search
from tests.contract.storage_kit import mounted

pytestmark = pytest.mark.asyncio


@pytest.fixture
def run() -> Iterator[tuple[str, int]]:
    """An invocation, and the one process of it."""
    invocation = uuid.uuid4().hex
    process = subprocess.Popen(
        ["/bin/sleep", "1000"], env={"A": "b", "INVOCATION_ID": invocation}, start_new_session=True
    )
    yield invocation, process.pid
    process.kill()
    process.wait()


async def test_what_slipped_out_is_found(run: tuple[str, int]) -> None:
    """By the id of its run and nothing else; two who ask at a time share one search."""
    invocation, pid = run
    search = Search()
    first, second = await asyncio.gather(search.escaped(invocation, ()), search.escaped(invocation, ()))
    assert first == second
    assert [(one.pid, one.name, one.lives) for one in first] == [(pid, "sleep", True)]
    assert await search.escaped(uuid.uuid4().hex, ()) == ()


async def test_one_that_ends_badly_proves_nothing() -> None:
    """A search that broke, or cannot see, is no answer; nor is a program that is not there."""
    for program in ("false", "true"):
        search = Search((program,))
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await search.escaped("id", ())
    with pytest.raises(FileNotFoundError):
        await Search(("/nowhere",)).escaped("id", ())


async def test_one_that_hangs_is_left_behind_and_stays_the_only_one(tmp_path: Path) -> None:
    """Nothing ends it: nobody waits twice, no second process and no thread follows until it has ended."""
    with mounted(tmp_path) as faults:
        (faults.backing / "environ").write_text("")
        (faults.backing / "count").write_text("")
        code = (
            f"echo x >> {faults.backing}/count; echo /proc/self/environ; exec cat {faults.mountpoint}/environ"
        )
        search = Search(("/bin/sh", "-c", code, "sh"), limit_s=1.0)
        rule = faults.add("stall", "open", "read", "lookup", "getattr", name="*environ*")
        with pytest.raises(TimeoutError):
            await search.escaped("id", ())
        assert search.hanging
        began = time.monotonic()
        before = len(os.listdir("/proc/self/task"))
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await search.escaped("id", ())
        assert time.monotonic() - began < 0.5
        assert len(os.listdir("/proc/self/task")) == before
        assert (faults.backing / "count").read_text() == "x\n"
        faults.clear(rule)
        async with asyncio.timeout(10):
            while search.hanging:
                await asyncio.sleep(0.02)
        assert await search.escaped("id", ()) == ()
