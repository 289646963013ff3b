"""`acmd setup`: writes what the loader accepts, keeps what was there, asks only where somebody can answer."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from acmd.cli import proposals
from acmd.cli.main import main
from acmd.config.host import this_host


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


def typed(file: Path, answers: str, *words: str) -> tuple[int, str]:
    """`acmd setup` on a terminal, with these lines typed: its exit code, and all that the terminal showed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "acmd", "--config", str(file), "setup", "--no-check", *words]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as asked:
        os.close(theirs)
        os.write(ours, answers.encode())
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
            shown += piece
    os.close(ours)
    return asked.returncode, shown.decode()


def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    """Each question shows what was found; an empty line takes the proposal, - takes none."""
    file = tmp_path / "acmd.toml"
    code, shown = typed(file, f"node-b\n127.0.0.1\n{tmp_path}/acmd\n-\n-\n\n")
    assert code == 0, shown
    for address, interface in proposals.addresses().items():
        assert f"{address} on {interface}" in shown
    text = file.read_text()
    assert 'name = "node-b"' in text
    assert "services = []" in text
    assert "device_id" not in text
    assert 'profile = "standard"' in text


def test_given_answers_are_not_asked_for(tmp_path: Path) -> None:
    """Options and questions mix."""
    given = ["--name", "c", "--address", "127.0.0.1", "--directory", "/mnt/acmd", "--services", "-"]
    code, shown = typed(tmp_path / "acmd.toml", "fast\n", *given, "--device-id", "42")
    assert code == 0, shown
    assert shown.count("[") == 1
    text = (tmp_path / "acmd.toml").read_text()
    assert "device_id = 42\n" in text
    assert 'profile = "fast"' in text


def test_the_end_of_answers(tmp_path: Path) -> None:
    """Control-D in the middle writes nothing."""
    code, shown = typed(tmp_path / "acmd.toml", "node-d\n\x04")
    assert code == 64
    assert "nothing was written" in shown
    assert not list(tmp_path.iterdir())


def test_a_device_id_is_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else is refused, with the command that prints it."""
    assert setup(tmp_path / "acmd.toml", "--device-id", "sda1") == 64
    assert "stat -c %d" in capsys.readouterr().err


def test_addresses_are_the_hosts() -> None:
    """Those of this host, without the loopback."""
    assert set(proposals.addresses()) <= this_host().addresses
    assert "127.0.0.1" not in proposals.addresses()


def test_what_a_directory_lies_on() -> None:
    """The mount and the id that stat prints, also for one that is still to be made; not for the root."""
    found = proposals.storage("/proc/acmd")
    assert found is not None
    assert (found.mount.point, found.device_id) == ("/proc", Path("/proc").stat().st_dev)
    assert proposals.storage("/acmd") is None
