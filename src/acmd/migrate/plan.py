"""What a migration changes on this node: files, as a diff that shows no secret."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from acmd.checks import crontab
from acmd.checks.texts import LOG, LOGROTATE, LOGROTATE_TEXT, RSYSLOG, RSYSLOG_TEXT
from acmd.config.problems import toml
from acmd.errors import AcmdError
from acmd.migrate.installation import COMMON, DIRECTORY, Installation
from acmd.migrate.originals import Change, Originals

DATABASE_HERE = "/etc/acmd/database.yml"
PASSWORD_FILE = "/etc/acmd/mysql.password"  # noqa: S105 - a path


def changes(found: Installation, root: Path, config: str) -> list[Change]:
    """In the order in which they are made: cron last, so that ACM serves until all else is there."""
    listed = [Change(config, configuration(found).encode(), 0o640, "acmd's configuration")]
    listed += _secrets(found)
    listed += _logs(root)
    for file in sorted({line.file for line in found.lines}):
        at = root / file.lstrip("/")
        if at.is_symlink():
            raise AcmdError(f"{file} is a symbolic link", "make it an ordinary file")
        text = at.read_bytes().decode("utf-8", "surrogateescape")
        after = crontab.commented(text).encode("utf-8", "surrogateescape")
        listed.append(Change(file, after, at.stat().st_mode & 0o7777, "cron no longer starts ACM"))
    return listed


def configuration(found: Installation) -> str:
    """The file's text, each value with where it comes from."""
    cron_at = f"{found.lines[0].file}, line {found.lines[0].number}" if found.lines else ""
    lines = [
        "# Written by `acmd migrate` from ACM's settings. `acmd config defaults` prints every option.",
        "",
        f"# SERVICES in {COMMON}",
        f"services = {toml(list(found.services))}",
        "",
        "[cluster]",
        "# beside ACM's own directories, on the same shared storage",
        f"directory = {toml(DIRECTORY)}",
    ]
    if found.device_id is not None:
        lines += [f"# the second argument in {cron_at}", f"device_id = {found.device_id}"]
    if found.address:
        lines += ["", "[node]", f"# the first argument in {cron_at}", f"address = {toml(found.address)}"]
    lines += ["", "[timing]", f"# {found.profile_why}", f"profile = {toml(found.profile)}"]
    if "MYSQL" in found.services:
        lines += _database(found)
    return "\n".join(lines) + "\n"


def _database(found: Installation) -> list[str]:
    if not found.database:
        if not found.mysql_user:
            return []
        return [
            "",
            "[database]",
            f"# MYSQL_USER in {COMMON}; there is no database.yml. The password is MYSQL_PWD.",
            f"user = {toml(found.mysql_user)}",
            f"password_file = {toml(PASSWORD_FILE)}",
        ]
    if found.database.startswith("/opt/aspera/acm/"):
        return ["", "[database]", f"# a local copy of {found.database}", f"file = {toml(DATABASE_HERE)}"]
    return ["", "[database]", "# as Orchestrator has it", f"file = {toml(found.database)}"]


def _secrets(found: Installation) -> Iterator[Change]:
    if "MYSQL" not in found.services:
        return
    if found.database.startswith("/opt/aspera/acm/"):
        why = f"a local copy of {found.database}"
        yield Change(DATABASE_HERE, found.database_text.encode(), 0o600, why, secret=True)
    elif not found.database and found.mysql_user:
        why = f"MYSQL_PWD of {COMMON}"
        yield Change(PASSWORD_FILE, f"{found.mysql_password}\n".encode(), 0o600, why, secret=True)


def _logs(root: Path) -> Iterator[Change]:
    """Only what the package did not place: exactly one rule may rotate the log."""
    if (root / "etc/rsyslog.d").is_dir() and not (root / RSYSLOG.lstrip("/")).exists():
        yield Change(RSYSLOG, RSYSLOG_TEXT.encode(), 0o644, "acmd's lines in a file of their own")
    rules = [root / "etc/logrotate.conf"]
    if (root / "etc/logrotate.d").is_dir():
        rules += sorted(path for path in (root / "etc/logrotate.d").iterdir() if path.name[0] != ".")
    others = [path for path in rules if path != root / LOGROTATE.lstrip("/") and path.is_file()]
    if others and not any(LOG in path.read_text(errors="replace") for path in others):
        yield Change(LOGROTATE, LOGROTATE_TEXT.encode(), 0o644, "the log is rotated")


def diff(change: Change, originals: Originals) -> str:
    """A unified diff; of a secret only that it changes. Empty when it is so already."""
    before = originals.before(change.path)
    if before == change.after:
        return ""
    if change.secret:
        return f"--- {change.path}\n+++ {change.path}\n@@ secret, mode {change.mode:04o}: {change.why} @@\n"
    old = "" if before is None else before.decode("utf-8", "replace")
    new = "" if change.after is None else change.after.decode("utf-8", "replace")
    made = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        "/dev/null" if before is None else change.path,
        change.path,
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in made)
