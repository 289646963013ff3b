"""`acmctl`: ACM's options lead to acmd's commands, and `-i` has ACM's shape."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from acmd.cli.acmctl import database_host, info_lines, main
from tests.unit.cli_daemon import configuration, daemon, node, service, snapshot


def shown(state: dict[str, object]) -> dict[str, str]:
    """The lines of `-i` by their names."""
    pairs = [line.partition(":") for line in info_lines(state, "192.0.2.1 (d.yml)")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def test_info_of_the_active_node() -> None:
    """Each of ACM's points, and the services that run everywhere apart from the others."""
    services = [service("running", name="APACHE", runs_on="all"), service("running", name="MYSQL")]
    lines = list(info_lines(snapshot(nodes=[node("a", "active", services=services)]), "192.0.2.1 (d.yml)"))
    assert lines == [
        "Local hostname:         a",
        "Active node:            a (me)",
        "Status of this node:    active",
        "Status file:            current (0.3 s old)",
        "Disabled globally:      no",
        "Disabled on this node:  no",
        "Database host:          192.0.2.1 (d.yml)",
        "Active/active services:",
        "  APACHE:               running",
        "Active/passive services:",
        "  MYSQL:                running",
    ]


def test_info_of_a_passive_node() -> None:
    """The other one's name stands without `(me)`."""
    found = shown(snapshot(node="b", role="passive"))
    assert (found["Active node"], found["Status of this node"]) == ("a", "passive")


def test_info_in_maintenance_and_without_anybody() -> None:
    """Both kinds of maintenance, a cluster without a lease, a node that knows no services."""
    state = snapshot(
        active=None, lease=None, nodes=[], maintenance={"all": {"reason": "x"}, "nodes": {"a": {}}}
    )
    found = shown(state)
    assert found["Active node"] == "none"
    assert found["Status file"] == "no lease"
    assert (found["Disabled globally"], found["Disabled on this node"]) == ("yes", "yes")
    assert found["none"] == ""


def test_a_detached_lease_is_called_so() -> None:
    """It has no age when nobody looked twice."""
    lease = {**snapshot()["lease"], "state": "detached", "age_s": None}
    assert shown(snapshot(lease=lease))["Status file"] == "detached, does not expire"


def test_info_asks_the_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database.yml that is not there is said in its line, and the rest is shown."""
    file = configuration(tmp_path)
    with daemon(tmp_path, snapshot()):
        main(["-c", str(file), "-i"])
    said = capsys.readouterr().out
    assert "Active node:            a (me)" in said
    assert "Database host:          unknown: " in said


def test_database_host_of_a_broken_configuration(tmp_path: Path) -> None:
    """The reason instead of a traceback."""
    file = tmp_path / "acmd.toml"
    file.write_text("[cluster\n")
    assert database_host(str(file)).startswith("unknown: ")


@pytest.mark.parametrize(
    ("option", "order"),
    [
        ("-d", {"do": "disable", "all": False, "reason": "acmctl -d", "force": False}),
        ("-e", {"do": "enable", "all": False, "reason": "acmctl -e"}),
        ("-D", {"do": "disable", "all": True, "reason": "acmctl -D", "force": False}),
        ("-E", {"do": "enable", "all": True, "reason": "acmctl -E", "holder_is_dead": False}),
    ],
)
def test_orders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, order: dict[str, object]
) -> None:
    """The daemon is asked what acmd's own command asks; its refusal is shown with the remedy."""
    file = configuration(tmp_path)
    with daemon(tmp_path, {"error": "not now", "remedy": "later"}) as asked:
        assert main(["-c", str(file), option]) == 1
    assert order.items() <= asked[0].items()
    assert "not now" in capsys.readouterr().err


def test_no_backup_from_a_passive_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where to go instead, and makes no directory."""
    file = configuration(tmp_path)
    target = tmp_path / "backup"
    with daemon(tmp_path, snapshot(node="b", role="passive")):
        assert main(["-c", str(file), "-b", str(target)]) == 1
    said = capsys.readouterr().err
    assert "acmctl: this node (b) is not the active one" in said
    assert "run it on a" in said
    assert not target.exists()


@pytest.mark.parametrize(
    "arguments", [[], ["-i", "-s"], ["-x"], ["-b", "/x", "--keep", "0"], ["--keep", "no"]]
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One option, and one that there is."""
    assert main(arguments) == 64
    assert capsys.readouterr().err


@pytest.mark.parametrize(("option", "word"), [("-h", "--keep"), ("-v", "acmctl (acmd ")])
def test_help_and_version(option: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, with 0."""
    assert main([option]) == 0
    assert word in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_backup_from_the_active_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without DIR it goes below the state directory; the line says where it is."""
    client = tmp_path / "bin" / "mariadb-dump"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\necho '-- Dump completed'\n")
    client.chmod(0o700)
    monkeypatch.setenv("PATH", str(client.parent), prepend=":")
    login = tmp_path / "d.yml"
    login.write_text("production:\n  username: rails\n  password: x\n  database: shop\n")
    login.chmod(0o600)
    file = configuration(tmp_path)
    file.write_text(f'{file.read_text()}[database]\nfile = "{login}"\n')
    with daemon(tmp_path, snapshot()):
        assert main(["-c", str(file), "-b"]) == 0
    (made,) = (tmp_path / "state" / "backup").glob("*/mysql.sql.gz")
    assert f"OK   MySQL was backed up to {made}" in capsys.readouterr().out
