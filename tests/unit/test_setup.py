"""`acmd setup`: writes what the loader accepts, keeps what was there, asks only where somebody can answer."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from acmd.cli.main import main


def setup(file: Path, *words: str) -> int:
    options = [
        "--yes",
        "--no-check",
        "--name",
        "node-a",
        "--address",
        "127.0.0.1",
        "--directory",
        "/mnt/acmd",
    ]
    return main(["--config", str(file), "setup", *options, "--services", "mysql", *words])


def test_a_configuration_is_written(tmp_path: Path) -> None:
    """It holds the answers, and root and its group alone may read it."""
    file = tmp_path / "acmd.toml"
    assert setup(file) == 0
    text = file.read_text()
    assert 'services = ["MYSQL"]' in text
    assert 'directory = "/mnt/acmd"' in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["acmd.toml"]


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only with --force, and the old one is kept."""
    file = tmp_path / "acmd.toml"
    file.write_text("# mine\n")
    assert setup(file) == 1
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "# mine\n"
    assert setup(file, "--force") == 0
    assert (tmp_path / "acmd.toml.old").read_text() == "# mine\n"


def test_a_refused_answer_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The loader's own words, and no file."""
    assert setup(tmp_path / "acmd.toml", "--address", "203.0.113.77") == 1
    assert "is not an address of this host" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_a_terminal_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that forgot --yes ends with a usage error instead of waiting."""
    with open("/dev/null") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert main(["--config", str(tmp_path / "acmd.toml"), "setup"]) == 64
