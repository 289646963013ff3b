"""What must not be there any more: ACM's cron line, autostart of managed services, other cluster managers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from acmd.checks.finding import Check, Finding, Fix, all_or, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.config.model import SystemdService, SysvService

CRON_FILES = ("/etc/crontab", "/etc/anacrontab")
CRON_DIRECTORIES = ("/etc/cron.d", "/var/spool/cron")
ACM_LINE = re.compile(r"^[^#]*\bacm4orchestrator\b")
CLUSTER_PACKAGES = ("ricci", "luci", "rgmanager", "cman")
STARTS_AT_BOOT = {"enabled", "enabled-runtime", "linked-runtime", "alias"}


def cron_lines(subject: Subject) -> Iterator[tuple[str, int, str]]:
    """Each line in a crontab that starts ACM: file, number, text."""
    files = [*CRON_FILES, *(path for directory in CRON_DIRECTORIES for path in subject.files(directory))]
    for path in files:
        for number, line in enumerate((subject.read(path) or "").splitlines(), 1):
            if ACM_LINE.match(line):
                yield path, number, line.strip()


def no_cron_line(subject: Subject) -> list[Finding]:
    """Two managers at once would start and stop the same services."""
    found = [
        ko(f"{path}, line {number} still starts ACM each minute", "`acmd migrate`, or take the line out")
        for path, number, _ in cron_lines(subject)
    ]
    if not found and not subject.privileged:
        return [warn("users' crontabs cannot be read by this user", "run the check as root")]
    return all_or(found, "no crontab starts ACM")


def no_autostart(subject: Subject) -> Iterator[Finding]:
    """What starts at boot, starts without a lease."""
    for service in subject.settings.services:
        if isinstance(service, SystemdService):
            units: tuple[str, ...] = service.units
        elif isinstance(service, SysvService):
            units = (service.unit,)
        else:
            continue
        for unit in units:
            yield from _unit(subject, service.name, unit, service.runs_on)


def _unit(subject: Subject, name: str, unit: str, runs_on: str) -> Iterator[Finding]:
    shown = _properties(subject, unit)
    if shown.get("LoadState", "not-found") == "not-found":
        return
    state = shown.get("UnitFileState", "")
    script = unit.removesuffix(".service")
    links = [path for path in subject.files("/etc/rc.d") if re.search(rf"/S\d\d{re.escape(script)}$", path)]
    for level in range(2, 6):
        links += [
            path
            for path in subject.files(f"/etc/rc{level}.d")
            if re.search(rf"/S\d\d{re.escape(script)}$", path)
        ]
    wanted = [name for name in shown.get("WantedBy", "").split() if name.endswith(".target")]
    at_boot = "; it may run on the passive node then" if runs_on == "active" else ""
    if state in STARTS_AT_BOOT or wanted:
        fix = Fix(("systemctl", "disable", unit))
        yield ko(
            f"{name}: {unit} starts by itself at boot ({state or 'wanted by ' + wanted[0]}){at_boot}",
            f"systemctl disable {unit}: acmd alone starts it",
            fix,
        )
    elif links:
        yield ko(
            f"{name}: {links[0]} starts it at boot{at_boot}",
            f"update-rc.d {script} disable, or chkconfig {script} off",
        )
    else:
        yield ok(f"{name}: {unit} does not start by itself ({state or 'static'})")


def _properties(subject: Subject, unit: str) -> dict[str, str]:
    ran = subject.run("systemctl", "show", unit, "-p", "LoadState,UnitFileState,WantedBy,FragmentPath")
    return dict(line.split("=", 1) for line in ran.output.splitlines() if "=" in line) if ran.fine else {}


def no_cluster_packages(subject: Subject) -> list[Finding]:
    """Red Hat's cluster packages fence and move services by themselves."""
    found = []
    for package in CLUSTER_PACKAGES:
        rpm = subject.run("rpm", "-q", package)
        deb = subject.run("dpkg-query", "-W", "-f", "${Status}", package)
        if rpm.fine or (deb.fine and deb.output.endswith(" installed")):
            found.append(ko(f"{package} is installed: it is another cluster manager", f"remove {package}"))
    return all_or(found, "no other cluster manager's packages")


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
