"""etc/rsyslog.d and etc/logrotate.d with the real programs: every line arrives, once, in one file."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.hosts.host import Host
from tests.hosts.image import REPO
from tests.hosts.witness import wait_for

LOG = "/var/log/aspera.log"
RULES = REPO / "etc/rsyslog.d/acmd.conf"
VARIANTS = REPO / "etc/logrotate.d"
# Straight to rsyslog's own socket, waiting where it does not keep up: journald, which stands in between
# otherwise, drops what rsyslog does not take at once.
LOAD = """
import socket
syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
syslog.connect("/run/systemd/journal/syslog")
for number in range({lines}):
    syslog.send(b"<150>acmd: load n=%d" % number)
"""
LINES = 30_000


@pytest.fixture
def logging_host(host: Host) -> Iterator[Host]:
    """A host with acmd's rule for rsyslog, and without any line in the log."""
    host.push("/etc/rsyslog.d/acmd.conf", RULES.read_bytes())
    host.exec(f"rm -f {LOG}*; systemctl restart rsyslog")
    yield host
    host.exec(f"rm -f {LOG}* /etc/rsyslog.d/acmd.conf; systemctl restart rsyslog")


def numbers(host: Host) -> list[int]:
    """The load's lines in the log and everything that was rotated away, oldest file first."""
    text = host.exec(
        f"for f in $(ls -t -r {LOG}* 2>/dev/null); do case $f in *.gz) zcat $f;; *) cat $f;; esac; done",
        timeout_s=60,
    ).stdout
    return [int(number) for number in re.findall(r"load n=(\d+)", text)]


def lines_elsewhere(host: Host) -> int:
    """Lines of the load in the system's own logs."""
    found = host.exec("cat /var/log/syslog /var/log/messages /var/log/user.log 2>/dev/null", check=False)
    return len(re.findall(r"load n=", found.stdout))


def test_the_rule_is_valid(logging_host: Host) -> None:
    """rsyslog's own check has no complaint."""
    result = logging_host.exec(["rsyslogd", "-N1"], check=False)
    assert result.returncode == 0, result.stderr
    assert "error" not in result.stderr.lower().replace("no errors", "")


def test_lines_arrive_in_one_file_only(logging_host: Host) -> None:
    """local2 of every level goes to aspera.log, not to syslog or messages; others go on as before."""
    logging_host.exec("logger -p local2.info -t acmd load n=1; logger -p local2.err -t acmd load n=2")
    logging_host.exec("logger -p local3.info -t other not-for-aspera")
    wait_for(lambda: numbers(logging_host) == [1, 2], 10, "both lines")
    wait_for(lambda: "not-for-aspera" in logging_host.read("/var/log/syslog"), 10, "the other one")
    assert lines_elsewhere(logging_host) == 0
    assert "not-for-aspera" not in logging_host.read(LOG)


def test_a_line_of_acm_in_rsyslog_conf_doubles_nothing(logging_host: Host) -> None:
    """ACM's manual has its users add a rule of their own for the same file."""
    conf = logging_host.read("/etc/rsyslog.conf")
    try:
        logging_host.exec(["tee", "-a", "/etc/rsyslog.conf"], stdin=f"local2.* -{LOG}\n".encode())
        logging_host.exec("systemctl restart rsyslog; logger -p local2.info -t acmd load n=7")
        wait_for(lambda: numbers(logging_host), 10, "the line")
        time.sleep(0.5)
        assert numbers(logging_host) == [7]
    finally:
        logging_host.exec(["tee", "/etc/rsyslog.conf"], stdin=conf.encode())


def rotated_under_load(host: Host, variant: str) -> list[int]:
    """The load's lines after rotations as often as they go while it runs, up to nine."""
    # option-a rotates as often as /etc/logrotate.conf says.
    host.push("/root/rotate.conf", b"rotate 20\n" + (VARIANTS / variant).read_bytes())
    host.push("/root/load.py", LOAD.format(lines=LINES))
    host.exec("systemd-run -q --unit=load python3 /root/load.py")
    rotations = 0
    while host.exec(["systemctl", "is-active", "-q", "load"], check=False).returncode == 0:
        if host.exec(["test", "-s", LOG], check=False).returncode == 0:
            host.exec(["logrotate", "-f", "-s", "/root/rotate.state", "/root/rotate.conf"])
            rotations += 1
        if rotations >= 9:
            break
    assert rotations >= 1
    wait_for(lambda: LINES - 1 in numbers(host), 60, "the last line")
    return numbers(host)


@pytest.mark.parametrize("variant", ["acmd", "option-b-size", "option-a"])
def test_a_rotation_under_load_loses_nothing(logging_host: Host, variant: str) -> None:
    """Rotated and compressed again and again while lines come: each is there exactly once."""
    found = rotated_under_load(logging_host, variant)
    assert len(found) == len(set(found)), "a line came twice"
    assert set(found) == set(range(LINES))
    assert lines_elsewhere(logging_host) == 0


def test_copytruncate_may_lose_lines(logging_host: Host) -> None:
    """Option B, daily, as docs/logging.md says: what is written between copy and cut is lost; nothing else is
    wrong with the file.
    """
    found = rotated_under_load(logging_host, "option-b-daily")
    print(f"lost {LINES - len(set(found))} of {LINES} lines")
    assert set(found) <= set(range(LINES))
    assert logging_host.exec(["grep", "-c", "-P", "\\x00", LOG], check=False).stdout.strip() in {"", "0"}
    assert lines_elsewhere(logging_host) == 0


@pytest.mark.parametrize("variant", sorted(path.name for path in VARIANTS.iterdir()))
def test_logrotate_understands(logging_host: Host, variant: str) -> None:
    """No variant draws a complaint, beside all the rules that a system has."""
    logging_host.push("/root/rotate.conf", (VARIANTS / variant).read_bytes())
    words = logging_host.exec(["logrotate", "-d", "-s", "/root/state", "/root/rotate.conf"]).stderr
    assert "error" not in words
    assert LOG in words
