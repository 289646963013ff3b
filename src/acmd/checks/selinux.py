"""SELinux: does not enforce, or lets acmd and its services work.

A policy counts as fine once acmd runs unconfined, every service has run on this host, and the audit log of
today has nothing that was denied to one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from acmd.checks.finding import Check, Finding, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.config.model import CommandService, Config, SystemdService

CONFIG = "/etc/selinux/config"
AT_BOOT = re.compile(r"^\s*SELINUX=enforcing\b", re.MULTILINE)
SEARCH = ("ausearch", "-m", "avc,user_avc", "-ts", "today", "--input-logs")
SHOWS = f"`{' '.join(SEARCH)}`"
PERMISSIVE = ("sed", "-i", "s/^ *SELINUX=enforcing/SELINUX=permissive/", CONFIG)
GIVE_UP = f"`setenforce 0` and `sed -i '{PERMISSIVE[2]}' {CONFIG}`, as ACM's manual asks"
DENIED = re.compile(r"\bdenied\b.*?\bcomm=\"([^\"]+)\"")
COMM_LENGTH = 15  # of a program's name, as the kernel keeps it
OWN = frozenset({"acmd", "acmd-guard", "acmctl", "python3"})


def selinux(subject: Subject) -> Iterator[Finding]:
    """ACM asked for permissive; acmd needs a policy that lets it start what it manages."""
    if (subject.read("/sys/fs/selinux/enforce") or "").strip() == "1":
        yield _enforcing(subject)
    elif subject.at("/sys/fs/selinux/enforce").exists() and AT_BOOT.search(subject.read(CONFIG) or ""):
        yield warn(
            f"SELinux does not enforce now, but will after a reboot ({CONFIG})",
            f"`sed -i '{PERMISSIVE[2]}' {CONFIG}`, unless the policy is known to be fine",
        )
    else:
        yield ok("SELinux does not enforce")


def _enforcing(subject: Subject) -> Finding:
    log = subject.run(*SEARCH)
    if log.code == 0:
        names = sorted(set(DENIED.findall(log.output)) & _programs(subject))
        if names:
            return ko(
                f"SELinux enforces, and denied something to {', '.join(names)} today",
                f"{SHOWS} says what; allow that in the policy, or {GIVE_UP}",
            )
    unknown = list(_unknown(subject, heard=log.code in (0, 1)))
    if unknown:
        return warn(
            f"SELinux enforces; whether its policy lets acmd and services work is not known: {unknown[0]}",
            f"`acmd switchover` to this node and back, then {SHOWS} and this again; or {GIVE_UP}",
        )
    return ok("SELinux enforces; all services have run here, and nothing was denied to them or to acmd today")


def _unknown(subject: Subject, *, heard: bool) -> Iterator[str]:
    """What keeps the policy from being known as fine."""
    if not heard:
        yield f"{SEARCH[0]} does not say what was denied (package audit; run the check as root)"
    domain = _domain(subject)
    if "unconfined" not in domain:
        yield f"acmd runs as {domain or 'a domain that cannot be read'}"
    if subject.config is None:
        yield "nothing is configured yet"
        return
    ran = {
        service["name"]
        for node in subject.snapshot.get("nodes", ())
        for service in node["services"]
        if node["name"] == subject.config.node.name
        and (service.get("longest_stop_s") is not None or service["state"] == "running")
    }
    for service in subject.config.services:
        if service.name not in ran:
            yield f"{service.name} has not run on this host yet"


def _domain(subject: Subject) -> str:
    """Under what the daemon runs, as `unconfined_service_t`."""
    pid = subject.snapshot.get("pid")
    fields = ((subject.read(f"/proc/{pid}/attr/current") or "") if pid else "").strip("\0\n").split(":")
    return fields[2] if len(fields) > 2 else ""


def _programs(subject: Subject) -> frozenset[str]:
    """What acmd's processes and those of its services are called."""
    found = set(OWN)
    if subject.config is not None:
        found |= {name[:COMM_LENGTH] for name in _started(subject, subject.config)}
    return frozenset(found)


def _started(subject: Subject, config: Config) -> Iterator[str]:
    for service in config.services:
        if isinstance(service, CommandService):
            yield service.command[0].rpartition("/")[2]
        elif isinstance(service, SystemdService):
            for unit in service.units:
                yield from re.findall(
                    r"\bpath=\S*/([^/ ]+) ;", subject.unit(unit, "ExecStart").get("ExecStart", "")
                )


CHECKS = (Check("selinux", "host", "SELinux does not enforce, or its policy is fine.", selinux, False),)
