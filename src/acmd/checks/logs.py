"""Logs: facility local2 arrives in /var/log/aspera.log, nowhere twice, and is rotated."""

from __future__ import annotations

import re
import secrets
import shlex
import socket
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from acmd.checks.finding import Check, Finding, Fix, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.checks.texts import LOG, LOGROTATE, LOGROTATE_TEXT, RSYSLOG, RSYSLOG_TEXT

SOCKET = "/dev/log"
ARRIVES_S = 3.0
FACILITY_LOCAL2, SEVERITY_INFO = 18, 6
STOPPED = re.compile(r"^\s*local2\.\*[^\n]*\n\s*&\s*(stop|~)", re.MULTILINE)
# Names that logrotate leaves out, beside those that it finds no rule in.
TABOO = (
    ".rpmsave",
    ".rpmnew",
    ".rpmorig",
    "~",
    ".disabled",
    ".bak",
    ".old",
    ".new",
    ".dpkg-dist",
    ".dpkg-bak",
)
SCRIPTS = ("prerotate", "postrotate", "firstaction", "lastaction", "preremove")
MEND = "`acmd check --group logging --fix`"
RESTART = ("systemctl", "restart", "rsyslog.service")


def rules(subject: Subject) -> list[tuple[str, str]]:
    """Each file of rules that rsyslog reads, and its lines without comments."""
    files = [
        "/etc/rsyslog.conf",
        *(path for path in subject.files("/etc/rsyslog.d") if path.endswith(".conf")),
    ]
    return [(path, _without_comments(subject.read(path) or "")) for path in files]


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def rule(subject: Subject) -> Iterator[Finding]:
    """A rule of rsyslog's, in its old words or in its new ones."""
    found = [path for path, text in rules(subject) if "local2" in text and LOG in text]
    if subject.read("/etc/rsyslog.conf") is None:  # acmd's own rule is there all the same
        yield warn(
            "rsyslog is not installed: acmd's lines are in the journal only",
            "`journalctl -u acmd` shows them",
        )
    elif found:
        yield ok(f"{found[0]} sends local2 to {LOG}")
    else:
        before = subject.read(RSYSLOG)
        fix = Fix(RESTART, RSYSLOG, before, RSYSLOG_TEXT, proof=("rsyslogd", "-N1"))
        yield ko(
            f"no rule of rsyslog sends local2 to {LOG}",
            f"{MEND} writes {RSYSLOG} and restarts rsyslog",
            fix,
        )


def arrives(subject: Subject) -> Iterator[Finding]:
    """A line that is sent now is found there."""
    if subject.read("/etc/rsyslog.conf") is None:
        return
    word = f"acmd check {secrets.token_hex(8)}"
    message = f"<{FACILITY_LOCAL2 * 8 + SEVERITY_INFO}>acmd-check: {word}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.settimeout(1.0)
            log.connect(str(subject.at(SOCKET)))
            log.send(message.encode())
    except OSError as error:
        yield ko(
            f"nobody takes a line on {SOCKET}: {error.strerror}",
            "`systemctl restart systemd-journald rsyslog`",
        )
        return
    until = time.monotonic() + ARRIVES_S
    while time.monotonic() < until:
        if word in _tail(subject):
            yield ok(f"a test line arrives in {LOG}")
            return
        time.sleep(0.05)
    readable = subject.at(LOG).exists() and not subject.privileged
    if readable:
        yield warn(f"{LOG} cannot be read by this user", "run the check as root")
    else:
        yield ko(
            f"a test line did not arrive in {LOG} within {ARRIVES_S:g} s",
            "`systemctl restart rsyslog.service`; `rsyslogd -N1` says what is wrong with its rules",
            Fix(RESTART),
        )


def _tail(subject: Subject) -> str:
    try:
        with subject.at(LOG).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 65536))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def rotation(subject: Subject) -> Iterator[Finding]:
    """A log that nobody rotates fills the disk; of two rules logrotate skips one with its whole file."""
    if subject.read("/etc/rsyslog.conf") is None and not subject.at(LOG).exists():
        return  # nobody writes it
    files = ["/etc/logrotate.conf", *(p for p in subject.files("/etc/logrotate.d") if not p.endswith(TABOO))]
    found = [path for path in files for name in rotated(subject.read(path) or "") if fnmatch(LOG, name)]
    if len(found) > 1:
        yield ko(
            f"{' and '.join(found)} rotate {LOG}: logrotate skips one of them, with all else that is in it",
            f"leave {LOG} in one of them",
        )
    elif not found:
        fix = Fix(
            (), LOGROTATE, subject.read(LOGROTATE), LOGROTATE_TEXT, proof=("logrotate", "-d", LOGROTATE)
        )
        yield ko(f"nothing rotates {LOG}", f"{MEND} writes {LOGROTATE}", fix)
    elif subject.root == Path("/") and subject.run("logrotate", "--version").code is None:
        yield ko(f"{found[0]} rotates {LOG}, but logrotate is not installed", "install the package logrotate")
    else:
        yield ok(f"{found[0]} rotates {LOG}")


def rotated(text: str) -> list[str]:
    """The names, with wildcards, that a configuration of logrotate's has rules for."""
    names: list[str] = []
    waiting: list[str] = []
    inside = script = False
    for line in text.splitlines():
        words = line.partition("#")[0].replace("{", " { ").replace("}", " } ").split()
        if script:
            script = words[:1] != ["endscript"]
        elif inside:
            script = words[:1] in ([name] for name in SCRIPTS)
            inside = "}" not in words
        elif "{" in words:
            names += [*waiting, *words[: words.index("{")]]
            waiting, inside = [], "}" not in words
        elif words:
            waiting = [*waiting, *words] if words[0][:1] in "/\"'" else []
    return [name.strip("\"'") for name in names]


def not_twice(subject: Subject) -> list[Finding]:
    """ACM's manual keeps local2 out of /var/log/messages."""
    text = "\n".join(lines for _, lines in rules(subject))
    if STOPPED.search(text):
        return [ok("lines of local2 end in their own file")]
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        target = words[-1].lstrip("-") if words else ""
        if target in ("/var/log/messages", "/var/log/syslog") and "local2.none" not in words[0]:
            remedy = f"add ;local2.none to the rule that ends in {target}, then `{shlex.join(RESTART)}`"
            return [warn(f"acmd's lines also go to {target}", remedy)]
    return []


CHECKS = (
    Check("rsyslog", "logging", "rsyslog sends local2 to /var/log/aspera.log.", rule, False),
    Check("log-line", "logging", "A test line arrives in /var/log/aspera.log.", arrives, False),
    Check("log-twice", "logging", "acmd's lines do not fill /var/log/messages as well.", not_twice, False),
    Check("logrotate", "logging", "logrotate covers /var/log/aspera.log.", rotation, False),
)
