"""`acmd check`: the sanity check, one line a check with OK, WARN or KO and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from acmd.checks.apart import run as run_checks
from acmd.checks.finding import Check, Finding, Level
from acmd.checks.registry import ALL, GROUPS
from acmd.checks.subject import Subject
from acmd.cli import DEGRADED, OK
from acmd.errors import AcmdError, ConfigError, UsageError

CORRECT = "correct it; `acmd config check` looks at the configuration alone"
INDENT = " " * 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """For machines, before an installation, a part of it, or with mending."""
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument(
        "--pre-install",
        action="store_true",
        help="before anything is configured: what can be checked of the host",
    )
    parser.add_argument("--group", choices=sorted(GROUPS), help="only the checks of this group")
    parser.add_argument(
        "--fix", action="store_true", help="mend what is safe to mend, after showing each change"
    )
    parser.add_argument("--yes", action="store_true", help="with --fix: do not ask")


def run(args: argparse.Namespace) -> int:
    """Print the report. 0 when nothing is KO, else 1. Raises UsageError, AcmdError."""
    if args.fix and args.json:
        raise UsageError("check: --fix talks to people, --json to machines", "use one of them")
    if args.fix and not args.yes and not sys.stdin.isatty():
        raise UsageError("check: --fix asks before each change, and nobody can answer here", "add --yes")
    chosen = [check for check in ALL if args.group in (None, check.group)]
    if args.pre_install:
        chosen = [check for check in chosen if not check.configured]
    subject = Subject() if args.pre_install else subject_of(args.config)
    report = run_checks(subject, chosen)
    if args.json:
        return _for_machines(report)
    found = list(show(report))
    if args.fix:
        mended = _mend_all(found, ask=not args.yes)
        print(f"{mended} mended" + ("; what is left:" if mended else ""))
        if mended:
            found = list(show(_not_fine(run_checks(subject, chosen))))
    return DEGRADED if any(finding.level is Level.KO for finding in found) else OK


def subject_of(file: str, root: Path = Path("/")) -> Subject:
    """This host with its configuration and what the daemon, or the directory, says. Never raises."""
    from acmd.cli.status import look
    from acmd.config.apart import load_apart
    from acmd.config.glance import glance
    from acmd.config.problems import ConfigRefused

    try:
        config = load_apart(file)
    except ConfigRefused as refused:
        said = [
            (replace(problem, remedy="").text(refused.file), problem.remedy or CORRECT)
            for problem in refused.problems
        ]
        return Subject(root=root, refused=tuple(said))
    except ConfigError as error:
        return Subject(root=root, refused=((error.what, error.remedy or CORRECT),))
    try:
        snapshot: dict[str, Any] = look(glance(file))
    except AcmdError as error:
        print(f"WARN the daemon could not be asked: {error.what}", file=sys.stderr)
        snapshot = {}
    return Subject(config, snapshot, root)


def show(report: Iterable[tuple[Check, Finding]]) -> Iterator[Finding]:
    """Print each line as it comes, under its group's name."""
    group = ""
    for check, finding in report:
        if check.group != group:
            group = check.group
            print(f"-- {GROUPS[group]}")
        print(f"{finding.level.value:<4} {finding.what}")
        if finding.remedy:
            print(f"{INDENT}-> {finding.remedy}", flush=True)
        yield finding


def _not_fine(report: Iterable[tuple[Check, Finding]]) -> Iterator[tuple[Check, Finding]]:
    return ((check, finding) for check, finding in report if finding.level is not Level.OK)


def _mend_all(found: Iterable[Finding], *, ask: bool) -> int:
    from acmd.cli.mending import mend

    if os.geteuid():
        raise AcmdError("only root may mend this host", "run it as root")
    fixes = [finding.fix for finding in found if finding.fix is not None]
    return sum(mend(fix, ask=ask) for fix in dict.fromkeys(fixes))


def _for_machines(report: Iterable[tuple[Check, Finding]]) -> int:
    rows = [
        {
            "check": check.id,
            "group": check.group,
            "level": found.level.value,
            "what": found.what,
            "remedy": found.remedy,
            "fix": list(found.fix.command) if found.fix else None,
            "fix_file": found.fix.file if found.fix else None,
        }
        for check, found in report
    ]
    bad = sum(row["level"] == Level.KO.value for row in rows)
    print(json.dumps({"ok": not bad, "findings": rows}, indent=2))
    return DEGRADED if bad else OK
