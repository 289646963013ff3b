"""The command line: dispatch, exit codes, and one clear message for each expected error."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from acmd import __version__
from acmd.cli.main import COMMANDS, main
from acmd.errors import AcmdError, UsageError
from tests.tree import ROOT

THIS = {"probe": ("tests.unit.cli_probe", "a command of the tests")}


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments, THIS)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_command_gets_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """Options after the command are the command's."""
    assert run("-c", "/f", "probe", "--say", "x", capsys=capsys) == (0, "/f x\n", "")


def test_config_may_stand_before_or_after(capsys: pytest.CaptureFixture[str]) -> None:
    """--config is understood on both sides of the command; the later one counts."""
    assert run("--config=/f", "probe", capsys=capsys)[1] == "/f \n"
    assert run("--config", "/f", "probe", "--config", "/g", capsys=capsys)[1] == "/g \n"


def test_exit_code_is_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command returns is the exit code."""
    assert run("probe", "--code", "2", capsys=capsys)[0] == 2


def test_expected_errors_are_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    """An AcmdError becomes its text on standard error and its exit code; nothing else is printed."""
    assert run("probe", "--fail", capsys=capsys) == (1, "", "acmd: it is broken\n  -> mend it\n")


def test_interrupt_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Control-C ends a command without a traceback."""
    assert run("probe", "--interrupt", capsys=capsys) == (130, "", "")


USAGE = {
    "none": ((), "acmd: which command?\n  -> `acmd --help` says more\n"),
    "unknown": (
        ("prob",),
        "acmd: there is no command 'prob'; did you mean 'probe'?\n  -> `acmd --help` says more\n",
    ),
    "option": (
        ("probe", "--sya"),
        "acmd: probe: unrecognized arguments: --sya\n  -> `acmd probe --help` says more\n",
    ),
    "general": (("--bad", "probe"), "acmd: unrecognized arguments: --bad\n  -> `acmd --help` says more\n"),
    "value": (
        ("--config",),
        "acmd: argument -c/--config: expected one argument\n  -> `acmd --help` says more\n",
    ),
    "no abbreviations": (
        ("probe", "--inter"),
        "acmd: probe: unrecognized arguments: --inter\n  -> `acmd probe --help` says more\n",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), USAGE.values(), ids=USAGE.keys())
def test_usage_errors(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command line that cannot be understood is exit code 64 and one message."""
    assert run(*arguments, capsys=capsys) == (64, "", message)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--version and --help end with 0; the help lists commands and exit codes."""
    assert run("--version", capsys=capsys) == (0, f"acmd {__version__}\n", "")
    code, out, _ = run("--help", capsys=capsys)
    assert code == 0
    assert "probe  a command of the tests" in out
    assert "3 daemon not running" in out
    assert run("probe", "--help", capsys=capsys)[0] == 0


def test_exit_codes_of_errors() -> None:
    """Expected errors end with 1, usage errors with 64."""
    assert (AcmdError.exit_code, UsageError.exit_code) == (1, 64)


@pytest.mark.parametrize("name", COMMANDS)
def test_registered_commands_exist(name: str) -> None:
    """Every command in the table has its module."""
    assert importlib.util.find_spec(COMMANDS[name][0]) is not None


# ---------------------------------------------------------------- as a process


def acmd(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "acmd", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
    )


def test_the_file_from_the_environment(tmp_path: Path) -> None:
    """ACMD_CONFIG names the file where no option does."""
    (tmp_path / "c.toml").write_text("[log]\nlevel = 1\n")
    done = acmd("config", "show", ACMD_CONFIG=str(tmp_path / "c.toml"))
    assert done.returncode == 1
    assert done.stderr == (
        f'acmd: {tmp_path}/c.toml:2: log.level = 1: must be one of "debug", "info", "warning", "error"; '
        "choose one of them\n"
    )


def test_config_check(tmp_path: Path) -> None:
    """`config check` ends with 0 or 1, and tells machines the same."""
    file, shared = tmp_path / "c.toml", tmp_path / "shared"
    file.write_text(f'[cluster]\ndirectory = "{shared}"\n[node]\nname = "a"\n')
    done = acmd("--config", str(file), "config", "check", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (1, False)
    assert report["problems"][0]["what"] == f"{shared} does not exist"
    shared.mkdir(mode=0o755)
    done = acmd("--config", str(file), "config", "check")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith(f"OK   {file}\n")


def test_config_defaults_and_schema_need_no_file() -> None:
    """`defaults` is the shipped file, `schema` is JSON; both work without a configuration."""
    defaults = acmd("config", "defaults", ACMD_CONFIG="/nonexistent")
    assert defaults.stdout == (ROOT / "etc/acmd/acmd.toml").read_text()
    assert json.loads(acmd("config", "schema", ACMD_CONFIG="/nonexistent").stdout)["title"] == "Document"


def test_the_dispatcher_is_light() -> None:
    """Dispatching and a glance at the configuration import neither the schema's library nor asyncio."""
    code = "import sys, acmd.cli.main, acmd.config.glance; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert not {"pydantic", "psutil", "rich", "asyncio", "structlog"} & set(done.stdout.split())


def test_a_closed_pipe_is_no_traceback() -> None:
    """`acmd ... | head` ends quietly."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m acmd config schema | true'],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.stderr == ""
