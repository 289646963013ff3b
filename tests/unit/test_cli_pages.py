"""What a person reads of status, history and report: within 80 columns, aligned, and without secrets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from acmd.cli.acmctl import main as acmctl
from acmd.cli.history import page
from acmd.cli.main import main
from acmd.cli.report_parts import own_units, without_secrets
from acmd.cli.status_rich import page as rich_page
from tests.unit.cli_daemon import configuration, node, snapshot

NOON_S = 1_795_867_200.0  # in Greenwich
DAY_S = 86_400


def epoch(number: int, holder: str, begin_s: float, length_s: float | None, **more: Any) -> dict[str, Any]:
    """An epoch as `acmd history --json` has it."""
    return {
        "epoch": number,
        "holder": holder,
        "state": "held" if length_s is None else "released",
        "from_s": NOON_S + begin_s,
        "to_s": None if length_s is None else NOON_S + begin_s + length_s,
        "length_s": length_s,
        "reason": "" if length_s is None else "switchover",
        "planned": None,
        "interruption_s": 1.2,
        "outage_s": 0.0,
        "unfenced": [],
    } | more


def test_history_fits() -> None:
    """80 columns hold it; the end has only what the beginning does not say."""
    table = page({"epochs": [epoch(1, "alpha", 0, 0.5), epoch(2, "beta", 1, None)], "ignored": {}})
    assert max(map(len, table)) <= 80
    heads, first, last = (line.split() for line in table[:3])
    assert heads == ["epoch", "holder", "from", "to", "length", "ended", "by", "gap"]
    assert first[:2] == ["1", "alpha"]
    assert len(first[4]) == len("12:00:00")
    assert first[5:] == ["0.5", "s", "switchover", "1.2", "s"]
    assert last[4:] == ["held", "1.2", "s"]
    assert table[0].index("gap") == table[1].index("1.2") == table[2].index("1.2")


def test_history_of_long_epochs_and_what_is_seldom() -> None:
    """Another day is said with its date, another year with its year; outages and unfenced where there are."""
    long = epoch(2, "a", 0, 60 * DAY_S, outage_s=3.0, unfenced=["b"])
    table = page({"epochs": [epoch(1, "a", -10 * DAY_S, 2 * DAY_S), long], "ignored": {"c": "it is torn"}})
    assert table[0].split()[-2:] == ["outages", "unfenced"]
    assert len(table[1].split()[4]) == len("11-27")
    assert len(table[2].split()[4]) == len("2027-01-27")
    assert "outages: while it lasted" in table[4]
    assert table[-1] == "WARN the journal of c is not counted: it is torn"


@pytest.mark.parametrize("command", ["history", "events", "logs"])
@pytest.mark.parametrize("number", ["0", "-3", "x", "1.5"])
def test_a_number_that_makes_no_sense(
    command: str, number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error that says what is wanted."""
    assert main([command, "-n", number, "--config", str(configuration(tmp_path))]) == 64
    assert f"{number!r} is not a whole number, 1 or more" in capsys.readouterr().err


def test_warnings_in_a_terminal() -> None:
    """Each level in its column, text and remedy beside it, also where they need several lines."""
    screen = Console(file=io.StringIO(), width=45, color_system=None)
    screen.print(rich_page(snapshot(nodes=[node("a", "active")])))
    assert isinstance(screen.file, io.StringIO)
    lines = [line.rstrip() for line in screen.file.getvalue().splitlines()]
    assert lines[:4] == [
        " WARN   no other node is known: nobody can",
        "        take over",
        "        → start acmd on the other node as",
        "        well",
    ]


def test_the_colour_of_a_level_ends_with_it() -> None:
    """What is wrong and what to do stand on the terminal's own ground."""
    screen = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    screen.print(rich_page(snapshot(nodes=[node("a", "active")])))
    assert isinstance(screen.file, io.StringIO)
    level, rest = screen.file.getvalue().split("\x1b[0m", 1)
    assert level == "\x1b[30;43m WARN  "
    assert rest.startswith(" no other node is known")


def test_a_report_has_no_environments() -> None:
    """Names without values; everything else as it was."""
    shown = 'Id=web.service\nEnvironment=PASSWORD=s3cret "OPTIONS=a s3cret"\nSetCredential=k:s3cret\nResult=x'
    masked = without_secrets(shown)
    assert "s3cret" not in masked
    assert "Environment=PASSWORD=(not shown) OPTIONS=(not shown)" in masked.splitlines()
    assert masked.startswith("Id=web.service\n")
    assert masked.endswith("Result=x\n")


def test_acmctl_names_itself_once(capsys: pytest.CaptureFixture[str]) -> None:
    """In front of an error."""
    assert acmctl(["-i", "-s"]) == 64
    assert capsys.readouterr().err.startswith("acmctl: argument -s: not allowed with argument -i\n")


def test_a_report_is_of_the_cluster_s_own_units() -> None:
    """A second cluster on a host has units of its own: /etc/acmd/NAME.toml is acmd@NAME."""
    assert own_units("/etc/acmd/acmd.toml")[0] == "acmd.service"
    assert own_units("/etc/acmd/db.toml")[:2] == ("acmd@db.service", "acmd-guard@db.service")
