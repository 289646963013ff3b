"""Users: those that services run as are there, with the same numbers on all nodes.

Each node says in its own file which numbers its services' users and groups have: those that the
configuration names, and those that units name by `User=` and `Group=`.
"""

from __future__ import annotations

from collections.abc import Iterator

from acmd.checks.finding import Check, Finding, Silent, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.config.model import CommandService, ServiceSettings, SystemdService
from acmd.drivers import name_service
from acmd.drivers.systemd import users

LOOK_UP_LIMIT_S = 3.0
HANGS = "`timeout 5 getent passwd root` and its name service (/etc/nsswitch.conf: sssd, LDAP) tell why"
ALIKE = (
    "give it the same numbers on all nodes (usermod -u, groupmod -g, with its services stopped), chown its "
    "files on local disks, and where you changed it `systemctl restart acmd`"
)


def users_agree(subject: Subject) -> list[Finding]:
    """Files on shared storage belong to numbers, not to names."""
    needed = {service.name: _named(subject, service) for service in subject.settings.services}
    others = {
        node["name"]: node.get("users") or {}
        for node in subject.snapshot.get("nodes", ())
        if node["name"] != subject.settings.node.name
    }
    asked = {name for names in (*needed.values(), *others.values()) for name in names}
    here = _numbers(subject, asked)
    found = [*_absent(needed, here, others), *_differing(here, others)]
    compared = sorted({name for said in others.values() for name in said if name in here})
    if found:
        return found
    if not compared:
        return [
            warn(
                "no other node has said yet which users its services have",
                "run this again once all nodes run",
            )
        ]
    return [ok(f"{', '.join(map(_called, compared))}: the same uid and gid on all nodes")]


def _differing(here: dict[str, str], others: dict[str, dict[str, str]]) -> Iterator[Finding]:
    for node, said in sorted(others.items()):
        for name, ids in sorted(said.items()):
            if here.get(name, ids) != ids:
                kind = "gid" if name.startswith(":") else "uid:gid"
                mine = here[name].lstrip(":")
                yield ko(
                    f"{_called(name)} is {mine} here and {ids.lstrip(':')} on {node} ({kind})",
                    ALIKE,
                )


def _absent(
    needed: dict[str, tuple[str, ...]], here: dict[str, str], others: dict[str, dict[str, str]]
) -> Iterator[Finding]:
    """Whom a service here needs: without it the service starts on the other node only."""
    for service, names in needed.items():
        for name in names:
            if name not in here:
                there = [
                    f", as {said[name].lstrip(':')} on {node}"
                    for node, said in others.items()
                    if name in said
                ]
                yield ko(
                    f"{service} runs as {_called(name)}, which this host does not have{''.join(there)}",
                    "make it with the same numbers as on the other nodes (groupadd -g, useradd -u), or "
                    "install the package that brings it",
                )


def _named(subject: Subject, service: ServiceSettings) -> tuple[str, ...]:
    """Users and groups that it runs as by its own settings."""
    if isinstance(service, SystemdService):
        return _of_units(subject, service.units)
    return (service.user,) if isinstance(service, CommandService) and service.user else ()


def _of_units(subject: Subject, units: tuple[str, ...]) -> tuple[str, ...]:
    """Of the first of them that this host has."""
    for unit in units:
        shown = subject.unit(unit, "LoadState", *users.SHOWN)
        if shown.get("LoadState") == "loaded":
            return users.named(shown)
    return ()


def _numbers(subject: Subject, asked: set[str]) -> dict[str, str]:
    """As the nodes say it, `uid:gid` of users and `:gid` of groups, of those that there are."""
    found: dict[str, str] = {}
    for command in name_service.questions(asked):
        ran = subject.run(*command, limit_s=LOOK_UP_LIMIT_S)
        if ran.late:
            who = ", ".join(command[3:])
            raise Silent(f"the name service does not answer within {ran.waited_s:g} s for {who}", HANGS)
        found |= name_service.numbers_in(command, ran.output)
    return found


def _called(name: str) -> str:
    return f"group {name[1:]}" if name.startswith(":") else name


CHECKS = (
    Check("users", "host", "Service users are there, with the same uid and gid on all nodes.", users_agree),
)
