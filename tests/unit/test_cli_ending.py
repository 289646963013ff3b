"""How commands end: outputs that take nothing, ^C, and what programs are told of an error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acmd.cli import values
from acmd.cli.main import main
from tests.tree import ROOT
from tests.unit.cli_daemon import configuration, daemon, snapshot

CAPS = pytest.CaptureFixture[str]
PROGRAM = f'"{sys.executable}" -m acmd'


def sh(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """A shell's view of acmd, with the file of the environment."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ACMD_CONFIG": f"{directory}/acmd.toml"}
    words = ["/bin/sh", "-c", script.replace("acmd ", f"{PROGRAM} ")]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment, check=False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_outputs(tmp_path: Path, closed: str) -> None:
    """What was closed leads nowhere; the exit code is the command's."""
    configuration(tmp_path)
    assert sh(f"acmd nodes {closed}; echo $?", tmp_path).stdout.endswith("3\n")
    assert sh(f"acmd bogus {closed}; echo $?", tmp_path).stdout.endswith("64\n")
    with daemon(tmp_path, snapshot()):
        done = sh(f"acmd status {closed}; echo code $?", tmp_path)
    assert done.stdout.endswith("code 0\n")
    assert "Traceback" not in done.stderr


def test_a_full_disk_behind_an_output(tmp_path: Path) -> None:
    """What could not be said is an error of its own; one about standard error changes no exit code."""
    done = sh("acmd config schema >/dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "acmd: standard output cannot be written: no space left on device\n"
        "  -> make room there, or send it somewhere else; what was ordered is in force\n"
    )
    assert sh("acmd bogus 2>/dev/full", tmp_path).returncode == 64


def test_a_host_at_its_limits(tmp_path: Path) -> None:
    """No process more, no file more: one error."""
    configuration(tmp_path)
    done = sh("ulimit -n 6; acmd timing", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "acmd: this host has no process, file or memory left for this command: too many open files\n"
        "  -> end what uses them up (`ps -eLf`, `ulimit -a`, `free`), then try again\n"
    )


def test_an_order_that_nobody_answers(tmp_path: Path, capsys: CAPS) -> None:
    """Whether it is followed is not known, and so it is said; not so with a question."""
    file = str(configuration(tmp_path))
    for words, unknown in ((["clear-hold-down"], True), (["nodes"], False)):
        (tmp_path / "run" / "control.sock").unlink(missing_ok=True)
        with daemon(tmp_path, b""):
            assert main([words[0], "--config", file]) == 1
        said = capsys.readouterr().err
        assert "without an answer" in said
        assert ("whether it follows the order is not known" in said) is unknown


def test_an_order_without_a_reader(tmp_path: Path) -> None:
    """It is followed to its end; the exit code is that of the order."""
    configuration(tmp_path)
    there = snapshot(maintenance={"all": None, "nodes": {"b": {"by": "root", "at": 1, "reason": ""}}})
    with daemon(tmp_path, {"ok": True, "node": "b"}, snapshot(), snapshot(), there) as asked:
        done = sh(f"(acmd disable --node b; echo $? >{tmp_path}/code) | true", tmp_path)
    assert ((tmp_path / "code").read_text(), done.stderr) == ("0\n", "")
    assert len(asked) == 4


def test_what_is_followed_without_a_reader(tmp_path: Path) -> None:
    """`acmd events --follow | head -1` ends though nothing more happens."""
    configuration(tmp_path)
    event = {"number": 1, "at_s": 1.0, "level": "info", "event": "leaving", "fields": {}}
    with daemon(tmp_path, {"events": [event]}, {"events": []}):
        done = sh("acmd events --follow | head -n 1", tmp_path)
    assert "leaving" in done.stdout
    assert done.stderr == ""


def test_interrupted_while_it_follows(tmp_path: Path) -> None:
    """130, and that the order stays."""
    configuration(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ACMD_CONFIG": f"{tmp_path}/acmd.toml"}
    with daemon(tmp_path, {"ok": True, "node": "b"}, snapshot()) as asked:
        words = [sys.executable, "-m", "acmd", "disable", "--node", "b"]
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        until = time.monotonic() + 30
        while len(asked) < 3:
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "acmd: what was ordered stays in force; `acmd status` shows how it goes on\n"


def test_an_error_for_programs(tmp_path: Path, capsys: CAPS) -> None:
    """With --json the error is an object as well, on standard output; not so what was typed wrongly."""
    file = str(configuration(tmp_path))
    for words in (["nodes"], ["switchover"], ["history"], ["timing"], ["forget", "b", "--yes"]):
        code = main([words[0], "--config", file, *words[1:], "--json"])
        out, err = capsys.readouterr()
        error = json.loads(out)
        assert code in {1, 3}
        assert err.endswith(f"acmd: {error['error']}\n  -> {error['remedy']}\n")
    assert main(["forget", "--config", file, "b", "--json"]) == 64
    assert capsys.readouterr().out == ""


def test_not_in_time_for_programs(tmp_path: Path, capsys: CAPS) -> None:
    """An order that did not take effect is told to programs, too."""
    file = str(configuration(tmp_path))
    with daemon(tmp_path, {"ok": True, "node": "b"}, snapshot()):
        code = main(["disable", "--config", file, "--node", "b", "--timeout", "0.1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["ok"], told["error"]) == (
        1,
        False,
        "that did not happen within 0.1 s; the order stays in force",
    )


def test_reasons(capsys: CAPS) -> None:
    """One readable line of at most 200 characters; nothing that steers a terminal is kept."""
    assert values.reason("  two\nlines\tand \udcff\x1b[2J ") == "two lines and \ufffd\ufffd[2J"
    assert values.reason("") == ""
    assert values.reason("x" * 201) == "x" * 200
    assert capsys.readouterr().err == "acmd: of the reason the first 200 characters are kept\n"
