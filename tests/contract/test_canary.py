"""Canaries on data directories, and logins for probes, on real files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from acmd.daemon.watching import FileMarker
from acmd.drivers.canary import Canary
from acmd.errors import AcmdError


@pytest.mark.asyncio
async def test_a_directory_that_answers(tmp_path: Path) -> None:
    """Empty or not: nothing is said against it, and nothing is left in it."""
    canary = Canary(str(tmp_path), 5.0)
    assert await canary.ask() == ""
    (tmp_path / "data").touch()
    assert await canary.ask() == ""
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.asyncio
async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """The reason names it."""
    assert await Canary(f"{tmp_path}/none", 5.0).ask() == f"{tmp_path}/none: No such file or directory"
    (tmp_path / "file").touch()
    assert await Canary(f"{tmp_path}/file", 5.0).ask() == f"{tmp_path}/file: Not a directory"


@pytest.mark.asyncio
async def test_one_that_does_not_answer(tmp_path: Path) -> None:
    """At the limit it counts as one that does not answer; the next question is a new one once that ended."""
    canary = Canary(str(tmp_path), 0.0)
    began = time.monotonic()
    assert await canary.ask() == f"{tmp_path} does not answer"
    assert time.monotonic() - began < 2.0
    hanging = canary._hanging
    assert hanging is not None
    await hanging.wait()
    assert await canary.ask() == f"{tmp_path} does not answer"


def test_a_marker_outlives_its_maker(tmp_path: Path) -> None:
    """Set, seen by another one, taken away, also twice; where it cannot be written it says so."""
    FileMarker(tmp_path / "m").set(True)
    assert FileMarker(tmp_path / "m").there()
    FileMarker(tmp_path / "m").set(False)
    FileMarker(tmp_path / "m").set(False)
    assert not FileMarker(tmp_path / "m").there()
    with pytest.raises(AcmdError, match="No such file"):
        FileMarker(tmp_path / "none" / "m").set(True)
