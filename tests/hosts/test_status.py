"""`acmd status` while people work on a cluster: maintenance, services by hand, daemons and guards down.

Each warning is said where it helps, and its remedy, followed as printed, ends it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from acmd.core.decision import Reason
from acmd.display.schema import json_schema
from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.status_kit import because, checked, follow, over, quiet, said, status, warnings
from tests.hosts.storage import faultfs_available

NO_GUARD = "/run/systemd/system/acmd-guard.service.d"
VERSION = "/opt/acmd/venv/lib/python3*/site-packages/acmd/__init__.py"
CONFIG = "/etc/acmd/acmd.toml"


@pytest.fixture(scope="module")
def pair_of_nodes(template: Template) -> Iterator[tuple[Host, Host]]:
    """The active and the passive host, with storage that can go away."""
    if not faultfs_available():
        pytest.skip("without pyfuse3 no storage can be taken away")
    with Bed(["alpha", "beta"], storage="faultfs", template=template) as bed:
        active, passive = Cluster(bed, profile="standard").start()
        quiet(active)
        quiet(passive)
        yield active, passive


def test_all_is_well(pair_of_nodes: tuple[Host, Host]) -> None:
    """Why a node is active, and why the other one is not; no warning, exit code 0."""
    active, passive = pair_of_nodes
    because(active, Reason.HOLDING)
    because(passive, Reason.FOLLOWING)
    assert [status(host)["exit_code"] for host in pair_of_nodes] == [0, 0]
    checked(active, "nodes", "OK")
    assert json.loads(active.exec([ACMD, "status", "--schema"]).stdout) == json_schema()


def test_maintenance(pair_of_nodes: tuple[Host, Host]) -> None:
    """A disabled node, and a disabled cluster: on both hosts, with who and why; the remedy ends it."""
    active, passive = pair_of_nodes
    active.exec([ACMD, "disable", "--node", passive.name, "--reason", "new disks"])
    said(passive, "disabled", f"{passive.name} is disabled, by root")
    because(passive, Reason.DISABLED)
    remedy = said(active, "disabled", "new disks")
    said(active, "nobody else", active.name)
    follow(active, remedy)
    quiet(active)
    active.exec([ACMD, "disable", "--all", "--reason", "file server"])
    said(passive, "all disabled", "by root")
    because(passive, Reason.ALL_DISABLED)
    because(active, Reason.DETACHED)
    follow(active, said(active, "all disabled", "file server"))
    quiet(active)
    quiet(passive)


def test_a_service_that_is_held(pair_of_nodes: tuple[Host, Host]) -> None:
    """Stopped by an operator: said on both hosts, and given back by the remedy."""
    active, passive = pair_of_nodes
    active.exec([ACMD, "service", "stop", "witness", "--reason", "looking at it"])
    said(passive, "held", f"witness on {active.name} is stopped by root")
    follow(active, said(active, "held", "looking at it"))
    quiet(active)


def test_a_daemon_that_does_not_run(pair_of_nodes: tuple[Host, Host]) -> None:
    """Its own host says what to start, the other one that nobody was heard there.

    Forgotten, it is missed no more; started again, with another version, it is known again.
    """
    active, passive = pair_of_nodes
    passive.exec(["systemctl", "stop", "acmd"], timeout_s=60)
    said(passive, "no daemon")
    remedy = said(active, "silent", f"{passive.name} was not heard for")
    checked(active, "nodes", "KO")
    said(active, "nobody else")
    follow(active, remedy, "yes")
    over(active, "silent")
    assert "start acmd on the other node" in said(active, "alone")
    passive.exec(f"sed -i \"s/^__version__ = .*/__version__ = '9.9'/\" {VERSION}")
    follow(passive, said(passive, "no daemon"))
    try:
        said(active, "versions", f"{passive.name} 9.9")
        said(passive, "versions", f"{passive.name} 9.9")
        checked(active, "versions", "WARN")
    finally:
        passive.exec(f"sed -i \"s/^__version__ = .*/__version__ = '{own_version(active)}'/\" {VERSION}")
        passive.exec(["systemctl", "restart", "acmd"], timeout_s=90)
    quiet(passive)
    quiet(active)


def own_version(host: Host) -> str:
    """Of its daemon."""
    return str(status(host)["version"])


def test_a_guard_that_is_missing(pair_of_nodes: tuple[Host, Host]) -> None:
    """The passive node says that it cannot become active, and the active one that nobody could take over."""
    active, passive = pair_of_nodes
    broken = "[Service]\\nExecStart=\\nExecStart=/bin/sleep 1000\\n"
    passive.exec(f"mkdir -p {NO_GUARD}; printf '{broken}' > {NO_GUARD}/a.conf; systemctl daemon-reload")
    passive.exec("systemctl kill -s KILL --kill-who=main acmd-guard")
    assert "systemctl status acmd-guard" in said(passive, "no guard")
    because(passive, Reason.GUARD_MISSING)
    checked(passive, "guard", "KO")
    said(active, "unfit", f"{passive.name} is not fit to run the services: its guard does not answer")
    passive.exec(f"rm -r {NO_GUARD}; systemctl daemon-reload; systemctl kill -s KILL acmd-guard", check=False)
    quiet(passive)
    quiet(active)


def test_a_watchdog_that_is_missing(pair_of_nodes: tuple[Host, Host]) -> None:
    """Required, and there is no such device: said on both hosts, and once only."""
    active, passive = pair_of_nodes
    before = passive.read(CONFIG)
    wanted = 'last_resort = "reset"\nwatchdog = "required"\nwatchdog_device = "/dev/no-such-dog"'
    passive.push(CONFIG, before.replace('last_resort = "reset"', wanted))
    passive.exec(["systemctl", "restart", "acmd"], timeout_s=90)
    remedy = said(passive, "watchdog")
    assert len([one for one in warnings(passive) if "watchdog" in one.what]) == 1
    because(passive, Reason.WATCHDOG_MISSING)
    checked(passive, "guard", "KO")
    over(passive, "guard")
    said(active, "unfit", "the watchdog that it requires is missing")
    said(active, "nobody else")
    passive.push(CONFIG, before)  # as it says: without any, off; and restarted
    follow(passive, remedy, number=1)
    quiet(passive)
    quiet(active)


def test_storage_that_is_slow(pair_of_nodes: tuple[Host, Host]) -> None:
    """A renewal that is late is said on the other host; the own one has an alarm before the lease is lost."""
    active, passive = pair_of_nodes
    active.shared.stop()
    try:
        said(passive, "late", f"the lease of {active.name}", limit_s=5)
        assert "look at its mount" in said(active, "about to be lost", limit_s=5)
    finally:
        active.shared.go_on()
    quiet(active)
    quiet(passive)
    assert status(active)["role"] == "active"
