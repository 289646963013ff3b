"""The operator's commands: what is asked of the person, what of the daemon, and what is said."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path
from time import localtime, mktime, strftime, strptime

import pytest

from acmd.cli.main import main
from acmd.cli.when import clock_text, moment, moment_from
from tests.unit.cli_daemon import configuration, node, snapshot
from tests.unit.test_cli_orders import run

COMMANDS = {
    "fence": ["fence", "b"],
    "confirm-off": ["confirm-off", "b"],
    "forget": ["forget", "b"],
    "interlock": ["interlock", "override"],
    "detach": ["detach"],
}
CAPS = pytest.CaptureFixture[str]


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_terminal_yes_is_needed(tmp_path: Path, capsys: CAPS, name: str) -> None:
    """Nobody is asked where nobody can answer, and nothing is ordered: a usage error."""
    code, out, err, asked = run(tmp_path, capsys, *COMMANDS[name], answers=(snapshot(),))
    assert (code, out) == (64, "")
    assert err == f"acmd: {name}: there is no terminal to ask on\n  -> add --yes if you are sure\n"
    assert [request["do"] for request in asked] in ([], ["status"])


@pytest.mark.parametrize(
    "words",
    [
        *([*words, "--yes"] for words in COMMANDS.values()),
        ["clear-hold-down"],
        ["nodes"],
        ["service", "stop", "web"],
    ],
    ids=lambda words: words[0],
)
def test_without_a_daemon(tmp_path: Path, capsys: CAPS, words: list[str]) -> None:
    """Exit code 3, and how to start it."""
    assert main([words[0], "--config", str(configuration(tmp_path)), *words[1:]]) == 3
    assert "no acmd daemon runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "answer", "asked", "said"),
    [
        (
            ["clear-hold-down", "b", "--reason", "new disk"],
            {"ok": True, "node": "b"},
            {"do": "clear-hold-down", "node": "b", "reason": "new disk"},
            "the hold-down of b ends within a heartbeat",
        ),
        (
            ["confirm-off", "b", "--yes", "--reason", "plug"],
            {"ok": True, "node": "b", "effect": "expired"},
            {"do": "confirm-off", "node": "b", "reason": "plug"},
            "b counts as off: its lease is over",
        ),
        (
            ["forget", "b", "--yes"],
            {"ok": True, "node": "b"},
            {"do": "forget", "node": "b", "reason": ""},
            "b is forgotten",
        ),
        (
            ["interlock", "override", "--yes"],
            {"ok": True, "epoch": 7},
            {"do": "override-interlock", "reason": ""},
            "the interlock is overridden for the takeover from epoch 7",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_is_asked_and_said(
    tmp_path: Path, capsys: CAPS, words: list[str], answer: dict[str, object], asked: object, said: str
) -> None:
    """In words for people; with --json the daemon's own answer."""
    code, out, err, requests = run(tmp_path, capsys, *words, answers=(answer,))
    assert (code, err, requests[0]) == (0, "", asked)
    assert out.startswith(said)
    (tmp_path / "run" / "control.sock").unlink()
    code, out, *_ = run(tmp_path, capsys, *words, "--json", answers=(answer,))
    assert (code, json.loads(out)) == (0, answer)


def test_fence_waits_for_the_agent(tmp_path: Path, capsys: CAPS) -> None:
    """Asked again while it runs; confirmed is success, anything else is not."""
    running = {"ok": True, "node": "b", "result": "running"}
    code, out, _, asked = run(
        tmp_path,
        capsys,
        "fence",
        "b",
        "--yes",
        "--force",
        answers=(running, running, running | {"result": "confirmed"}),
    )
    assert code == 0
    assert asked[0] == {"do": "fence", "node": "b", "reason": "", "force": True}
    assert asked[1:] == [{"do": "fence-result", "node": "b"}] * 2
    assert "b is off, by the agent's word" in out


@pytest.mark.parametrize("as_json", [False, True])
def test_fence_that_fails(tmp_path: Path, capsys: CAPS, *, as_json: bool) -> None:
    """Exit code 1, and what to do."""
    words = ["fence", "b", "--yes", *(["--json"] if as_json else [])]
    failed = {"ok": True, "node": "b", "result": "failed"}
    code, out, err, _ = run(tmp_path, capsys, *words, answers=(failed,))
    assert code == 1
    if as_json:
        assert (json.loads(out)["ok"], json.loads(out)["result"]) == (False, "failed")
    else:
        assert "the agent did not confirm that b is off" in err


def test_fence_that_does_not_end(tmp_path: Path, capsys: CAPS) -> None:
    """The limit of the command is not the agent's: it goes on."""
    running = {"ok": True, "node": "b", "result": "running"}
    words = ["fence", "b", "--yes", "--timeout", "0.1"]
    code, _, err, _ = run(tmp_path, capsys, *words, answers=(running,))
    assert code == 1
    assert err == (
        "acmd: the agent has not ended within 0.1 s\n  -> `acmd status` shows what becomes of it\n"
    )


def test_nodes(tmp_path: Path, capsys: CAPS) -> None:
    """A table, and the same for programs."""
    silent = node("b", "unknown", last_seen_s=90.0)
    unfit = node("c", "passive", fit=False, unfit_because="its guard does not answer")
    known = snapshot(nodes=[node("a", "active"), silent, unfit])
    code, out, _, _ = run(tmp_path, capsys, "nodes", answers=(known,))
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["node", "address", "role", "state", "heard", "version"]
    assert "this node" in lines[1]
    assert "silent; `acmd forget b` if it is gone for good" in lines[2]
    assert "90 s ago" in lines[2]
    assert "unfit: its guard does not answer" in lines[3]


def service(state: str, since_s: float) -> dict[str, object]:
    """A snapshot in which web is so."""
    row = {"name": "web", "state": state, "runs_on": "active", "since_s": since_s}
    return snapshot(nodes=[node("a", "active", services=[row])])


def test_service_is_followed(tmp_path: Path, capsys: CAPS) -> None:
    """A restart is over once it runs for a shorter time than before; a stop once it is down."""
    answer = {"ok": True, "service": "web", "deed": "restart", "node": "a", "was": "running"}
    old, down, new = service("running", 500.0), service("stopped", 0.1), service("running", 0.2)
    code, out, _, asked = run(
        tmp_path, capsys, "service", "restart", "web", answers=(old, answer, old, down, new)
    )
    assert (code, len(asked)) == (0, 5)
    assert asked[1] == {"do": "service", "deed": "restart", "service": "web", "reason": "", "force": False}
    assert "web is running" in out
    (tmp_path / "run" / "control.sock").unlink()
    code, out, *_ = run(tmp_path, capsys, "service", "stop", "web", answers=(old, answer, down))
    assert code == 0
    assert "web is stopped, and stays so until `acmd service start web`" in out


def test_service_paused(tmp_path: Path, capsys: CAPS) -> None:
    """Nothing is to be waited for."""
    answer = {"ok": True, "service": "web", "deed": "pause", "node": "a", "was": "running"}
    code, out, _, asked = run(
        tmp_path, capsys, "service", "pause", "web", answers=(service("running", 5), answer)
    )
    assert (code, len(asked)) == (0, 2)
    assert "web is paused: nobody looks after it until `acmd service resume`" in out


# ---------------------------------------------------------------- an end

NOON = mktime(strptime("2031-03-05 12:00:00", "%Y-%m-%d %H:%M:%S"))


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("90s", "2031-03-05 12:01:30"),
        ("90m", "2031-03-05 13:30:00"),
        ("5min", "2031-03-05 12:05:00"),
        ("1h30m", "2031-03-05 13:30:00"),
        ("2d", "2031-03-07 12:00:00"),
        ("12:30", "2031-03-05 12:30:00"),
        ("11:59", "2031-03-06 11:59:00"),
        ("2031-04-01 06:00", "2031-04-01 06:00:00"),
        ("2031-04-01T06:00:07", "2031-04-01 06:00:07"),
    ],
)
def test_an_end(text: str, clock: str) -> None:
    """Lengths count from now, a time of day is the next one to come."""
    assert strftime("%Y-%m-%d %H:%M:%S", localtime(moment_from(text, NOON))) == clock
    assert clock_text(moment_from(text, NOON)) == clock


@pytest.mark.parametrize(
    "text", ["", "soon", "0s", "24:00", "12:60", "5", "-1h", "1h 30m", "99999999999d", "31.12."]
)
def test_no_end(text: str) -> None:
    """Refused with what can be written."""
    with pytest.raises(ArgumentTypeError, match="is no end: write a length"):
        moment(text)
