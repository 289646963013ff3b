"""switchover, disable and enable: what is asked, what is followed, and what is said at the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acmd.cli.main import main
from tests.unit.cli_daemon import Answer, configuration, daemon, node, snapshot

MARK = {"by": "root", "at": 0, "reason": "", "forced": False}
ASKED = {"ok": True, "epoch": 7, "from": "a", "to": "b"}
LEAVING = snapshot(role="giving-up", reason="hands over")
MOVED = snapshot(role="passive", active="b", epoch=8, nodes=[node("a", "passive"), node("b", "active")])
DETACHED = {**snapshot()["lease"], "state": "detached"}


def run(
    directory: Path, capsys: pytest.CaptureFixture[str], *words: str, answers: tuple[Answer, ...]
) -> tuple[int, str, str, list[dict[str, Any]]]:
    config = configuration(directory)
    with daemon(directory, *answers) as asked:
        code = main([words[0], "--config", str(config), *words[1:]])
    out, err = capsys.readouterr()
    return code, out, err, asked


def test_switchover_is_followed_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Asked, told step by step, ended once the target says that it is active and its services run."""
    code, out, err, asked = run(
        tmp_path, capsys, "switchover", "--to", "b", "--reason", "disks", answers=(ASKED, LEAVING, MOVED)
    )
    assert (code, err) == (0, "")
    assert asked[0] == {"do": "switchover", "to": "b", "reason": "disks"}
    assert "hand epoch 7 over to b" in out
    assert "a is giving-up: hands over" in out
    assert "b is active, epoch 8" in out


def test_switchover_waits_for_the_services(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A target that is active, but whose service has not come up, is not the end."""
    starting = node("b", "active", services=[{"name": "web", "state": "starting", "runs_on": "active"}])
    early = MOVED | {"nodes": [node("a", "passive"), starting]}
    code, *_, asked = run(tmp_path, capsys, "switchover", answers=(ASKED, early, early, MOVED))
    assert code == 0
    assert len(asked) == 4


def test_switchover_gives_up_at_its_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, what is going on, and that the order stays."""
    stuck = LEAVING | {"storage": {"fault": "timeout", "abandoned_workers": 0}}
    code, _, err, _ = run(tmp_path, capsys, "switchover", "--timeout", "0.1", answers=(ASKED, stuck))
    assert code == 1
    assert "did not happen within 0.1 s; the order stays in force for epoch 7" in err
    assert "a is giving-up: hands over" in err
    assert "does not work: it does not answer" in err


@pytest.mark.parametrize("words", ["switchover", "disable", "enable"])
def test_a_refusal_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str) -> None:
    """The daemon's no is printed with its remedy; exit code 1; nothing is followed."""
    refusal = {"error": "no node can take over", "remedy": "mend b"}
    code, out, err, asked = run(tmp_path, capsys, words, answers=(refusal,))
    assert (code, out, err) == (1, "", "acmd: no node can take over\n  -> mend b\n")
    assert len(asked) == 1


@pytest.mark.parametrize("command", ["switchover", "disable", "enable"])
def test_without_a_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Exit code 3."""
    assert main([command, "--config", str(configuration(tmp_path))]) == 3
    assert "no acmd daemon runs" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "soon", "inf", "nan"])
def test_a_limit_is_a_positive_number(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Anything else is a usage error: exit code 64."""
    assert main(["switchover", "--config", str(configuration(tmp_path)), f"--timeout={text}"]) == 64
    assert "greater than 0" in capsys.readouterr().err


def test_disable_all_waits_for_detached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cluster is disabled once the lease is detached, not before."""
    ordered = snapshot(maintenance={"all": MARK, "nodes": {}})
    code, out, _, asked = run(
        tmp_path,
        capsys,
        "disable",
        "--all",
        answers=({"ok": True}, ordered, ordered | {"role": "detached", "lease": DETACHED}),
    )
    assert code == 0
    assert asked[0] == {"do": "disable", "node": "a", "all": True, "reason": "", "force": False, "until": 0}
    assert len(asked) == 3
    assert "detached and does not expire" in out


def test_disable_the_active_node_waits_until_it_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node is disabled once the order is there and it holds nothing any more."""
    ordered = {"maintenance": {"all": None, "nodes": {"a": MARK}}}
    code, out, _, asked = run(
        tmp_path,
        capsys,
        "disable",
        "--force",
        answers=({"ok": True}, snapshot(**ordered), LEAVING | ordered, MOVED | ordered),
    )
    assert code == 0
    assert asked[0]["force"] is True
    assert len(asked) == 4
    assert "a is disabled: it will not take over. Active: b" in out


def test_enable_all_waits_until_it_is_held_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Maintenance is over once the lease is held and the holder active again."""
    detached = snapshot(role="detached", lease=DETACHED)
    code, out, _, asked = run(
        tmp_path,
        capsys,
        "enable",
        "--all",
        answers=({"ok": True}, detached, snapshot(role="reattaching"), snapshot()),
    )
    assert code == 0
    assert len(asked) == 4
    assert "the cluster is enabled; a is active" in out


def test_holder_is_dead_speaks_of_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--holder-is-dead` without `--all` is a usage error, and goes along with it."""
    config = str(configuration(tmp_path))
    assert main(["enable", "--config", config, "--holder-is-dead"]) == 64
    assert "add --all" in capsys.readouterr().err
    *_, asked = run(
        tmp_path, capsys, "enable", "--all", "--holder-is-dead", answers=({"ok": True}, snapshot())
    )
    assert asked[0]["holder_is_dead"] is True
