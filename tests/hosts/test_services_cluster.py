"""Apache, an application in Orchestrator's place, and MariaDB on shared storage, on real hosts."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hosts import inside
from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, main_pid, prop, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.site import DATABASE, UNITS, YML, Site
from tests.hosts.witness import wait_for

TAKEOVER_S = 14.7 + 1 + 1  # W + h + 1 s of the standard profile
KILL_S, RESET_S = 9.0, 10.0  # of the standard profile
RECOVERY_S = 20.0  # InnoDB's, on a busy machine
LEFTOVER = [
    "/usr/sbin/mariadbd", "--no-defaults", "--user=mysql", "--datadir=/var/lib/other", "--port=3307",
    "--bind-address=0.0.0.0", "--socket=/run/mysqld/other.sock", "--pid-file=/run/mysqld/other.pid",
]  # fmt: skip
PROVEN_S = 6.0  # within which a probe has answered once since the last start
GAP_S = 1.5  # between two rows of a host while nothing but the daemon is restarted


@pytest.fixture(scope="module")
def bed(template: Template) -> Iterator[Bed]:
    """Two hosts for this file."""
    with Bed(["alpha", "beta"], template=template) as made:
        yield made


@pytest.fixture
def site(bed: Bed) -> Iterator[Site]:
    """Nothing is installed yet; afterwards the hosts get new disks."""
    yield Site(bed, profile="standard")
    renew(bed)


def published(host: Host) -> str:
    """The database host by the application's file."""
    text = host.read(DATABASE)
    line = next(line for line in text.splitlines() if line.startswith("  host:"))
    assert text == YML.replace('  host: "10.9.9.9"  # the active node', line), "nothing else changed"
    return line.split('"')[1]


def test_a_full_start_and_stop(site: Site) -> None:
    """Three services come up in order, MySQL on the active node only; a stop leaves nothing behind."""
    active, passive = site.up()
    assert site.active_units(active) == set(UNITS)
    assert site.active_units(passive) == {"APACHE", "ORCHESTRATOR"}
    assert published(active) == published(passive) == active.address
    assert "acmd-active" in prop(active, "ControlGroup", "mariadb.service")
    for host in (active, passive):
        assert "Apache2" in host.exec(["curl", "-s", "http://127.0.0.1/"]).stdout
        assert host.exec(["stat", "-c", "%a", DATABASE]).stdout.strip() == "640"
    passive.exec(["systemctl", "start", "mariadb"], check=False)
    assert not passive.exec(["pgrep", "mariadbd"], check=False).stdout, "the gate refuses a start by hand"
    for host in (passive, active):
        host.exec(["systemctl", "stop", "acmd"], timeout_s=90)
        assert site.active_units(host) == set()
        found = host.exec("find /run/systemd /etc/systemd -name zz-acmd* -o -name 'acmd-active-*'").stdout
        assert found == ""
        assert "acmd" not in host.exec(["systemctl", "cat", "mariadb"]).stdout


def test_a_switchover_loses_no_row(site: Site) -> None:
    """A planned switchover: MySQL goes over, both applications follow, every acknowledged row is there."""
    active, passive = site.up()
    wait_for(lambda: site.status(passive)["role"] == "passive", 15, "the peer is there")
    began = time.monotonic()
    active.exec([ACMD, "switchover"], timeout_s=60)
    site.wait_role(passive, "active", 60)
    wait_for(lambda: prop(passive, "ActiveState", "mariadb.service") == "active", 60, site.says())
    print(f"MySQL runs again after {time.monotonic() - began:.1f} s")
    site.wait_rows(active, passive)
    assert published(active) == published(passive) == passive.address
    assert site.lost(passive) == set()
    assert site.active_units(active) == {"APACHE", "ORCHESTRATOR"}


def test_a_power_loss_loses_no_row(site: Site) -> None:
    """The active host's power goes: the peer's MySQL recovers, and has every acknowledged row."""
    active, passive = site.up()
    wait_for(lambda: site.status(passive)["role"] == "passive", 15, "the peer is there")
    active.power_off()
    began = time.monotonic()
    site.wait_rows(passive, timeout_s=TAKEOVER_S + RECOVERY_S)
    print(f"rows again after {time.monotonic() - began:.1f} s")
    assert published(passive) == passive.address
    assert site.lost(passive) == set()
    active.boot()
    site.wait_role(active, "passive", 60)
    site.wait_rows(active)
    assert published(active) == passive.address
    assert site.active_units(active) == {"APACHE", "ORCHESTRATOR"}


def test_a_restarted_daemon_restarts_no_unit(site: Site) -> None:
    """`systemctl restart` and `kill -9`, on both hosts: every unit goes on, rows all the while."""
    active, passive = site.up()
    before = {host.name: site.invocations(host) for host in (active, passive)}
    epoch, began = site.status(active)["epoch"], len(site.rows(active))
    for host in (active, passive):
        host.exec(["systemctl", "restart", "acmd"])
    site.wait_rows(active, passive)
    for host in (active, passive):
        host.exec(["systemctl", "kill", "-s", "KILL", "--kill-who=main", "acmd"])
    time.sleep(14)  # beyond D of what the killed one had
    site.wait_rows(active, passive)
    assert {host.name: site.invocations(host) for host in (active, passive)} == before
    assert (site.status(active)["role"], site.status(active)["epoch"]) == ("active", epoch)
    assert len(site.rows(active)) > began
    print(f"longest time between two rows: {site.longest_gap_s(active):.2f} s")
    assert site.longest_gap_s(active) < GAP_S


def test_a_killed_server_and_one_that_hangs(site: Site) -> None:
    """MySQL killed: it starts again at once, under the same lease. SIGSTOP: its probe restarts it."""
    active, passive = site.up()
    epoch = site.status(active)["epoch"]
    for number in ("KILL", "STOP"):
        time.sleep(PROVEN_S)
        before = site.invocations(active)["mariadb.service"]
        active.exec(["systemctl", "kill", "-s", number, "--kill-who=main", "mariadb"])
        wait_for(
            lambda before=before: site.invocations(active)["mariadb.service"] not in {"", before},  # type: ignore[misc]
            90,
            f"another run after SIG{number}; {site.says()}",
        )
        site.wait_rows(active, passive)
    assert (site.status(active)["role"], site.status(active)["epoch"]) == ("active", epoch)
    assert site.lost(active) == set()


def test_a_server_that_cannot_be_kept_up(site: Site) -> None:
    """MySQL that dies at each start spends its budget: the peer takes over, with the reason in the log."""
    site.extra = "restart = { max_restarts = 1 }\n"
    active, passive = site.up()
    wait_for(lambda: site.status(passive)["role"] == "passive", 15, "the peer is there")
    active.push(
        "/etc/systemd/system/mariadb.service.d/broken.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n"
    )
    active.exec("systemctl daemon-reload; systemctl kill -s KILL mariadb")
    site.wait_role(passive, "active", 60)
    site.wait_rows(passive)
    assert "a service cannot be kept up here; hands over" in active.journal("acmd")
    assert site.lost(passive) == set()


def test_the_interlock(site: Site) -> None:
    """A MySQL that answers on the host that released: the peer is blocked and says so, until it is gone."""
    site.extra = "[interlock]\nmysql = true\nport = 3307\n"
    active, passive = site.up()
    wait_for(lambda: site.status(passive)["role"] == "passive", 15, "the peer is there")
    active.exec("cp -a /var/lib/mysql /var/lib/other")
    active.exec(["systemd-run", "--unit=leftover", *LEFTOVER])
    wait_for(lambda: ":3307 " in active.exec(["ss", "-ltn"]).stdout, 20, "the leftover server")
    active.exec(["systemctl", "stop", "acmd"], timeout_s=90)
    wait_for(lambda: site.status(passive)["reason_code"] == "interlock", 10, site.says())
    said = f"a MySQL server answers at {active.address} port 3307"
    wait_for(lambda: said in json.dumps(site.status(passive)["nodes"]), 10, site.says())
    time.sleep(5)
    assert site.status(passive)["role"] == "passive"
    active.exec(["systemctl", "stop", "leftover"])
    site.wait_role(passive, "active", 30)
    site.wait_rows(passive)
    assert said in passive.journal("acmd")


def test_without_pid_1s_word_the_host_resets(site: Site) -> None:
    """PID 1 and the daemon hang: MySQL is killed at K, nobody says that no job is left, the host resets."""
    active, passive = site.up()
    wait_for(lambda: site.status(passive)["role"] == "passive", 15, "the peer is there")
    daemon, leader = main_pid(active), inside.leader(active.cgroup)
    assert leader is not None
    os.kill(leader, signal.SIGSTOP)
    active.exec(["kill", "-STOP", str(daemon)])
    stopped = time.monotonic()
    wait_for(lambda: inside.leader(active.cgroup) != leader, 20, "the reset")
    assert KILL_S - 1.0 < time.monotonic() - stopped < RESET_S + 1.0
    site.wait_rows(passive, timeout_s=TAKEOVER_S + RECOVERY_S)
    assert site.lost(passive) == set()


def own_line(site: Site, host: Host) -> dict[str, Any]:
    """The host's own line in its status."""
    nodes: list[dict[str, Any]] = site.status(host)["nodes"]
    return next(node for node in nodes if node["name"] == host.name)


def test_a_masked_unit_and_dead_data_make_unfit(site: Site) -> None:
    """A passive node whose MySQL is masked, or whose data cannot be written, is no candidate, and says so."""
    _, passive = site.up()
    wait_for(lambda: own_line(site, passive)["fit"], 30, site.says())
    for breaks, mends, said in (
        (
            "systemctl mask --runtime mariadb",
            "systemctl unmask --runtime mariadb",
            "mariadb.service is masked",
        ),
        (
            "mount -t tmpfs -o ro none /shared/mysql",
            "umount /shared/mysql",
            "it is mounted read-only",
        ),
    ):
        passive.exec(breaks)
        wait_for(lambda said=said: said in own_line(site, passive)["unfit_because"], 40, site.says())  # type: ignore[misc]
        assert not own_line(site, passive)["fit"]
        passive.exec(mends)
        wait_for(lambda: own_line(site, passive)["fit"], 40, site.says())


def test_the_guard_has_pid_1s_word(host: Host) -> None:
    """Every test of inside_jobs.py passes on a host with a real systemd."""
    said = host.run_pytest("tests/hosts/inside_jobs.py", timeout_s=120).stdout
    assert " passed" in said
