"""`acmd check` where things do not answer: it says what, goes on with the rest, and ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.site import DATABASE, Site
from tests.hosts.storage import faultfs_available
from tests.hosts.witness import wait_for

WHOLE_S = 90.0  # at most, with all storage dead; about 30 s on a machine with nothing else to do
GROUP_S = 45.0
EVERY_OP = ("getattr", "lookup", "open", "opendir", "read", "readdir", "statfs", "write", "fsync", "access")
COPY = "/opt/aspera/acm/config/database.yml"
OTHER = "/etc/acmd/other.toml"
MUTE = "/opt/mute.py"
# Accepts, takes what comes, says nothing.
MUTE_TEXT = """import socket, sys
kind, where = sys.argv[1:]
if kind == "unix":
    server = socket.socket(socket.AF_UNIX); server.bind(where); server.listen(64)
elif kind == "tcp":
    server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("", int(where))); server.listen(64)
else:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("127.0.0.9", int(where)))
open("/run/mute", "w").close()
held = []
while True:
    held.append(server.recvfrom(4096) if kind == "udp" else server.accept())
"""


@pytest.fixture(scope="module")
def bed(template: Template) -> Iterator[Bed]:
    """Two hosts with everything: alpha is active."""
    if not faultfs_available():
        pytest.skip("needs the fault-injecting file system")
    with Bed(["alpha", "beta"], storage="faultfs", template=template) as made:
        site = Site(made)
        active, host = site.up()
        active.push(MUTE, MUTE_TEXT)
        host.push(MUTE, MUTE_TEXT)
        # As ACM leaves it: what it has lies on shared storage, and a link leads there.
        host.exec(
            "set -e; mkdir -p /opt/aspera /shared/acm/bin /shared/acm/config; "
            "ln -s /shared/acm /opt/aspera/acm; "
            f"cp -p {DATABASE} {COPY}; "
            "printf 'MYSQL_USER=orchestrator\\nMYSQL_PWD=s3cr3t\\n' > /shared/acm/bin/acmcommon"
        )
        host.push(OTHER, site.config(host).replace(DATABASE, COPY), 0o600)
        yield made


@pytest.fixture
def passive(bed: Bed) -> Host:
    """The one that is not active."""
    return bed["beta"]


def looked(host: Host, *words: str, config: str = OTHER) -> tuple[float, dict[str, list[str]]]:
    """How long it took, and what each check said."""
    began = time.monotonic()
    done = host.exec([ACMD, "--config", config, "check", "--json", *words], timeout_s=180, check=False)
    took_s = time.monotonic() - began
    rows: dict[str, list[str]] = {}
    said: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    for row in said:
        assert row["remedy"] or row["level"] == "OK", row
        assert "the check itself failed" not in row["what"], row
        rows.setdefault(row["check"], []).append(f"{row['level']} {row['what']}")
    print(f"acmd check {' '.join(words)}: {took_s:.1f} s")
    return took_s, rows


def mute(host: Host, kind: str, where: str) -> Callable[[], object]:
    """Somebody there who says nothing; call it to end that."""
    host.exec("rm -f /run/mute")
    started = host.exec(f"setsid python3 {MUTE} {kind} {where} </dev/null >/dev/null 2>&1 & echo $!")
    wait_for(lambda: host.exec("test -e /run/mute", check=False).returncode == 0, 10, "it listens")
    return lambda: host.exec(["kill", started.stdout.strip()], check=False)


def test_nothing_is_wrong(passive: Host) -> None:
    """All answers: nothing that is said when something does not."""
    took_s, rows = looked(passive)
    assert took_s < GROUP_S
    assert not [text for said in rows.values() for text in said if "answer" in text and "guard" not in text]
    assert rows["acmcommon"] == ["OK the login agrees with /opt/aspera/acm/bin/acmcommon"]
    assert rows["latency"][0].startswith(("OK", "WARN"))


@pytest.mark.parametrize("kind", ["as a hard mount", "in the kernel"])
def test_dead_storage(passive: Host, kind: str) -> None:
    """Waiters that SIGKILL ends, and such that it does not: the report is whole, and in time."""
    if kind == "in the kernel":
        passive.shared.fail("stall", *EVERY_OP)
    else:
        passive.shared.stop()
    try:
        took_s, rows = looked(passive)
    finally:
        passive.shared.clear() if kind == "in the kernel" else passive.shared.go_on()
    print(json.dumps(rows, indent=1))
    assert took_s < WHOLE_S
    assert "does not answer within 10 s" in rows["directory"][0]
    assert rows["latency"][0].startswith("KO the lease directory d")  # does not answer, or not often enough
    assert rows["data"] == ["KO MYSQL: /shared/mysql does not answer within 3 s"]
    assert rows["credentials"] == [f"KO {COPY} does not answer within 3 s"]
    assert "does not answer within" in rows["acmcommon"][0]
    for check in ("acm-cron", "autostart", "users", "units", "rsyslog", "logrotate"):
        assert check in rows, rows
    wait_for(
        lambda: looked(passive, "--group", "storage")[1]["latency"][0][:2] != "KO", 60, "it answers again"
    )
    left = passive.exec(["pgrep", "-f", "acmd.checks.apart|readlink -m|head -c"], check=False).stdout.split()
    assert left == []


def test_slow_storage(passive: Host) -> None:
    """A round longer than a heartbeat is a warning, one near the renew deadline a KO; then all is fine."""
    # On a busy machine the worst look of many makes a KO of the first one, too.
    for seconds, levels in ((0.1, ("WARN", "KO")), (0.3, ("KO",))):
        passive.shared.fail("delay", "opendir", seconds=seconds)
        try:
            (said,) = looked(passive, "--group", "storage")[1]["latency"]
        finally:
            passive.shared.clear()
        level, _, words = said.partition(" one look at the leases takes ")
        assert level in levels
        assert float(words.split()[0]) >= seconds * 1000
        assert "profile fast" in said
    wait_for(lambda: looked(passive, "--group", "storage")[1]["latency"][0][:2] == "OK", 30, "fast again")


def test_systemd_says_nothing(passive: Host) -> None:
    """PID 1's own socket takes the question and nothing else: said once for each check that asks."""
    end = mute(passive, "unix", "/run/mute.sock")
    passive.exec(["mount", "--bind", "/run/mute.sock", "/run/systemd/private"])
    try:
        took_s, rows = looked(passive, "--group", "acm")
        _, daemon = looked(passive, "--group", "daemon")
    finally:
        passive.exec(["umount", "/run/systemd/private"])
        end()
    assert took_s < GROUP_S
    assert rows["autostart"] == ["KO systemd does not say within 10 s what it knows of apache2.service"]
    assert rows["acm-cron"] == ["OK no crontab starts ACM"]
    assert daemon["units"] == ["KO systemd does not say within 10 s what it knows of acmd@other.service"]
    assert looked(passive, "--group", "acm")[1]["autostart"][0].startswith("OK")


def test_mysql_says_nothing(bed: Bed, passive: Host) -> None:
    """A server that accepts and does not greet is given up after 5 s."""
    end = mute(bed["alpha"], "tcp", "3399")
    text = passive.read(OTHER).replace("[database]\n", "[database]\nport = 3399\n")
    passive.push("/etc/acmd/mute.toml", text.replace("[publish]\nenabled = true\n", ""), 0o600)
    try:
        took_s, rows = looked(passive, "--group", "database", config="/etc/acmd/mute.toml")
    finally:
        end()
    assert took_s < GROUP_S
    assert [text for text in rows["credentials"] if "could not be asked" in text and "timed out" in text], (
        rows
    )


def test_the_name_service_says_nothing(passive: Host) -> None:
    """For hosts a server that only takes questions; for users a program that hangs as with a dead LDAP."""
    end = mute(passive, "udp", "53")
    passive.exec(
        "set -e; printf 'nameserver 127.0.0.9\\n' > /run/resolv; touch /etc/resolv.conf; "
        "mount --bind /run/resolv /etc/resolv.conf; grep -v alpha /etc/hosts > /run/hosts; "
        "mount --bind /run/hosts /etc/hosts"
    )
    try:
        _, rows = looked(passive, "--group", "host")
        passive.exec(
            "printf '#!/bin/sh\\n[ $1 != ahosts ] && sleep 100\\n' > /run/getent; chmod 755 /run/getent; "
            "mount --bind /run/getent /usr/bin/getent"
        )
        took_s, without = looked(passive, "--group", "host")
    finally:
        passive.exec("umount -q /usr/bin/getent; umount /etc/hosts; umount /etc/resolv.conf", check=False)
        end()
    assert "KO the name service does not answer within 3 s for alpha" in rows["names"]
    assert without["users"] == ["KO the name service does not answer within 3 s for mysql"]
    assert took_s < GROUP_S
