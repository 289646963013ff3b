"""`checks.speed` on real directories: what it measures, and how it judges it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from acmd.checks import durable, speed
from acmd.checks.subject import Subject
from acmd.cli.main import main
from acmd.core.timing import NS_PER_S
from tests.unit.cli_daemon import configuration
from tests.unit.configs import loaded
from tests.unit.test_checks import levels, words


def subject(directory: Path, **timing: int) -> Subject:
    """A node of a cluster there."""
    config = loaded(f'[cluster]\ndirectory = "{directory}"\n[node]\nname = "a"\n').config
    return Subject(replace(config, timing=replace(config.timing, **timing) if timing else config.timing))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """As `acmd init` leaves one."""
    assert main(["--config", str(configuration(tmp_path)), "init"]) == 0
    return tmp_path / "shared"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes there")
def test_looks_and_writes(directory: Path) -> None:
    """Both are said with median and worst; nothing is left of the writes."""
    (found,) = speed.latency(
        subject(directory, renew_deadline_ns=3600 * NS_PER_S, heartbeat_ns=60 * NS_PER_S)
    )
    assert found.level == "OK"
    assert found.what.count("worst of") == 2
    assert list((directory / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("look_s", "write_s", "level"),
    [(0.002, 0.01, "OK"), (0.002, None, "OK"), (0.25, 0.1, "WARN"), (0.01, 1.1, "WARN"), (0.01, 3.5, "KO")],
)
def test_what_lengths_mean(tmp_path: Path, look_s: float, write_s: float | None, level: str) -> None:
    """Profile standard: a heartbeat each second, and half the renew deadline of 6 s for the worst."""
    config = subject(tmp_path).settings
    found = speed.judged(config, [look_s] * 20, [] if write_s is None else [write_s] * 10)
    assert levels([found]) == [level]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes there")
def test_a_directory_that_takes_nothing(directory: Path) -> None:
    """It can be listed, but not written to: said in words."""
    (directory / "tmp").rmdir()
    assert "takes no durable write: no such file or directory" in words(speed.latency(subject(directory)))


def test_no_directory(tmp_path: Path) -> None:
    """What the worker found."""
    assert words(speed.latency(subject(tmp_path / "none"))).startswith(
        "KO the lease directory does not answer"
    )


def test_the_process(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As many numbers as were asked for, or one line and 1."""
    assert durable.main([str(directory), "3"]) == 0
    assert capsys.readouterr().out.count(",") == 2
    assert durable.main([str(directory / "none"), "3"]) == 1
    assert capsys.readouterr().out == "no such file or directory\n"
