"""`acmd check --fix`: each change is shown, agreed to, and made as a whole or not at all."""

from __future__ import annotations

import difflib
import os
import stat
import subprocess
import sys
from pathlib import Path

from acmd.checks.finding import Fix
from acmd.errors import AcmdError
from acmd.migrate.originals import remove, replace

FIX_LIMIT_S = 60.0
INDENT = " " * 5
MODE = 0o644


def mend(fix: Fix, *, ask: bool, root: Path = Path("/")) -> bool:
    """Do one change, once it was shown and agreed to. Whether it worked."""
    _show(fix)
    if not _agreed(fix, ask=ask):
        return False
    if fix.file and not _write(fix, root):
        return False
    return not fix.command or _run(fix.command)


def _show(fix: Fix) -> None:
    if not fix.file:
        print(f"fix: {fix.shown}")
        return
    print(f"fix: {fix.file}{f', then {fix.shown}' if fix.command else ''}")
    was = "/dev/null" if fix.before is None else fix.file
    old, new = (fix.before or "").splitlines(), fix.after.splitlines()
    for line in difflib.unified_diff(old, new, was, fix.file, lineterm=""):
        print(f"{INDENT}{line}")


def _agreed(fix: Fix, *, ask: bool) -> bool:
    if fix.question:
        if not sys.stdin.isatty():
            print(f"{INDENT}left as it is: it needs your word, on a terminal, that {fix.question}")
            return False
        return _yes(f"{INDENT}is it so that {fix.question}? [y/N] ")
    return not ask or _yes(f"{INDENT}do that? [y/N] ")


def _yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _write(fix: Fix, root: Path) -> bool:
    """The new file, or the old one when there is any doubt."""
    at = root / fix.file.lstrip("/")
    try:
        if _text(at) != fix.before:
            print(f"{INDENT}left as it is: {fix.file} was changed meanwhile")
            return False
        mode, user, group = _owner(at)
        replace(at, fix.after.encode(), mode, user, group)
        if fix.proof and not _run(fix.proof, quiet=True):
            if fix.before is None:
                remove(at)
            else:
                replace(at, fix.before.encode(), mode, user, group)
            print(f"{INDENT}put back as it was: `{' '.join(fix.proof)}` does not like the new one")
            return False
    except (AcmdError, OSError) as error:
        print(f"{INDENT}failed: {error}")
        return False
    return True


def _text(at: Path) -> str | None:
    if at.is_symlink():
        raise AcmdError(f"{at} is a symbolic link", "change by hand what it leads to")
    try:
        return at.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def _owner(at: Path) -> tuple[int, int, int]:
    try:
        status = at.stat()
    except FileNotFoundError:
        return MODE, os.geteuid(), os.getegid()
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def _run(command: tuple[str, ...], *, quiet: bool = False) -> bool:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            timeout=FIX_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{INDENT}failed: {error}")
        return False
    if done.returncode and not quiet:
        print(f"{INDENT}failed with {done.returncode}")
    return done.returncode == 0
