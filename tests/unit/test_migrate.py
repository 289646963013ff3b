"""`acmd migrate`: what is read, shown, changed and put back, on a made-up installation below a root."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from acmd.cli.main import main
from acmd.errors import AcmdError
from acmd.migrate import autostart, bash, cron, handover, storage
from acmd.migrate.originals import Change, Originals

SECRET = "p#ss'w$rd"
COMMON = r"""#!/bin/bash
# settings of the cluster manager
SERVICES=('APACHE' "ORCHESTRATOR"   # both nodes
  MYSQL)
export MYSQL_USER=root
MYSQL_PWD="p#ss'w\$rd"
touch /tmp/never-executed-by-acmd
"""
CRON = (
    "SHELL=/bin/sh\n* * * * * /opt/aspera/acm/bin/acm4orchestrator 192.0.2.11 57 >/dev/null 2>&1\n"
    "0 3 * * * /bin/true"
)
YML = "production:\n  username: root\n  password: x\n  host: 192.0.2.11\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One node of an installation."""
    files = {
        "opt/aspera/acm/bin/acmcommon": COMMON,
        "opt/aspera/acm/run/acm4orchestrator.status": "active\n",
        "opt/aspera/orchestrator/config/database.yml": YML,
        "var/spool/cron/crontabs/root": CRON,
        "etc/rsyslog.d/50-default.conf": "*.* /var/log/syslog\n",
        "etc/logrotate.conf": "weekly\n",
        "etc/systemd/system/aspera_mysqld.service": "[Service]\nExecStart=/bin/true\n"
        "[Install]\nWantedBy=multi-user.target\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "var/spool/cron/crontabs/root").chmod(0o600)
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "aspera_mysqld.service").symlink_to("/etc/systemd/system/aspera_mysqld.service")
    return tmp_path


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Every file and link with content, mode and owner."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            found[str(path)] = (os.readlink(path),)
        elif path.is_file():
            found[str(path)] = (path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found


def migrate(root: Path, *words: str) -> int:
    return main(["migrate", "--root", str(root), *words])


def test_the_plan_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A diff of each file with where values come from, and not one byte written."""
    before = snapshot(root)
    assert migrate(root) == 0
    out = capsys.readouterr().out
    assert snapshot(root) == before
    assert '+services = ["APACHE", "ORCHESTRATOR", "MYSQL"]' in out
    assert "+# the first argument in /var/spool/cron/crontabs/root, line 2" in out
    assert '+address = "192.0.2.11"' in out
    assert "+device_id = 57" in out
    assert "+#acmd-migrate# * * * * * /opt/aspera/acm/bin/acm4orchestrator" in out
    assert "autostart off: /etc/systemd/system/multi-user.target.wants/aspera_mysqld.service" in out
    assert SECRET not in out


def test_the_plan_for_machines(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as JSON."""
    assert migrate(root, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["found"]["address"] == "192.0.2.11"
    assert plan["changes"][-1]["path"] == "/var/spool/cron/crontabs/root"


def test_there_and_back_byte_for_byte(root: Path) -> None:
    """Applied, every file and link is as planned; undone, contents, modes, owners and links are as before."""
    before = snapshot(root)
    assert migrate(root, "--apply") == 0
    crontab = root / "var/spool/cron/crontabs/root"
    assert not cron.find(root)
    assert crontab.read_text().endswith("/bin/true")
    assert stat.S_IMODE(crontab.stat().st_mode) == 0o600
    assert stat.S_IMODE((root / "etc/acmd/acmd.toml").stat().st_mode) == 0o640
    assert autostart.starting(root, ["aspera_mysqld.service"]) == []
    assert migrate(root, "--undo") == 0
    assert snapshot(root) == before


def test_applying_twice_is_applying_once(root: Path) -> None:
    """The second run changes nothing, and the first originals are what is put back."""
    before = snapshot(root)
    assert migrate(root, "--apply") == 0
    after = snapshot(root)
    assert migrate(root, "--apply") == 0
    assert snapshot(root) == after
    assert migrate(root, "--undo") == 0
    assert snapshot(root) == before


def test_a_crash_between_journal_and_change(root: Path) -> None:
    """An original that was kept for a change that was never made does no harm, forth or back."""
    before = snapshot(root)
    originals = Originals(root)
    originals.make(Change("/etc/logrotate.conf", b"changed\n", 0o644, "test"))
    (root / "etc/logrotate.conf").write_text("weekly\n")
    assert Originals(root).changed_since() == []
    assert migrate(root, "--apply") == 0
    assert migrate(root, "--undo") == 0
    assert snapshot(root) == before


def test_an_edit_after_the_migration_is_not_lost(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Undoing names the file and changes nothing, unless it is told to."""
    assert migrate(root, "--apply") == 0
    (root / "etc/acmd/acmd.toml").write_text("# mine\n")
    (root / "etc/acmd/acmd.toml").chmod(0o640)
    edited = snapshot(root)
    assert migrate(root, "--undo") == 1
    assert "/etc/acmd/acmd.toml was edited after the migration" in capsys.readouterr().err
    assert snapshot(root) == edited
    assert migrate(root, "--undo", "--force") == 0


def test_without_database_yml_the_password_has_a_file(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is for root alone, and neither shown nor in the configuration."""
    (root / "opt/aspera/orchestrator/config/database.yml").unlink()
    assert migrate(root) == 0
    assert migrate(root, "--apply") == 0
    said = capsys.readouterr()
    password = root / "etc/acmd/mysql.password"
    assert password.read_text() == f"{SECRET}\n"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert SECRET not in said.out + said.err + (root / "etc/acmd/acmd.toml").read_text()
    assert stat.S_IMODE((root / "var/lib/acmd/migrate/originals.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\nMYSQL_PWD=$(cat /secret)\n", "acmcommon, line 2: MYSQL_PWD is computed by the shell"),
        ("SERVICES=('MYSQL'\n", "line 1: SERVICES has no closing parenthesis"),
        ("SERVICES=('MYSQL\n", "line 1: SERVICES has no closing '"),
        ("SERVICES=(`ls`)\n", "line 1: SERVICES is computed by the shell"),
        ('MYSQL_USER="a\n', 'line 1: MYSQL_USER has no closing "'),
    ],
)
def test_what_bash_would_compute(text: str, words: str) -> None:
    """Refused with file, line and name; the value is not shown."""
    with pytest.raises(AcmdError) as caught:
        bash.assignments("acmcommon", text, frozenset({"SERVICES", "MYSQL_PWD", "MYSQL_USER"}))
    assert words in caught.value.what
    assert "secret" not in str(caught.value)


def test_assignments_as_bash_takes_them() -> None:
    """Quotes, comments, escapes, several lines, +=, the last one wins."""
    text = "A=1\n#A=2\nA='x y'\nB=(a 'b c' \"d\\\"\" # no\n e)\nB+=(f)\ndeclare -a C=()\n"
    found = bash.assignments("f", text, frozenset("ABC"))
    assert found == {"A": ["x y"], "B": ["a", "b c", 'd"', "e", "f"], "C": []}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("* * * * * /x/acm4orchestrator node-a", "'node-a' is no IP address"),
        ("* * * * * /x/acm4orchestrator 192.0.2.1 abc", "'abc' is no device id"),
        ("* * * * * /x/acm4orchestrator >/dev/null", "has no address"),
    ],
)
def test_a_cron_line_that_makes_no_sense(tmp_path: Path, line: str, words: str) -> None:
    """File, line and value are named."""
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    (tmp_path / "etc/cron.d/acm").write_text(f"# one\n{line}\n")
    with pytest.raises(AcmdError, match="line 2") as caught:
        cron.find(tmp_path)
    assert "/etc/cron.d/acm, line 2" in caught.value.what
    assert words in caught.value.what


def test_an_unknown_service_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """acmd does not guess what it is."""
    (root / "opt/aspera/acm/bin/acmcommon").write_text("SERVICES=('SOMETHING')\n")
    assert migrate(root) == 1
    assert "SERVICES names 'SOMETHING'" in capsys.readouterr().err


def test_two_addresses(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which one is this node's is not guessed; each line is named."""
    (root / "etc/crontab").write_text("* * * * * root /opt/aspera/acm/bin/acm4orchestrator 192.0.2.12\n")
    assert migrate(root) == 1
    said = capsys.readouterr().err
    assert "cron starts ACM with several addresses: " in said
    assert "/etc/crontab line 1 192.0.2.12" in said


def test_a_journal_that_is_broken(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without it nothing is put back, and nothing is changed either."""
    assert migrate(root, "--apply") == 0
    (file,) = root.rglob("originals.json")
    file.write_text("{")
    capsys.readouterr()
    assert migrate(root, "--undo") == 1
    assert "originals.json cannot be understood: " in capsys.readouterr().err


def test_storage_that_takes_nothing() -> None:
    """What the system says of it is told."""
    with pytest.raises(AcmdError, match="/proc/nothing cannot be used: "):
        storage.write("/proc/nothing", "text")


def test_systemctl_that_fails(root: Path) -> None:
    """Its own last words are told."""
    with pytest.raises(AcmdError, match="` failed: ") as caught:
        autostart.systemctl(root, "enable", "none-such.service")
    assert caught.value.what.startswith(f"`systemctl --root={root} enable none-such.service` failed: ")


def test_a_status_file_that_is_touched_stops_the_hand_over() -> None:
    """ACM on the other node shows within a minute, on this host's own clock."""
    touched = iter(range(100))
    with pytest.raises(AcmdError, match="ACM still runs"):
        handover.watch(lambda: next(touched), lambda _: None)


def test_a_status_file_at_rest_lets_acmd_start() -> None:
    """It is watched for longer than cron's minute."""
    slept: list[float] = []
    handover.watch(lambda: 1, slept.append)
    assert sum(slept) > 60


@pytest.mark.parametrize(
    ("place", "user"),
    [
        ("etc/crontab", "root "),
        ("etc/anacrontab", "root "),
        ("etc/cron.d/aspera", "root "),
        ("var/spool/cron/root", ""),
        ("var/spool/cron/crontabs/root", ""),
        ("var/spool/cron/tabs/root", ""),
    ],
)
def test_every_place_that_cron_reads(root: Path, place: str, user: str) -> None:
    """ACM's line is found, commented out and put back wherever it is; others in the same file stay."""
    (root / "var/spool/cron/crontabs/root").unlink()
    file = root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    text = CRON.replace("* /opt", f"* {user}/opt").replace("* /bin", f"* {user}/bin")
    file.write_text(text)
    before = snapshot(root)
    assert migrate(root, "--apply") == 0
    assert not cron.find(root)
    assert file.read_text() == text.replace("* * * * *", "#acmd-migrate# * * * * *", 1)
    assert 'address = "192.0.2.11"' in (root / "etc/acmd/acmd.toml").read_text()
    assert migrate(root, "--undo") == 0
    assert snapshot(root) == before
