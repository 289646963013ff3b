"""`acmd check` as a command: its report, its exit code, and what `--fix` does; where a backup logs in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acmd.checks.finding import Check, Finding, Fix, ko, ok, warn
from acmd.checks.registry import run as run_checks
from acmd.checks.subject import Subject
from acmd.cli.acmctl import source_of
from acmd.cli.check import show
from acmd.cli.main import main
from acmd.cli.mending import mend
from tests.unit.cli_daemon import configuration
from tests.unit.configs import loaded

PASSWORD = "s3cret-word"


def one(name: str, group: str, finding: Finding) -> Check:
    """A check that comes to this."""
    return Check(name, group, "It is looked at.", lambda _: [finding], False)


def test_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    """Each group's name once, one line a finding, the remedy below it."""
    checks = [
        one("a", "host", ok("fine")),
        one("b", "host", warn("odd", "look")),
        one("c", "logging", ko("bad", "mend")),
    ]
    assert len(list(show(run_checks(Subject(), checks)))) == 3
    assert capsys.readouterr().out == (
        "-- this host\nOK   fine\nWARN odd\n     -> look\n-- logs\nKO   bad\n     -> mend\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fix", "--json"], "use one of them"),
        (["--fix"], "add --yes"),
        (["--group", "none"], "invalid choice"),
    ],
)
def test_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused before anything is looked at; pytest's standard input is no terminal."""
    assert main(["check", "--pre-install", *arguments]) == 64
    assert said in capsys.readouterr().err


def test_before_an_installation(capsys: pytest.CaptureFixture[str]) -> None:
    """No configuration is needed; the exit code is 1 exactly when something is KO."""
    code = main(["check", "--pre-install", "--json", "--group", "acm"])
    said = json.loads(capsys.readouterr().out)
    assert {row["check"] for row in said["findings"]} == {"acm-cron", "cluster-packages"}
    assert (code == 0) is said["ok"]


@pytest.mark.parametrize(
    ("text", "said"), [("[cluster]\nnmae = 3\n", "nmae"), ("[cluster\n", "acmd.toml"), (None, "acmd.toml")]
)
def test_a_configuration_that_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    """It is a finding with its remedy; what can be checked without one still is."""
    file = tmp_path / "acmd.toml"
    if text is not None:
        file.write_text(text)
    assert main(["--config", str(file), "check", "--json", "--group", "host"]) == 1
    rows = json.loads(capsys.readouterr().out)["findings"]
    refused = [row for row in rows if row["check"] == "configuration"]
    assert refused
    assert all(row["level"] == "KO" and row["remedy"] for row in refused)
    assert said in refused[0]["what"]
    assert {row["check"] for row in rows} >= {"configuration", "selinux", "memory"}


def test_a_fix_is_shown_and_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command as a person would type it; whether it worked is what counts."""
    file = tmp_path / "f"
    assert mend(Fix(("touch", str(file))), ask=False)
    assert file.exists()
    assert not mend(Fix(("false",)), ask=False)
    assert not mend(Fix(("there-is-no-such-program",)), ask=False)
    said = capsys.readouterr().out
    assert f"fix: touch {file}" in said
    assert "failed with 1" in said


def test_where_a_backup_logs_in(tmp_path: Path) -> None:
    """As database.yml says, its one database; the password is in no text."""
    file = tmp_path / "d.yml"
    file.write_text(
        f"production:\n  username: rails\n  password: {PASSWORD}\n  host: 192.0.2.11\n  database: shop\n"
    )
    file.chmod(0o600)
    text = configuration(tmp_path).read_text() + f'[database]\nfile = "{file}"\n'
    source = source_of(loaded(text).config)
    assert (source.user, source.password, source.host) == ("rails", PASSWORD, "192.0.2.11")
    assert (source.port, source.socket, source.database) == (3306, "", "shop")
    assert PASSWORD not in repr(source)
