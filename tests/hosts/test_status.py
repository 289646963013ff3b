"""`acmd status` on hosts, in the situations that its warnings speak of: the words, the remedy as printed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.storage import faultfs_available
from tests.hosts.witness import wait_for

SAID_S = 30.0
NO_GUARD = "/run/systemd/system/acmd-guard.service.d"


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


def page(host: Host) -> str:
    """What a person sees there."""
    return host.exec([ACMD, "status"], check=False, timeout_s=30).stdout


def warnings(host: Host) -> list[str]:
    """Each warning with its remedy, on one line."""
    found: list[str] = []
    for line in page(host).splitlines():
        if re.match(r"ALARM|WARN|NOTE", line):
            found.append(line)
        elif found and line.lstrip().startswith("-> "):
            found[-1] += f" {line.strip()}"
    return found


def quiet(host: Host) -> None:
    """Until nothing is left to warn of."""
    wait_for(lambda: not warnings(host) and "active" in page(host), 60, f"quiet on {host.name}")


def said(host: Host, words: str) -> str:
    """The warning that has these words, once it is there; its remedy with it."""
    found = wait_for(lambda: [line for line in warnings(host) if words in line], SAID_S, words)
    assert "-> " in found[0]
    return found[0].partition("-> ")[2]


def follow(host: Host, remedy: str) -> None:
    """Run the command that the remedy names first."""
    command = re.search(r"`?((?:acmd|systemctl) [^`;]+)", remedy)
    assert command is not None, remedy
    host.exec(
        command[1].strip().replace("acmd ", f"{ACMD} ", 1) if command[1].startswith("acmd") else command[1]
    )


def test_maintenance(pair_of_nodes: tuple[Host, Host]) -> None:
    """A disabled node, and a disabled cluster: on both hosts, with who and why; the remedy ends it."""
    active, passive = pair_of_nodes
    active.exec([ACMD, "disable", "--node", passive.name, "--reason", "new disks"])
    said(passive, f"{passive.name} is disabled, by root")
    remedy = said(active, f"{passive.name} is disabled, by root")
    assert any("new disks" in line for line in warnings(active))
    assert any(f"no node could take over from {active.name}" in line for line in warnings(active))
    follow(active, remedy)
    quiet(active)
    active.exec([ACMD, "disable", "--all", "--reason", "file server"])
    said(passive, "the whole cluster is disabled, by root")
    follow(active, said(active, "the whole cluster is disabled, by root"))
    quiet(active)
    quiet(passive)


def test_a_service_that_is_held(pair_of_nodes: tuple[Host, Host]) -> None:
    """Stopped by an operator: said on both hosts, and given back by the remedy."""
    active, passive = pair_of_nodes
    active.exec([ACMD, "service", "stop", "witness", "--reason", "looking at it"])
    said(passive, f"service witness on {active.name} is stopped")
    remedy = said(active, f"service witness on {active.name} is stopped")
    follow(active, remedy.partition(": ")[2])
    quiet(active)


def test_a_daemon_that_does_not_run(pair_of_nodes: tuple[Host, Host]) -> None:
    """Its own host says what to start, the other one that nobody was heard there."""
    active, passive = pair_of_nodes
    passive.exec(["systemctl", "stop", "acmd"], timeout_s=60)
    said(active, f"{passive.name} was not heard")
    follow(passive, said(passive, "the acmd daemon does not run on this host"))
    quiet(passive)
    quiet(active)


def test_a_guard_that_is_missing(pair_of_nodes: tuple[Host, Host]) -> None:
    """The passive node says that it cannot become active."""
    active, passive = pair_of_nodes
    broken = "[Service]\\nExecStart=\\nExecStart=/bin/sleep 1000\\n"
    passive.exec(f"mkdir -p {NO_GUARD}; printf '{broken}' > {NO_GUARD}/a.conf; systemctl daemon-reload")
    passive.exec("systemctl kill -s KILL --kill-who=main acmd-guard")
    said(passive, "the guard (the dead man's switch) does not answer")
    passive.exec(f"rm -r {NO_GUARD}; systemctl daemon-reload; systemctl kill -s KILL acmd-guard", check=False)
    quiet(passive)
    quiet(active)


def test_storage_that_is_gone(pair_of_nodes: tuple[Host, Host]) -> None:
    """The passive node names the directory and where to look; back again, all is quiet."""
    active, passive = pair_of_nodes
    passive.shared.stop()
    try:
        assert "findmnt" in said(passive, "the shared directory /shared/acm/acmd does not work")
        said(active, f"{passive.name} was not heard")
    finally:
        passive.shared.go_on()
    quiet(passive)
    quiet(active)
