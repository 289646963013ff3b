"""Logs: facility local2 arrives in /var/log/aspera.log, nowhere twice, and is rotated."""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Iterator

from acmd.checks.finding import Check, Finding, ko, ok, warn
from acmd.checks.subject import Subject

LOG = "/var/log/aspera.log"
SOCKET = "/dev/log"
ARRIVES_S = 3.0
FACILITY_LOCAL2, SEVERITY_INFO = 18, 6
RULE = re.compile(rf"^\s*local2\.\*\s+-?{re.escape(LOG)}\s*$|^\s*local2\.\*.*{re.escape(LOG)}", re.MULTILINE)
STOPPED = re.compile(r"^\s*local2\.\*[^\n]*\n\s*&\s*(stop|~)", re.MULTILINE)


def rule(subject: Subject) -> Iterator[Finding]:
    """A rule of rsyslog's."""
    files = ["/etc/rsyslog.conf", *subject.files("/etc/rsyslog.d")]
    found = [path for path in files if RULE.search(subject.read(path) or "")]
    if found:
        yield ok(f"{found[0]} sends local2 to {LOG}")
    elif subject.read("/etc/rsyslog.conf") is None:
        yield warn(
            "rsyslog is not installed: acmd's lines are in the journal only",
            "`journalctl -u acmd` shows them",
        )
    else:
        yield ko(
            f"no rule of rsyslog sends local2 to {LOG}", "install acmd's rsyslog file and restart rsyslog"
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
            f"nobody takes a line on {SOCKET}: {error.strerror}", "systemctl restart systemd-journald rsyslog"
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
        yield ko(f"a test line did not arrive in {LOG} within {ARRIVES_S:g} s", "systemctl status rsyslog")


def _tail(subject: Subject) -> str:
    try:
        with subject.at(LOG).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 65536))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def rotation(subject: Subject) -> Iterator[Finding]:
    """A log that nobody rotates fills the disk."""
    if subject.read("/etc/rsyslog.conf") is None and not subject.at(LOG).exists():
        return  # nobody writes it
    files = ["/etc/logrotate.conf", *subject.files("/etc/logrotate.d")]
    found = [
        path
        for path in files
        if re.search(rf"^[^#\n]*{re.escape(LOG)}", subject.read(path) or "", re.MULTILINE)
    ]
    if found:
        yield ok(f"{found[0]} rotates {LOG}")
    else:
        yield ko(f"nothing rotates {LOG}", "install acmd's logrotate file")


def not_twice(subject: Subject) -> list[Finding]:
    """ACM's manual keeps local2 out of /var/log/messages."""
    files = ("/etc/rsyslog.conf", *subject.files("/etc/rsyslog.d"))
    text = "\n".join(subject.read(path) or "" for path in files)
    if STOPPED.search(text):
        return [ok("lines of local2 end in their own file")]
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        target = words[-1].lstrip("-") if words else ""
        if target in ("/var/log/messages", "/var/log/syslog") and "local2.none" not in words[0]:
            remedy = f"add ;local2.none to the rule that ends in {target}"
            return [warn(f"acmd's lines also go to {target}", remedy)]
    return []


CHECKS = (
    Check("rsyslog", "logging", "rsyslog sends local2 to /var/log/aspera.log.", rule, False),
    Check("log-line", "logging", "A test line arrives in /var/log/aspera.log.", arrives, False),
    Check("log-twice", "logging", "acmd's lines do not fill /var/log/messages as well.", not_twice, False),
    Check("logrotate", "logging", "logrotate covers /var/log/aspera.log.", rotation, False),
)
