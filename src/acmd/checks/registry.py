"""All checks, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from acmd.checks import acm, agreement, database, host, logs, programs, speed, storage
from acmd.checks.finding import Check, Finding, Silent, ko
from acmd.checks.subject import Subject

ALL: tuple[Check, ...] = (
    *acm.CHECKS,
    *host.CHECKS,
    *storage.CHECKS,
    *speed.CHECKS,
    *database.CHECKS,
    *programs.CHECKS,
    *agreement.CHECKS,
    *logs.CHECKS,
)
GROUPS = {
    "acm": "what must not be there any more",
    "host": "this host",
    "storage": "shared storage",
    "database": "MySQL and database.yml",
    "daemon": "acmd and its guard",
    "cluster": "all nodes",
    "logging": "logs",
}


def run(subject: Subject, checks: Iterable[Check] = ALL) -> Iterator[tuple[Check, Finding]]:
    """Each finding as it comes. A check that breaks is a KO of its own: the others still run."""
    for check in checks:
        yield from ((check, finding) for finding in findings(subject, check))


def findings(subject: Subject, check: Check) -> Iterator[Finding]:
    """What one check says; nothing where it does not apply."""
    if check.configured and subject.config is None:
        return
    try:
        yield from check.run(subject)
    except Silent as error:
        yield ko(error.what, error.remedy)
    except Exception as error:  # noqa: BLE001 - a report with a hole is better than none
        remedy = "this is a mistake in acmd: please report it with `acmd report`"
        yield ko(f"the check itself failed: {type(error).__name__}: {error}", remedy)
