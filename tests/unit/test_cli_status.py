"""`acmd status`: the page, the JSON, the exit codes, and what it says without a daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from acmd.cli.main import main
from acmd.cli.status import plain
from acmd.display.schema import Status, json_schema
from tests.tree import ROOT
from tests.unit.cli_daemon import configuration, daemon, node, snapshot

KEYS: dict[str, set[str]] = {
    "cluster": {"name", "id"},
    "lease": {"holder", "sequence", "age_s", "remaining_s", "expires_in_s"},
    "maintenance": {"all", "nodes"},
    "guard": {"armed", "deadline_in_s", "last_resort", "watchdog"},
}
PLAIN = {"node", "role", "active", "epoch", "reason", "nodes"}


def status(directory: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["status", "--config", str(directory / "acmd.toml"), *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_page_of_a_healthy_cluster() -> None:
    """Who is active, where this node stands, lease, guard, storage and nodes; no warning."""
    assert plain(snapshot()) == (
        "cluster   t (c-1) in /shared\n"
        "active    a, epoch 7\n"
        "here      a is active for 100 s: holds the lease\n"
        "lease     of a, sequence 5, renewed 0.3 s ago; unless renewed, services stop in 1.7 s\n"
        "guard     armed for epoch 7, kills in 2.7 s unless the lease is renewed; gate open; "
        "last resort reset; watchdog ok\n"
        "fencing   policy off, no agent\n"
        "storage   answers\n"
        "node  role     fit  heard      address    version\n"
        "a     active   yes  here       192.0.2.1  1\n"
        "b     passive  yes  0.2 s ago  192.0.2.1  1\n"
        "service  node  runs on  state    for   restarts  last probe\n"
        "web      a     active   running  60 s  0         -\n"
        "web      b     active   stopped  60 s  0         -"
    )


def test_the_last_failover_is_shown_beside_a_later_change() -> None:
    """Once, and only where the newest change was planned."""

    def handover(how: str, epoch: int) -> dict[str, Any]:
        reason = "" if how == "failover" else how
        return {
            "how": how, "from": "b", "to": "a", "epoch": epoch, "reason": reason, "at": 1, "age_s": 60.0
        }  # fmt: skip

    seen = [handover("switchover", 9), handover("failover", 8), handover("failover", 7)]
    lines = plain(snapshot(handovers=seen)).splitlines()
    assert "change    switchover from b to a, epoch 9, 60 s ago" in lines
    assert "failover  failover from b to a, epoch 8, 60 s ago" in lines
    assert plain(snapshot(handovers=seen[1:])).count("failover from") == 1


def test_warnings_come_first_with_their_remedies() -> None:
    """What is wrong stands above everything else."""
    lines = plain(snapshot(nodes=[node("a", "active")])).splitlines()
    assert lines[0] == "WARN  no other node is known: nobody can take over"
    assert lines[1] == "      -> start acmd on the other node as well"


def test_no_last_resort_is_said_in_plain_words() -> None:
    """Last resort none is no small print."""
    page = plain(snapshot(guard=snapshot()["guard"] | {"last_resort": "none"}))
    assert "would run on after the lease has ended, so two nodes could be active" in page.splitlines()[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lease": None}, "none was seen"),
        ({"lease": snapshot()["lease"] | {"state": "released"}}, "epoch 7 was released by a"),
        ({"lease": snapshot()["lease"] | {"state": "detached"}}, "does not expire"),
        ({"node": "b", "role": "passive"}, "it counts as expired in 4.2 s"),
        ({"active": None}, "active    nobody"),
        (
            {"active": None, "storage": {"fault": "timeout", "abandoned_workers": 0}},
            "storage   does not work: it does not answer",
        ),
    ],
)
def test_sentences_of_other_states(changes: dict[str, Any], words: str) -> None:
    """The lease is told as this node knows it."""
    assert words in plain(snapshot(**changes))


def test_json_has_the_promised_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` is the daemon's snapshot with the warnings and the exit code."""
    configuration(tmp_path)
    with daemon(tmp_path, snapshot()):
        code, out, _ = status(tmp_path, capsys, "--json")
    document = json.loads(out)
    assert code == document["exit_code"] == 0
    assert document["warnings"] == []
    assert document.keys() >= PLAIN
    for part, keys in KEYS.items():
        assert document[part].keys() >= keys


@pytest.mark.parametrize(
    "answer", [{"error": "the daemon is starting", "remedy": "ask again in a moment"}, b"not JSON\n"]
)
def test_json_also_when_there_is_no_status(
    answer: dict[str, Any] | bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A daemon that cannot say yet, or talks nonsense: error and remedy as JSON, and on standard error."""
    configuration(tmp_path)
    with daemon(tmp_path, answer):
        code, out, err = status(tmp_path, capsys, "--json")
    assert code != 0
    found = json.loads(out)
    assert set(found) == {"error", "remedy"}
    assert found["error"] in err


def test_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--schema` prints what `--json` keeps to, with a daemon and without one."""
    configuration(tmp_path)
    assert status(tmp_path, capsys, "--schema")[0] == 0
    with daemon(tmp_path, snapshot()):
        document = json.loads(status(tmp_path, capsys, "--json")[1])
    Status.model_validate(document)
    assert set(json_schema()["required"]) == document.keys()
    (tmp_path / "run" / "control.sock").unlink()
    Status.model_validate(json.loads(status(tmp_path, capsys, "--json")[1]))


def test_why_and_since_when(tmp_path: Path) -> None:
    """The active node is said with the beginning of its epoch and how it came to be; the last change too."""
    handover = {"how": "failover", "from": "b", "to": "a", "epoch": 7, "reason": "", "at": 0, "age_s": 240.0}
    page = plain(snapshot(handovers=[handover], lease=snapshot()["lease"] | {"claimed_at": 86400 * 365}))
    assert "active    a, epoch 7, since 1971-01-01" in page
    assert "(failover from b)" in page
    assert "change    failover from b to a, epoch 7, 4 min ago" in page


def test_without_a_daemon_the_directory_speaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, the same keys, and what is known: cluster, epoch, record."""
    config = configuration(tmp_path)
    assert main(["init", "--config", str(config)]) == 0
    capsys.readouterr()
    code, out, _ = status(tmp_path, capsys, "--json")
    document = json.loads(out)
    assert code == document["exit_code"] == 3
    assert document["role"] == "not-running"
    assert (document["cluster"]["name"], document["epoch"]) == ("t", 0)
    assert document["lease"]["state"] == "released"
    assert document.keys() >= PLAIN
    for part, keys in KEYS.items():
        assert document[part].keys() >= keys
    Status.model_validate(document)
    assert "epoch 0 was released by nobody" in status(tmp_path, capsys)[1]


def test_without_a_daemon_and_without_storage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3 and an alarm about the directory; no traceback."""
    configuration(tmp_path)
    code, out, err = status(tmp_path, capsys)
    assert (code, err) == (3, "")
    assert f"the shared directory {tmp_path}/shared does not work" in out


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff" * 512, b'{"v": 99}'])
def test_garbage_in_the_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: bytes) -> None:
    """Records, orders and node files that make no sense are reported or left out, never a traceback."""
    config = configuration(tmp_path)
    main(["init", "--config", str(config)])
    shared = tmp_path / "shared"
    (shared / "lease.0000000001").write_bytes(damage)
    (shared / "nodes" / "b.json").write_bytes(damage)
    (shared / "control" / "0000000000.json").write_bytes(damage)
    capsys.readouterr()
    code, out, err = status(tmp_path, capsys, "--json")
    assert (code, err) == (3, "")
    document = json.loads(out)
    assert document["nodes"] == []
    assert document["storage"]["fault"]


def test_a_missing_configuration_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and the file's name."""
    assert main(["status", "--config", str(tmp_path / "none.toml")]) == 1
    assert "none.toml: there is no such file" in capsys.readouterr().err


# What takes long to import, and what only the daemon or a terminal needs.
HEAVY = (
    *("pydantic", "rich", "structlog", "psutil", "dbus_fast", "ruamel", "pymysql", "h11"),
    *("asyncio", "concurrent", "dataclasses", "email", "http", "inspect", "logging", "multiprocessing"),
    *("pathlib", "platform", "ssl", "subprocess", "typing_extensions", "unittest", "urllib", "uuid", "xml"),
    *(
        "acmd.config.load",
        "acmd.config.model",
        "acmd.config.schema",
        "acmd.core",
        "acmd.daemon",
        "acmd.drivers",
    ),
    *("acmd.cli.offline", "acmd.cli.status_rich", "acmd.display.schema", "acmd.tasks"),
)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["page", "json"])
def test_it_is_quick_and_light(options: list[str], tmp_path: Path) -> None:
    """For a pipe, beside a daemon, nothing heavy is imported: that keeps it quick."""
    config = configuration(tmp_path)
    code = "import sys; from acmd.cli.main import main; main(); print(*sys.modules)"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src")}
    with daemon(tmp_path, snapshot()):
        words = [sys.executable, "-S", "-c", code, "status", *options, "--config", str(config)]
        found = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert not set(found.stdout.splitlines()[-1].split()) & set(HEAVY)
