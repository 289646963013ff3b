"""What must not be there any more: ACM's cron line, autostart of managed services, other cluster managers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from acmd.checks.crontab import CHECK_MARKER, commented, starts_acm
from acmd.checks.finding import Check, Finding, Fix, all_or, ko, ok, warn
from acmd.checks.subject import LARGEST_FILE, Subject
from acmd.config.model import SystemdService, SysvService

SCRIPTS = tuple(f"/etc/cron.{often}/" for often in ("hourly", "daily", "weekly", "monthly"))
CRON_FILES = ("/etc/crontab", "/etc/anacrontab")
CRON_DIRECTORIES = (
    "/etc/cron.d",
    "/var/spool/cron",  # with crontabs/ (Debian) and tabs/ (SUSE)
    *SCRIPTS,
)
CLUSTER_PACKAGES = ("ricci", "luci", "rgmanager", "cman")
PACEMAKER = "pacemaker"
STARTS_AT_BOOT = {"enabled", "enabled-runtime", "linked-runtime", "alias"}
PROPERTIES = ("Id", "LoadState", "UnitFileState", "WantedBy", "TriggeredBy", "ActiveState")
REMOVERS = ("dnf remove -y", "yum remove -y", "zypper -n remove", "apt-get remove -y")
TRIGGERS = (".socket", ".timer", ".path")
NOT_NEEDED = "acmd starts the services of this host, and ACM is not to start them any more on any node"


def no_cron_line(subject: Subject) -> list[Finding]:
    """Two managers at once would start and stop the same services."""
    files = [*CRON_FILES, *(path for directory in CRON_DIRECTORIES for path in subject.files(directory))]
    found = [finding for path in dict.fromkeys(files) for finding in _cron_lines(subject, path)]
    if not found and not subject.privileged:
        return [warn("users' crontabs cannot be read by this user", "run the check as root")]
    return all_or(found, "no crontab starts ACM")


def _cron_lines(subject: Subject, path: str) -> Iterator[Finding]:
    text = subject.read(path) or ""
    numbers = [number for number, line in enumerate(text.split("\n"), 1) if starts_acm(line)]
    for number in numbers:
        if path.startswith(SCRIPTS):
            yield ko(f"{path}, line {number} still starts ACM", "take it out of that script")
            continue
        fix = None
        if number == numbers[0] and "\ufffd" not in text and len(text) < LARGEST_FILE:
            fix = Fix(file=path, before=text, after=commented(text, CHECK_MARKER), question=NOT_NEEDED)
        yield ko(
            f"{path}, line {number} still starts ACM each minute",
            f"`sed -i '{number}s/^/{CHECK_MARKER}/' {shlex.quote(path)}`, once acmd has ACM's place on all "
            "nodes (docs/migrate.md); before that leave it",
            fix,
        )


def no_autostart(subject: Subject) -> Iterator[Finding]:
    """What starts at boot, starts without a lease."""
    for service in subject.settings.services:
        if isinstance(service, SystemdService):
            units: tuple[str, ...] = service.units
        elif isinstance(service, SysvService):
            units = (service.unit,)
        else:
            continue
        seen: set[str] = set()
        for unit in units:
            shown = subject.unit(unit, *PROPERTIES)
            known = shown.get("Id", unit) if shown.get("LoadState", "not-found") != "not-found" else unit
            if known not in seen:  # several names may lead to one unit
                seen.add(known)
                yield from _unit(subject, service.name, known, service.runs_on, shown)


def _unit(subject: Subject, name: str, unit: str, runs_on: str, shown: dict[str, str]) -> Iterator[Finding]:
    there = shown.get("LoadState", "not-found") != "not-found"
    state = shown.get("UnitFileState", "")
    script = unit.removesuffix(".service")
    links = [
        path
        for directory in ("/etc/rc.d", *(f"/etc/rc{level}.d" for level in range(2, 6)))
        for path in subject.files(directory)
        if re.search(rf"/S\d\d{re.escape(script)}$", path)
    ]
    wanted = [name for name in shown.get("WantedBy", "").split() if name.endswith(".target")]
    triggers = _triggers(subject, shown) if there else []
    at_boot = "; it may run on the passive node then" if runs_on == "active" else ""
    if there and state != "generated" and (state in STARTS_AT_BOOT or wanted):
        yield ko(
            f"{name}: {unit} starts by itself at boot ({state or 'wanted by ' + wanted[0]}){at_boot}",
            f"`systemctl disable {unit}`: acmd alone starts it",
            Fix(("systemctl", "disable", unit)),
        )
    elif links or (there and wanted):
        yield _of_init(subject, name, script, (links or [f"{unit}, wanted by {wanted[0]},"])[0], at_boot)
    elif there and not triggers:
        yield ok(f"{name}: {unit} does not start by itself ({state or 'static'})")
    for trigger in triggers:
        yield ko(
            f"{name}: {trigger} starts {unit} when it likes{at_boot}",
            f"`systemctl disable --now {trigger}`",
            Fix(("systemctl", "disable", "--now", trigger)),
        )


def _of_init(subject: Subject, name: str, script: str, what: str, at_boot: str) -> Finding:
    """Started by init's links, or by a unit that was generated of them."""
    if _has(subject, "chkconfig"):
        off = f"chkconfig {script} off"
    elif _has(subject, "update-rc.d"):
        off = f"update-rc.d {script} disable"
    else:  # a RHEL-like system without the package chkconfig
        off = f"rm -f /etc/rc.d/rc[2-5].d/S[0-9][0-9]{script}"
    return ko(
        f"{name}: {what} starts it at boot{at_boot}",
        f"`{off} && systemctl daemon-reload`: acmd alone starts it",
        Fix(("sh", "-c", f"{off} && systemctl daemon-reload")),
    )


def _triggers(subject: Subject, shown: dict[str, str]) -> list[str]:
    """Sockets, timers and paths that start a unit and are on now, or from the next boot."""
    found = []
    for name in shown.get("TriggeredBy", "").split():
        if name.endswith(TRIGGERS):
            trigger = subject.unit(name, *PROPERTIES)
            if trigger.get("UnitFileState") in STARTS_AT_BOOT or trigger.get("ActiveState") == "active":
                found.append(name)
    return found


def no_cluster_packages(subject: Subject) -> list[Finding]:
    """Red Hat's cluster packages fence and move services by themselves, and so does what came after them."""
    wanted = (*CLUSTER_PACKAGES, PACEMAKER)
    rpm = subject.run("rpm", "-q", "--qf", "%{NAME} installed\\n", *wanted)
    deb = subject.run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *wanted)
    rows = (line.split() for line in f"{rpm.output}\n{deb.output}".splitlines())
    there = {row[0] for row in rows if row[1:] == ["installed"]}
    found = [
        ko(f"{package} is installed: it is another cluster manager", f"`{_remover(subject)} {package}`")
        for package in CLUSTER_PACKAGES
        if package in there
    ]
    if PACEMAKER in there:
        found.append(
            warn(
                f"{PACEMAKER} is installed: where it runs, it is another cluster manager",
                f"`{_remover(subject)} {PACEMAKER}`, unless it has nothing to do with these services",
            )
        )
    return all_or(found, "no other cluster manager's packages")


def _remover(subject: Subject) -> str:
    return next((words for words in REMOVERS if _has(subject, words.split()[0])), REMOVERS[-1])


def _has(subject: Subject, program: str) -> bool:
    return subject.run("sh", "-c", f"command -v {program}").fine


CHECKS = (
    Check(
        "acm-cron",
        "acm",
        "No crontab starts ACM: two managers would fight over the services.",
        no_cron_line,
        False,
    ),
    Check("autostart", "acm", "No managed service starts by itself at boot.", no_autostart),
    Check("cluster-packages", "acm", "Red Hat's cluster packages are absent.", no_cluster_packages, False),
)
