"""Commands on storage that does not answer: they say so and end, within their limits."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.cli import offline
from acmd.cli.main import main
from tests.contract.storage_kit import ALL_OPS
from tests.faultfs.client import FaultFS, missing
from tests.unit.cli_daemon import configuration

SLACK_S = 3.0
INIT_S = 3.0  # instead of a patient minute

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[FaultFS]:
    """The cluster's directory, on a file system that can be stalled."""
    with FaultFS(tmp_path / "backing", tmp_path / "shared") as mounted:
        yield mounted
        mounted.clear()


def test_status_on_dead_storage(tmp_path: Path, storage: FaultFS, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a daemon and with every call stalled: exit code 3, an alarm, and back within the limit."""
    config = configuration(tmp_path)
    assert main(["init", "--config", str(config)]) == 0
    storage.add("stall", *ALL_OPS)
    capsys.readouterr()
    began = time.monotonic()
    code = main(["status", "--config", str(config)])
    took_s = time.monotonic() - began
    out = capsys.readouterr().out
    storage.clear()
    assert code == 3
    assert "shared does not work" in out
    assert "not answer" in out
    assert took_s < offline.LIMIT_S + SLACK_S


def test_init_on_dead_storage(
    tmp_path: Path, storage: FaultFS, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`acmd init` does not hang with its storage: one error, nothing made."""
    monkeypatch.setattr("acmd.cli.init.LIMIT_S", INIT_S)
    config = configuration(tmp_path)
    storage.add("stall", *ALL_OPS, "mkdir")
    began = time.monotonic()
    code = main(["init", "--config", str(config)])
    took_s = time.monotonic() - began
    said = capsys.readouterr().err
    storage.clear()
    assert code == 1
    assert "not answer" in said
    assert took_s < INIT_S + SLACK_S
    assert not list((tmp_path / "backing").iterdir())


@pytest.mark.parametrize(("error", "words"), [(errno.EIO, "io-error"), (errno.EROFS, "read-only")])
def test_init_on_failing_storage(
    tmp_path: Path, storage: FaultFS, capsys: pytest.CaptureFixture[str], error: int, words: str
) -> None:
    """What the storage says is passed on, with what to do; exit code 1."""
    config = configuration(tmp_path)
    storage.add("errno", "create", "mkdir", error=error)
    code = main(["init", "--config", str(config)])
    said = capsys.readouterr().err
    assert code == 1
    assert words in said
    assert "->" in said
