"""Checks about units, with programs of a host's that say what a test wants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from acmd.checks import acm, programs
from acmd.checks.subject import Subject
from tests.unit.configs import loaded
from tests.unit.test_checks import a_host, levels, words

MINE = (
    '[cluster]\ndirectory = "/srv/acm/acmd"\n[node]\nname = "a"\n'
    '[[service]]\nname = "db"\nkind = "systemd"\nunit = "db.service"\n'
)
GOOD = {
    "Id": "acmd.service",
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "FragmentPath": "/usr/lib/systemd/system/acmd.service",
    "DropInPaths": "",
    "ActiveState": "active",
    "NeedDaemonReload": "no",
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in front of all others of PATH."""
    programs_dir = tmp_path / "bin"
    programs_dir.mkdir()
    monkeypatch.setenv("PATH", str(programs_dir), prepend=":")
    return programs_dir


def says(host: Path, name: str, text: str, code: int = 0) -> None:
    """That program prints this and ends so."""
    (host / f"{name}.text").write_text(text)
    (host / name).write_text(f"#!/bin/sh\ncat {host / name}.text\nexit {code}\n")
    (host / name).chmod(0o755)


def shows(host: Path, **changes: str) -> None:
    """What `systemctl show` says of every unit."""
    says(host, "systemctl", "".join(f"{key}={value}\n" for key, value in (GOOD | changes).items()))


def subject(root: Path) -> Subject:
    """A host with one service that is a unit."""
    return Subject(loaded(MINE).config, {}, root)


@pytest.mark.parametrize(
    ("changes", "said", "remedy"),
    [
        ({}, "OK acmd.service is enabled and as delivered", ""),
        ({"LoadState": "masked"}, "KO acmd.service is masked", "`systemctl unmask acmd.service`"),
        ({"LoadState": "not-found"}, "KO acmd.service is not there", "`systemctl daemon-reload`"),
        ({"UnitFileState": "disabled"}, "KO acmd.service is not enabled", "`systemctl enable acmd.service`"),
        ({"ActiveState": "failed"}, "WARN acmd.service does not run", "`systemctl start acmd.service`"),
        ({"NeedDaemonReload": "yes"}, "has not seen it", "`systemctl daemon-reload`"),
        (
            {"FragmentPath": "/etc/systemd/system/acmd.service"},
            "is replaced by",
            "`rm /etc/systemd/system/acmd",
        ),
        ({"DropInPaths": "/etc/systemd/system/acmd.service.d/x.conf"}, "is changed by", "systemctl revert"),
    ],
)
def test_own_units(tmp_path: Path, host: Path, changes: dict[str, str], said: str, remedy: str) -> None:
    """Each state has its sentence, and a command that mends it."""
    shows(host, **changes)
    says(host, "dpkg", "")
    says(host, "rpm", "", 1)
    found = list(programs.units(subject(tmp_path)))
    assert said in words(found)
    assert remedy in "".join(finding.remedy for finding in found)


@pytest.mark.parametrize(("unit", "name"), [("acmd.service", "acmd"), ("acmd@.service", "db")])
def test_a_unit_that_was_edited(tmp_path: Path, host: Path, unit: str, name: str) -> None:
    """By the digests of dpkg, or of rpm; configuration files are meant to be changed."""
    shows(host)
    line = f"??5??????   /usr/lib/systemd/system/{unit}\n??5?????? c /etc/rsyslog.d/acmd.conf\n"
    config = replace(loaded(MINE).config, file=f"/etc/acmd/{name}.toml")
    for manager, other in (("dpkg", "rpm"), ("rpm", "dpkg")):
        says(host, manager, line, 1)
        says(host, other, "package acmd is not installed\n", 1)
        said = words(programs.units(Subject(config, {}, tmp_path)))
        assert said.count("is not what the package brought") == 1
        assert "guard" not in said.partition("is not what")[0]


@pytest.mark.parametrize(
    ("changes", "said", "remedy"),
    [
        ({"Id": "db.service", "UnitFileState": "disabled"}, "OK db: db.service does not start by itself", ""),
        (
            {"Id": "db.service"},
            "KO db: db.service starts by itself at boot (enabled)",
            "systemctl disable db",
        ),
        (
            {"Id": "db.service", "UnitFileState": "static", "WantedBy": "multi-user.target"},
            "KO db: db.service starts by itself at boot",
            "systemctl disable db.service",
        ),
        (
            {"Id": "db.service", "UnitFileState": "generated", "WantedBy": "multi-user.target"},
            "starts it at boot",
            "systemctl daemon-reload",
        ),
        ({"LoadState": "not-found"}, "", ""),
    ],
)
def test_autostart(tmp_path: Path, host: Path, changes: dict[str, str], said: str, remedy: str) -> None:
    """Enabled, wanted without being enabled, generated of an init script, and not there at all."""
    shows(host, **changes)
    found = list(acm.no_autostart(subject(tmp_path)))
    assert said in words(found)
    assert remedy in "".join(finding.remedy for finding in found)
    assert len(levels(found)) == bool(said)


def test_what_triggers_a_service(tmp_path: Path, host: Path) -> None:
    """A socket that is enabled starts it at the first connection, lease or not."""
    shows(host, Id="db.service", UnitFileState="disabled", TriggeredBy="db.socket other.device")
    assert words(acm.no_autostart(subject(tmp_path))) == (
        "KO db: db.socket starts db.service when it likes; it may run on the passive node then"
    )


def test_links_of_init(tmp_path: Path, host: Path) -> None:
    """Also where systemd knows no unit."""
    shows(host, LoadState="not-found")
    made = a_host(tmp_path, {"etc/rc3.d/S20db": "", "etc/rc3.d/K20other": "", "etc/rc6.d/S20db": ""})
    found = list(acm.no_autostart(Subject(loaded(MINE).config, {}, made.root)))
    assert words(found).startswith("KO db: /etc/rc3.d/S20db starts it at boot")
