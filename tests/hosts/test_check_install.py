"""`acmd check` on a host that was just installed: not configured, mending, alone, and as other users."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.packaged import Packaged, bare
from tests.hosts.witness import wait_for

ROTATION = "/etc/logrotate.d/acmd"


@pytest.fixture(scope="module")
def fresh(template: Template, deb: Path) -> Iterator[Host]:
    """One host with acmd's package, and nothing else of it."""
    with Bed(["solo"], template=bare(template)) as bed:
        Packaged(bed, deb=deb).install()
        bed.hosts[0].exec("mv /etc/acmd/acmd.toml /root")
        yield bed.hosts[0]


def said(host: Host, *words: str, user: str = "root") -> dict[str, list[str]]:
    """What each check says to that user: level and sentence."""
    command = ["runuser", "-u", user, "--", "acmd", "check", "--json", *words]
    rows: list[dict[str, Any]] = json.loads(host.exec(command, check=False, timeout_s=90).stdout)["findings"]
    found: dict[str, list[str]] = {}
    for row in rows:
        assert row["remedy"] or row["level"] == "OK", row
        assert "the check itself failed" not in row["what"], row
        print(user, row["level"], row["check"], row["what"], row["remedy"], sep=" | ")
        found.setdefault(row["check"], []).append(f"{row['level']} {row['what']}")
    return found


def typed(host: Host, answer: str, *words: str) -> str:
    """What is shown on a terminal when a person answers so."""
    command = f"printf '{answer}\\n' | script -qec 'acmd check {' '.join(words)}' /dev/null"
    return host.exec(command, check=False, timeout_s=90).stdout


def test_before_anything_is_configured(fresh: Host) -> None:
    """What can be known of the host; with the package there is nothing to mend, and no error."""
    done = fresh.exec("acmd check --pre-install", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "acmd.toml" not in done.stdout
    found = said(fresh, "--pre-install")
    assert found.keys() >= {
        "acm-cron",
        "cluster-packages",
        "selinux",
        "memory",
        "rsyslog",
        "log-line",
        "logrotate",
    }
    assert all(line.startswith("OK") for lines in found.values() for line in lines)


def test_without_a_configuration(fresh: Host) -> None:
    """Not asked for as --pre-install: the missing file is a KO with what to do, the rest is looked at."""
    found = said(fresh)
    assert found["configuration"][0].startswith("KO /etc/acmd/acmd.toml")
    assert "logrotate" in found


def test_what_mending_asks(fresh: Host) -> None:
    """Each change is shown first. A no, or nobody who could answer: nothing is changed."""
    fresh.exec(["mv", ROTATION, "/root/rotation"])
    refused = fresh.exec("acmd check --pre-install --fix </dev/null", check=False)
    assert refused.returncode == 64
    assert "--fix asks before each change, and nobody can answer here" in refused.stderr
    assert "add --yes" in refused.stderr
    words = ("--pre-install", "--group", "logging", "--fix")
    for answer, there, mended in (("n", False, "0 mended"), ("", False, "0 mended"), ("y", True, "1 mended")):
        shown = typed(fresh, answer, *words)
        assert f"fix: {ROTATION}" in shown
        assert "+    rotate 10" in shown
        assert "do that? [y/N]" in shown
        assert mended in shown
        assert fresh.exec(["test", "-e", ROTATION], check=False).returncode == (0 if there else 1)
    assert fresh.exec(["cmp", ROTATION, "/root/rotation"]).stdout == ""
    fresh.exec(["rm", ROTATION])
    shown = fresh.exec("acmd check --pre-install --group logging --fix --yes </dev/null").stdout
    assert "do that?" not in shown
    assert "1 mended" in shown
    nobody = fresh.exec(
        ["runuser", "-u", "nobody", "--", "acmd", "check", "--pre-install", "--fix", "--yes"], check=False
    )
    assert "only root may mend this host" in nobody.stderr


def test_alone(fresh: Host) -> None:
    """The first node of a cluster: what only another node could say is a warning, with what to do."""
    fresh.exec(
        "cp -p /root/acmd.toml /etc/acmd/; mkdir -p /shared/acm; acmd init; systemctl enable --now acmd"
    )
    wait_for(
        lambda: json.loads(fresh.exec("acmd status --json", check=False).stdout).get("role") == "active",
        60,
        "up",
    )
    found = said(fresh)
    assert found["nodes"] == ["WARN no other node was ever heard"]
    assert found["users"] == ["WARN no other node has said yet which users its services have"]
    assert found["units"] == [
        "OK acmd.service is enabled and as delivered",
        "OK acmd-guard.service is enabled and as delivered",
    ]
    for user in ("nobody", "www-data"):
        fresh.exec("usermod -a -G acmd www-data")
        theirs = said(fresh, user=user)
        assert theirs["acm-cron"] == ["WARN users' crontabs cannot be read by this user"]
        assert theirs["log-line"] == ["WARN /var/log/aspera.log cannot be read by this user"]
        if user == "www-data":  # a member may see what is asked of the daemon; what only root sees is no KO
            assert theirs["latency"] == ["WARN the lease directory cannot be read by this user"]
            assert not [line for said_of in theirs.values() for line in said_of if line.startswith("KO")]
    fresh.exec("systemctl disable --now acmd; rm /etc/acmd/acmd.toml")
