"""`acmd check` in each situation that it knows: what is wrong is said, and following the remedy mends it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.packaged import bare, put
from tests.hosts.site import DATABASE, Site
from tests.hosts.situations import OTHER, ROUNDS, Round, Situation
from tests.hosts.witness import wait_for

LIMIT_S = 45.0  # a fitness check is made every few seconds, and more seldom on a busy machine
COMMAND = re.compile(r"`([^`]+)`")
SERVICES = """
[[service]]
name = "KEEPER"
kind = "systemd"
unit = "keeper.service"
runs_on = "all"

[[service]]
name = "LINGER"
kind = "systemd"
unit = "linger.service"
"""
KEEPER_UNIT = "[Service]\nUser=keeper\nGroup=press\nExecStart=/bin/sleep infinity\n"
LINGER_UNIT = """[Service]
ExecStart=/bin/sleep infinity
ExecStop=/bin/sh -c 'sleep $(cat /etc/linger); kill $MAINPID'
"""


@dataclass(slots=True)
class PackagedSite(Site):
    """A `Site` whose hosts have acmd from its package."""

    deb: Path = field(default_factory=Path)

    def install(self) -> None:
        """Package and configuration on every host; nothing is started."""
        for host in self.bed.hosts:
            host.exec(
                "useradd -r -U -u 3001 orchestrator; groupadd -r -g 3013 press; useradd -r -U -u 3011 keeper"
            )
            host.push("/etc/systemd/system/keeper.service", KEEPER_UNIT)
            host.push("/etc/systemd/system/linger.service", LINGER_UNIT)
            host.push("/etc/linger", "0\n")
            put(host, self.deb)
            host.push("/etc/acmd/acmd.toml", self.config(host))

    def switchover(self, host: Host, peer: Host) -> None:
        """Ask the active host until it hands over: it refuses while it has not heard its peer."""
        wait_for(
            lambda: host.exec("acmd switchover", timeout_s=60, check=False).returncode == 0,
            60,
            f"{host.name} hands over",
        )
        self.wait_role(peer, "active", 60)


@pytest.fixture(scope="module")
def site(template: Template, deb: Path) -> Iterator[PackagedSite]:
    """Two hosts with everything as it should be: alpha is active, beta could take over."""
    with Bed(["alpha", "beta"], template=bare(template)) as bed:
        made = PackagedSite(bed, deb=deb, extra=SERVICES)
        made.up()
        yield made


def findings(host: Host, config: str = "") -> list[dict[str, Any]]:
    """What all checks say there; whatever is not OK has a remedy."""
    options = ["--config", OTHER] if config else []
    done = host.exec(["acmd", *options, "check", "--json"], check=False)
    said = json.loads(done.stdout)
    assert (done.returncode == 0) is said["ok"]
    rows: list[dict[str, Any]] = said["findings"]
    assert all(row["remedy"] or row["level"] == "OK" for row in rows)
    assert not any("the check itself failed" in row["what"] for row in rows), rows
    return rows


@dataclass(frozen=True, slots=True)
class Played:
    """A round on its hosts."""

    bed: Bed
    round: Round

    def said(self) -> dict[str, dict[str, Any]]:
        """The finding of each situation that is said now."""
        hosts = {one.on for one in self.round.situations.values()}
        rows = {name: findings(self.bed[name], self.round.config) for name in sorted(hosts)}
        return {
            name: row
            for name, one in self.round.situations.items()
            for row in rows[one.on]
            if row["check"] == one.check and row["level"] != "OK" and re.search(one.says, row["what"])
        }

    def wait(self, wanted: set[str]) -> dict[str, dict[str, Any]]:
        """Until those situations are said, and no others."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            found = self.said()
            if found.keys() == wanted:
                return found
            assert time.monotonic() < deadline, (
                f"missing {wanted - found.keys()}, too much {found.keys() - wanted}"
            )

    def broken(self, one: Situation) -> Host:
        """The host on which it is wrong."""
        return self.bed[one.where or one.on]

    def follow(self, one: Situation, remedy: str) -> None:
        """Do what the remedy says: its commands as they are printed, and what it says in words."""
        host = self.broken(one)
        host.exec(f"set -e; {one.first or 'true'}")
        for command in COMMAND.findall(remedy):
            if command in one.other:
                continue
            words = f"{command} --yes" if "--fix" in command else command
            # The exit code of a look says what it found; --fix says what is left.
            looks = command.startswith(("acmd status", "acmd check"))
            host.exec(words, timeout_s=90, check=not looks)
        host.exec(f"set -e; {one.mend or 'true'}", timeout_s=90)


@pytest.mark.parametrize("name", ROUNDS)
def test_round(site: Site, name: str) -> None:
    """Everything that is wrong is said with its level; once each remedy was followed, none of it is."""
    played = Played(site.bed, ROUNDS[name])
    situations = played.round.situations
    if played.round.config:
        site.bed["alpha"].push(OTHER, played.round.config, 0o600)
    try:
        for one in situations.values():
            played.broken(one).exec(f"set -e; {one.breaks}", timeout_s=60)
        found = played.wait(set(situations))
        assert {key: row["level"] for key, row in found.items()} == {
            key: one.level for key, one in situations.items()
        }
        for key, one in situations.items():
            played.follow(one, found[key]["remedy"])
        played.wait(set())
    except BaseException:
        for one in situations.values():  # the next round begins whole
            played.broken(one).exec(f"{one.first or 'true'}; {one.mend or 'true'}", check=False)
        raise
    finally:
        for one in situations.values():
            played.broken(one).exec(one.undo or "true", check=False)


def test_only_a_person_says_that_acm_is_not_needed(site: Site) -> None:
    """`--yes` leaves ACM's line; on a terminal a yes comments it out, with a marker, as the diff shows."""
    host = site.bed["alpha"]
    line = "* * * * * root /opt/aspera/acm/bin/acm4orchestrator 10.99.0.1"
    host.push("/etc/cron.d/acm", f"{line}\n")
    said = host.exec(["acmd", "check", "--group", "acm", "--fix", "--yes"], check=False).stdout
    assert "left as it is" in said
    assert host.read("/etc/cron.d/acm") == f"{line}\n"
    typed = "printf 'yes\\n' | script -qec 'acmd check --group acm --fix' /dev/null"
    said = host.exec(typed, check=False).stdout
    assert f"+#acmd-check# {line}" in said
    assert "is it so that" in said
    assert host.read("/etc/cron.d/acm") == f"#acmd-check# {line}\n"
    host.exec(["rm", "/etc/cron.d/acm"])


def plain(text: str) -> set[str]:
    """The lines without what changes from one look to the next."""
    return {re.sub(r"[0-9.]+", "#", line) for line in text.splitlines()}


def test_acmctl_says_the_same(site: Site) -> None:
    """`-s` in the words of `acmd check`; `-i` has ACM's points, and the address that was published."""
    active, passive = site.bed["alpha"], site.bed["beta"]
    for host in (active, passive):
        assert plain(host.exec(["acmctl", "-s"], check=False).stdout) == plain(
            host.exec(["acmd", "check"], check=False).stdout
        )
    shown = {host.name: host.exec(["acmctl", "-i"], check=False).stdout for host in (active, passive)}
    points = {
        name: {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
        for name, text in shown.items()
    }
    assert points["alpha"]["Active node"] == "alpha (me)"
    assert points["beta"]["Active node"] == "alpha"
    assert [points[name]["Status of this node"] for name in ("alpha", "beta")] == ["active", "passive"]
    for name in ("alpha", "beta"):
        assert points[name]["Database host"] == f"{active.address} ({DATABASE})"
        assert points[name]["Disabled globally"] == points[name]["Disabled on this node"] == "no"
        assert points[name]["  APACHE"] == points[name]["  ORCHESTRATOR"] == "running"
    assert [points[name]["  MYSQL"] for name in ("alpha", "beta")] == ["running", "stopped"]


def lines(host: Host, check: str) -> list[str]:
    """What one check says there, level and sentence."""
    return [f"{row['level']} {row['what']}" for row in findings(host) if row["check"] == check]


def test_everything_is_fine(site: Site) -> None:
    """Each check says OK on a node with nothing wrong; what is not OK is what this bed cannot have."""
    said: dict[str, set[str]] = {}
    began = time.monotonic()
    for row in findings(site.bed["alpha"]):
        said.setdefault(row["check"], set()).add(row["level"])
        print(row["level"], row["check"], row["what"], row["remedy"], sep=" | ")
    print(f"the whole check took {time.monotonic() - began:.1f} s")
    assert {check for check, levels in said.items() if "OK" not in levels} <= {
        "shared",
        "data",
        "stop-budget",
    }
    assert {check for check, levels in said.items() if levels != {"OK"}} <= {
        *("shared", "data"),  # a directory of the machine
        "guard",  # no watchdog
        "stop-budget",  # nothing has stopped yet, or took its time
    }
    assert {"acm-cron", "users", "clock", "latency", "credentials", "versions", "log-line"} <= said.keys()


def test_stop_budget(site: PackagedSite) -> None:
    """Measured by a switchover and back, as the remedy says; a stop longer than the budget is said."""
    first, second = site.bed["alpha"], site.bed["beta"]
    if site.status(second).get("role") == "active":  # a round before has made alpha unfit
        site.switchover(second, first)
    for host, peer in ((first, second), (second, first)):
        site.switchover(host, peer)
    wait_for(lambda: any("OK LINGER took 0." in line for line in lines(first, "stop-budget")), 45, "measured")
    first.push("/etc/linger", "2\n")
    try:
        site.switchover(first, second)
        wait_for(
            lambda: any("WARN LINGER took 2." in line for line in lines(first, "stop-budget")),
            45,
            "it is slow",
        )
    finally:
        first.push("/etc/linger", "0\n")
    site.switchover(second, first)
