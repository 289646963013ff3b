"""Checks about users, SELinux and the watchdog, on hosts made of files and of programs that say so."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from acmd.checks import acm, programs, selinux, users, watchdog
from acmd.checks.finding import Silent
from acmd.checks.registry import findings
from acmd.checks.subject import Subject
from acmd.drivers.name_service import numbers
from acmd.drivers.systemd.users import named_in
from tests.unit.cli_daemon import node, service, snapshot
from tests.unit.configs import loaded
from tests.unit.test_checks import a_host, levels, words
from tests.unit.test_checks_units import MINE, host, says

__all__ = ["host"]

ENFORCING = {"sys/fs/selinux/enforce": "1"}
CONTEXT = "system_u:system_r:{}:s0\0"


def at(root: Path, state: dict[str, Any] | None = None, more: str = "") -> Subject:
    """A node with the unit db.service."""
    return Subject(loaded(MINE + more).config, state or {}, root)


def of_b(ids: dict[str, str]) -> dict[str, Any]:
    """Where the other node says this of its users."""
    return snapshot(nodes=[node("a", "active"), node("b", "passive", users=ids)])


# ---------------------------------------------------------------- users


def test_whom_units_name() -> None:
    """User and group of each; numbers, made up users and what is not set are left out."""
    shown = (
        "User=mysql\nGroup=\nDynamicUser=no\n\nUser=\nGroup=www-data\nDynamicUser=no\n\n"
        "User=made-up\nGroup=made-up\nDynamicUser=yes\n\nUser=1001\nGroup=100\nDynamicUser=no\n"
    )
    assert named_in(shown) == ("mysql", ":www-data")
    assert named_in("") == ()


def test_numbers_of_names() -> None:
    """A user's two, a group's one, and nothing for a name that nobody has."""
    asked = ("root", ":root", "no-such-user", ":none", "--help", "")
    assert asyncio.run(numbers(asked, 10)) == {"root": "0:0", ":root": ":0"}


def test_groups_are_compared_too(tmp_path: Path) -> None:
    """By the gid alone, and said as groups."""
    state = of_b({"root": "0:0", ":daemon": ":4242"})
    assert words(users.users_agree(at(tmp_path, state))) == "KO group daemon is 1 here and 4242 on b (gid)"
    fine = of_b({"root": "0:0", ":daemon": ":1"})
    assert (
        words(users.users_agree(at(tmp_path, fine)))
        == "OK group daemon, root: the same uid and gid on all nodes"
    )


def test_a_user_that_is_not_there(tmp_path: Path, host: Path) -> None:
    """What a unit here needs and does not find is a KO, with the numbers that another node has."""
    says(host, "systemctl", "LoadState=loaded\nUser=nosuch\nGroup=\nDynamicUser=no\n")
    found = users.users_agree(at(tmp_path, of_b({"nosuch": "113:120", "other": "1:1"})))
    assert words(found) == "KO db runs as nosuch, which this host does not have, as 113:120 on b"
    assert levels(found) == ["KO"]


# ---------------------------------------------------------------- SELinux


@pytest.mark.parametrize(
    ("domain", "log", "code", "state", "said"),
    [
        ("unconfined_service_t", "<no matches>", 1, "running", "OK SELinux enforces; all services have run"),
        ("unconfined_service_t", "<no matches>", 1, "stopped", "db has not run on this host yet"),
        ("init_t", "<no matches>", 1, "running", "acmd runs as init_t"),
        ("unconfined_service_t", "", 127, "running", "ausearch does not say"),
        (
            "unconfined_service_t",
            'avc:  denied  { read } for comm="db" x',
            0,
            "running",
            "KO SELinux enforces",
        ),
        ("unconfined_service_t", 'avc:  denied  { read } for comm="cups" x', 0, "running", "OK SELinux"),
    ],
)
def test_selinux_that_enforces(
    tmp_path: Path, host: Path, domain: str, log: str, code: int, state: str, said: str
) -> None:
    """Fine once everything ran and nothing of ours was denied; what is not known is said."""
    says(host, "ausearch", log, code)
    says(host, "systemctl", "ExecStart={ path=/usr/sbin/db ; argv[]=/usr/sbin/db -x ; }\n")
    files = {**ENFORCING, "proc/77/attr/current": CONTEXT.format(domain)}
    made = a_host(tmp_path, files)
    seen = snapshot(pid=77, nodes=[node("a", "active", services=[service(state, name="db")])])
    found = list(selinux.selinux(Subject(loaded(MINE).config, seen, made.root)))
    assert said in words(found)
    assert len(levels(found)) == 1


def test_selinux_after_a_reboot(tmp_path: Path) -> None:
    """Permissive for now only."""
    files = {"sys/fs/selinux/enforce": "0", "etc/selinux/config": "# SELINUX=x\nSELINUX=enforcing\n"}
    assert words(selinux.selinux(a_host(tmp_path, files))).startswith(
        "WARN SELinux does not enforce now, but"
    )


# ---------------------------------------------------------------- the watchdog


def guarded(root: Path, mode: str, guard: dict[str, Any]) -> Subject:
    """Where the guard says this, with a device."""
    (root / "dev").mkdir()
    (root / "dev/watchdog").touch()
    state = snapshot(guard={**snapshot()["guard"], **guard})
    return at(root, state, f'[guard]\nwatchdog = "{mode}"\n')


def process(root: Path, pid: int, command: str, unit: str) -> None:
    """One that has the device open."""
    place = root / f"proc/{pid}"
    (place / "fd").mkdir(parents=True)
    (place / "fd/3").symlink_to("/dev/watchdog0")  # another name of the same device
    (place / "cmdline").write_text(command.replace(" ", "\0"))
    (place / "comm").write_text(f"{command.split(maxsplit=1)[0].rpartition('/')[2]}\n")
    (place / "cgroup").write_text(f"0::/system.slice/{unit}\n")


GUARD = "/opt/acmd/venv/bin/python -I -S /opt/acmd/lib/acmd/guard/__main__.py"


@pytest.mark.skipif(os.geteuid() != 0, reason="what others have open only root sees")
@pytest.mark.parametrize(
    ("mode", "holder", "guard", "said"),
    [
        ("off", "", {"watchdog": "none"}, "OK watchdog: none is asked for"),
        ("automatic", GUARD, {}, "OK the watchdog /dev/watchdog is fed"),
        ("automatic", "", {"armed": False}, "OK the watchdog /dev/watchdog is there"),
        ("automatic", "", {}, "WARN the guard is armed without the watchdog"),
        (
            "required",
            "/usr/sbin/watchdog",
            {"armed": False},
            "KO the watchdog /dev/watchdog is held by dog.service",
        ),
        (
            "required",
            "",
            {"faults": ["watchdog /dev/watchdog: Operation not permitted"]},
            "KO watchdog /dev/watchdog:",
        ),
    ],
)
def test_the_watchdog(tmp_path: Path, mode: str, holder: str, guard: dict[str, Any], said: str) -> None:
    """Who has it open, and whether the guard has where it is armed."""
    made = guarded(tmp_path, mode, guard)
    if holder:
        process(tmp_path, 42, holder, "dog.service")
    assert words(watchdog.watchdog(made)).startswith(said)


def test_a_watchdog_that_is_not_there(tmp_path: Path) -> None:
    """A KO only where it is required."""
    made = guarded(tmp_path, "automatic", {"watchdog": "watchdog /dev/watchdog is not there"})
    (tmp_path / "dev/watchdog").unlink()
    assert words(programs.guard(made)).splitlines()[-1].startswith("WARN there is no watchdog /dev/watchdog")


# ---------------------------------------------------------------- what does not answer


def test_systemd_that_hangs(tmp_path: Path, host: Path) -> None:
    """Not taken for a host without units: said, and the next question is cut short."""
    (host / "systemctl").write_text("#!/bin/sh\nsleep 600\n")
    (host / "systemctl").chmod(0o755)
    made = Subject(loaded(MINE).config, {}, tmp_path, limit_s=0.3)
    (check,) = (each for each in acm.CHECKS if each.id == "autostart")
    assert words(findings(made, check)) == "KO systemd does not say within 0.3 s what it knows of db.service"
    assert "systemctl" in made.slow
    with pytest.raises(Silent):
        made.unit("other.service", "Id")
