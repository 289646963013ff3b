"""The sanity check on made-up hosts: each situation gives its level and its words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from acmd.checks import acm, agreement, database, host, logs, programs, selinux, storage
from acmd.checks import users as users_check
from acmd.checks.finding import Check, Finding, Level, ko, ok
from acmd.checks.manual import page
from acmd.checks.registry import ALL, GROUPS, run
from acmd.checks.subject import Subject
from acmd.config.model import Config
from tests.tree import ROOT
from tests.unit.cli_daemon import node, service, snapshot
from tests.unit.configs import loaded

NFS = "36 25 0:42 / /srv/acm rw,relatime - nfs4 filer:/acm rw,vers={vers},{options}\n"
MINIMAL = 'services = ["MYSQL"]\n[cluster]\ndirectory = "/srv/acm/acmd"\n[node]\nname = "a"\n'
ROOT_MOUNT = "25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


def config(more: str = "") -> Config:
    """A configuration of node `a`."""
    return loaded(MINIMAL + more).config


def a_host(root: Path, files: dict[str, str], state: dict[str, Any] | None = None) -> Subject:
    """A host with these files and no others."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Subject(config(), state or {}, root)


def levels(findings: Iterable[Finding]) -> list[str]:
    """OK, WARN, KO; each that is not OK has a remedy."""
    found = list(findings)
    assert all(bool(finding.remedy) == (finding.level is not Level.OK) for finding in found)
    return [finding.level.value for finding in found]


def words(findings: Iterable[Finding]) -> str:
    return "\n".join(f"{finding.level.value} {finding.what}" for finding in findings)


# ---------------------------------------------------------------- the registry


def test_registry() -> None:
    """Ids are there once, groups are known and stand together, each check has one sentence."""
    ids = [check.id for check in ALL]
    assert len(ids) == len(set(ids))
    assert list(dict.fromkeys(check.group for check in ALL)) == list(GROUPS)
    assert all(check.about.endswith(".") for check in ALL)


def test_the_page_is_up_to_date() -> None:
    """docs/check.md is what `python -m acmd.checks.manual` prints."""
    assert (ROOT / "docs/check.md").read_text(encoding="utf-8") == page()


def test_a_check_that_breaks_is_a_finding() -> None:
    """The others still run."""

    def broken(subject: Subject) -> list[Finding]:
        raise ValueError("x")

    checks = [Check("b", "host", "B.", broken, False), Check("c", "host", "C.", lambda _: [ok("c")], False)]
    found = [finding for _, finding in run(Subject(), checks)]
    assert levels(found) == ["KO", "OK"]
    assert "the check itself failed: ValueError: x" in found[0].what


def test_before_an_installation_nothing_asks_for_a_configuration() -> None:
    """Checks that need one are left out."""
    checks = [Check("b", "host", "B.", lambda _: [ko("x", "y")])]
    assert list(run(Subject(), checks)) == []


def test_programs_have_a_limit(tmp_path: Path) -> None:
    """What hangs is given up, what is not there is said so; neither raises."""
    subject = Subject(root=tmp_path, limit_s=0.2)
    assert subject.run("sleep", "600").code is None
    assert subject.run("there-is-no-such-program").code is None
    assert subject.run("true").fine


# ---------------------------------------------------------------- ACM


@pytest.mark.parametrize(
    ("file", "line", "level"),
    [
        ("etc/crontab", "* * * * * root /opt/aspera/acm/bin/acm4orchestrator", "KO"),
        ("etc/cron.d/acm", "* * * * * root /opt/aspera/acm/bin/acm4orchestrator 1>/dev/null", "KO"),
        ("var/spool/cron/root", "* * * * * /opt/aspera/acm/bin/acm4orchestrator", "KO"),
        ("var/spool/cron/crontabs/root", "* * * * * /opt/aspera/acm/bin/acm4orchestrator", "KO"),
        ("etc/crontab", "# * * * * * root /opt/aspera/acm/bin/acm4orchestrator", "OK"),
        ("etc/crontab", "0 1 * * * root /usr/bin/other", "OK"),
    ],
)
def test_crontabs(tmp_path: Path, file: str, line: str, level: str) -> None:
    """Wherever crontabs are; a comment is no entry."""
    found = acm.no_cron_line(replace(a_host(tmp_path, {file: f"{line}\n"})))
    if level == "KO":
        assert words(found) == f"KO /{file}, line 1 still starts ACM each minute"
    assert "KO" not in levels(found) or level == "KO"


# ---------------------------------------------------------------- storage


@pytest.mark.parametrize(
    ("options", "level", "said"),
    [
        ("noac,lookupcache=none,hard", "OK", "as the lease wants it"),
        ("actimeo=0,lookupcache=none,hard", "OK", "as the lease wants it"),
        ("lookupcache=none,hard", "KO", "without noac"),
        ("noac,hard", "WARN", "without lookupcache=none"),
        ("noac,lookupcache=none,nocto", "KO", "nocto"),
    ],
)
def test_options_of_the_lease(tmp_path: Path, options: str, level: str, said: str) -> None:
    """No caches, and every open looks anew."""
    table = ROOT_MOUNT + NFS.format(vers="4.2", options=options)
    found = storage.lease_options(a_host(tmp_path, {"proc/self/mountinfo": table}))
    assert levels(found) == [level]
    assert said in words(found)


def test_mounts_hide_one_another() -> None:
    """The last mount at a place counts; names with blanks are read; half a line is none."""
    table = storage.mounts(
        ROOT_MOUNT + "1 1 0:1 / /a\\040b rw - nfs x:/1 rw\n2 1 0:2 / /a\\040b rw - nfs x:/2 rw\nhalf - a\n"
    )
    found = storage.mount_of("/a b/c", table)
    assert found is not None
    assert (found.source, len(table)) == ("x:/2", 3)
    other = storage.mount_of("/a bc", table)
    assert other is not None
    assert other.point == "/"


def test_an_async_export(tmp_path: Path) -> None:
    """Seen where this host is the server; a comment exports nothing."""
    files = {"etc/exports": "# /x *(async)\n/srv 10.0.0.0/8(rw,async)\n", "proc/self/mountinfo": ROOT_MOUNT}
    found = storage.export(a_host(tmp_path, files))
    assert words(found) == "KO this host exports /srv async: acknowledged leases and rows can be lost"


def test_an_export_elsewhere(tmp_path: Path) -> None:
    """Cannot be seen, and that is said."""
    table = ROOT_MOUNT + NFS.format(vers="4.2", options="noac")
    found = storage.export(a_host(tmp_path, {"proc/self/mountinfo": table}))
    assert words(found) == "WARN whether filer exports it sync cannot be seen from here"


# ---------------------------------------------------------------- the host


@pytest.mark.parametrize(("mode", "level"), [("0", "OK"), ("1", "WARN"), (None, "OK")])
def test_selinux(tmp_path: Path, mode: str | None, level: str) -> None:
    """Enforcing is not known to be fine."""
    files = {} if mode is None else {"sys/fs/selinux/enforce": mode}
    subject = a_host(tmp_path, files)
    assert levels(selinux.selinux(subject)) == [level]


def test_users(tmp_path: Path) -> None:
    """Compared by number with what others announce; who is not known here is not compared."""
    users = {"root": "0:0", "daemon": "4242:1", "no-such-user": "1:1"}
    state = snapshot(nodes=[node("a", "active"), node("b", "passive", users=users)])
    found = users_check.users_agree(a_host(tmp_path, {}, state))
    assert words(found) == "KO daemon is 1:1 here and 4242:1 on b (uid:gid)"
    assert levels(users_check.users_agree(a_host(tmp_path, {}, snapshot()))) == ["WARN"]


def test_the_clock(tmp_path: Path) -> None:
    """This machine's clock is read, not set."""
    assert len(levels(host.clock_rate(a_host(tmp_path, {})))) == 1


# ---------------------------------------------------------------- all nodes


def test_nodes(tmp_path: Path) -> None:
    """Heard and fit, unfit with the reason, and not heard."""
    others = [
        node("b", "passive"),
        node("c", "passive", fit=False, unfit_because="no disk"),
        node("d", "unknown"),
    ]
    state = snapshot(nodes=[node("a", "active"), *others])
    assert words(agreement.heard(a_host(tmp_path, {}, state))) == (
        "OK b is heard and fit\nKO c is not fit: no disk\nKO d was not heard lately"
    )
    alone = snapshot(nodes=[node("a", "active")])
    assert levels(agreement.heard(a_host(tmp_path, {}, alone))) == ["WARN"]
    assert levels(agreement.heard(a_host(tmp_path, {}))) == ["WARN"]


def test_versions_and_services(tmp_path: Path) -> None:
    """What differs is named with its node."""
    other = node("b", "passive", version="2", services=[service("stopped", name="db")])
    subject = a_host(tmp_path, {}, snapshot(nodes=[node("a", "active"), other]))
    assert words(agreement.same_version(subject)) == "WARN the nodes run different versions: a 1, b 2"
    assert levels(agreement.same_services(subject)) == ["KO", "KO"]
    alike = a_host(tmp_path, {}, snapshot())
    assert levels([*agreement.same_version(alike), *agreement.same_services(alike)]) == ["OK", "OK"]


def test_configurations(tmp_path: Path) -> None:
    """By digest; a node that announces none is not compared."""
    nodes = [node("a", "active", config_digest="1"), node("b", "passive", config_digest="2"), node("c", "x")]
    found = agreement.same_configuration(a_host(tmp_path, {}, snapshot(nodes=nodes)))
    assert words(found) == "WARN b has another configuration than this node"


# ---------------------------------------------------------------- acmd itself


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alive": False}, "KO the guard does not answer"),
        ({"last_resort": "none"}, "KO last resort: none"),
        ({"notes": ["no cgroup"]}, "WARN guard: no cgroup"),
    ],
)
def test_guard(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """What it cannot do is said."""
    state = snapshot(guard={**snapshot()["guard"], **changes})
    assert said in words(programs.guard(a_host(tmp_path, {}, state)))


@pytest.mark.parametrize(("took_s", "level"), [(None, "WARN"), (0.1, "OK"), (900.0, "WARN")])
def test_stop_budget(tmp_path: Path, took_s: float | None, level: str) -> None:
    """Unknown, fine, too slow."""
    rows = [service("running", name="MYSQL", longest_stop_s=took_s)]
    state = snapshot(nodes=[node("a", "active", services=rows)])
    assert levels(programs.stop_budget(a_host(tmp_path, {}, state))) == [level]


def test_stops_that_wait_for_one_another(tmp_path: Path) -> None:
    """Two stops that each fit in the budget do not when one waits for the other; both at once do."""
    text = """
[cluster]
directory = "/srv/acm/acmd"
[node]
name = "a"
[timing]
profile = "standard"
[[service]]
name = "db"
kind = "command"
command = ["/bin/db"]
[[service]]
name = "app"
kind = "command"
command = ["/bin/app"]
{after}
"""
    rows = [service("running", name=name, longest_stop_s=2.0) for name in ("app", "db")]
    state = snapshot(nodes=[node("a", "active", services=rows)])
    for after, said in (
        ('after = ["db"]', "WARN app, then db take 4.0 s to stop one after the other"),
        ("", "OK db took 2.0 s to stop at most"),
    ):
        subject = Subject(loaded(text.format(after=after)).config, state, tmp_path)
        found = words(programs.stop_budget(subject))
        assert said in found
        assert ("one after the other" in found) is bool(after)


# ---------------------------------------------------------------- logs


def test_logs(tmp_path: Path) -> None:
    """A rule and a rotation, nothing in another file."""
    files = {
        "etc/rsyslog.conf": "*.info;mail.none;local2.none -/var/log/messages\n",
        "etc/rsyslog.d/acmd.conf": "local2.* -/var/log/aspera.log\n",
        "etc/logrotate.d/aspera": "/var/log/aspera.log {\n}\n",
    }
    subject = a_host(tmp_path, files)
    assert levels([*logs.rule(subject), *logs.rotation(subject)]) == ["OK", "OK"]
    assert levels(logs.not_twice(subject)) == []


def test_logs_that_go_nowhere(tmp_path: Path) -> None:
    """No rule, no rotation, everything also in /var/log/messages; comments do not count."""
    files = {
        "etc/rsyslog.conf": "*.info /var/log/messages\n# local2.* /var/log/aspera.log\n",
        "etc/logrotate.conf": "# /var/log/aspera.log\n",
    }
    subject = a_host(tmp_path, files)
    found = [*logs.rule(subject), *logs.rotation(subject), *logs.not_twice(subject), *logs.arrives(subject)]
    assert levels(found) == ["KO", "KO", "WARN", "KO"]
    assert "nobody takes a line" in found[-1].what
    assert levels(logs.rotation(Subject(root=tmp_path / "without-rsyslog"))) == []


def test_a_database_yml_that_is_not_there(tmp_path: Path) -> None:
    """Said with the file's name."""
    file = tmp_path / "d.yml"
    subject = Subject(config(f'[database]\nfile = "{file}"\n'), {}, tmp_path)
    found = list(database.credentials(subject))
    assert levels(found) == ["KO"]
    assert str(file) in found[0].what


def test_a_login_that_differs_from_acm(tmp_path: Path) -> None:
    """Named by key; neither password is shown."""
    file = tmp_path / "d.yml"
    file.write_text("production:\n  username: rails\n  password: right-one\n")
    file.chmod(0o600)
    common = tmp_path / database.ACMCOMMON.lstrip("/")
    common.parent.mkdir(parents=True)
    common.write_text("MYSQL_USER='rails'\nexport MYSQL_PWD=\"other-one\"\n")
    subject = Subject(config(f'[database]\nfile = "{file}"\n'), {}, tmp_path)
    found = database.agrees_with_acm(subject)
    assert words(found) == f"WARN MYSQL_PWD in {database.ACMCOMMON} is another than acmd's"
    assert "-one" not in str(found)
