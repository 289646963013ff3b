"""Tutorial and how-tos, word for word: their commands on hosts that have nothing of acmd but its package."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.bed import Bed
from tests.hosts.image import REPO, Template
from tests.hosts.network import SUBNET
from tests.hosts.packaged import bare
from tests.hosts.pages import LIMIT_S, Pages
from tests.hosts.witness import wait_for

FENCE = (REPO / "tests/campaign/fence.py").read_bytes()
POWER_SWITCH = """#!/bin/sh
printf 'action=off\\nplug=%s\\n' "$4" | python3 /opt/fence.py /witness
"""


@pytest.fixture(scope="module")
def pages(template: Template, deb: Path) -> Iterator[Pages]:
    """Three hosts with the package in /root; the tutorial was followed on two of them."""
    with Bed(["a", "b", "c"], template=bare(template)) as bed:
        for host in bed.hosts:
            host.push(f"/root/{deb.name}", deb.read_bytes())
        made = Pages(bed)
        began = time.monotonic()

        def before(script: str) -> None:
            if "switchover" in script:
                wait_for(lambda: made.settled("a", "b") and made.page("a"), 90, "it runs on a, and b is fit")

        made.follow("tutorial.md", before)
        made.took_s = time.monotonic() - began
        made.configurations = {name: bed[name].read("/etc/acmd/acmd.toml") for name in "ab"}
        yield made


def test_tutorial(pages: Pages) -> None:
    """In under ten minutes there are MariaDB and the application on the active node, and Apache on both."""
    assert pages.took_s < LIMIT_S
    pages.begin()
    wait_for(lambda: pages.page("a"), 90, "the application on a")
    assert pages.bed["a"].exec(["mariadb", "-N", "-e", "select 1"]).stdout.strip() == "1"
    for name in "ab":
        assert pages.bed[name].exec(["systemctl", "is-active", "apache2"]).stdout.strip() == "active"


def test_maintenance(pages: Pages) -> None:
    """Each kind of it, with the application running to its end, and nothing left disabled."""
    pages.begin()
    seen: list[str] = []

    def before(script: str) -> None:
        if "disable --all" in script or "detach" in script or "pause" in script:
            wait_for(lambda: pages.settled("b", "a"), 90, "b is active, a could take over")
            seen.append(pages.process("b"))
        if script.startswith("acmd enable\n"):
            told = lambda: pages.status("b")["maintenance"]["nodes"].get("a")  # noqa: E731
            assert wait_for(told, 20, "b has read it")["reason"] == "new kernel"
        if "enable --all" in script or "start acmd" in script:
            assert pages.process("b") == seen[-1]
            assert pages.status("a")["maintenance"]["all"]["reason"] in {"file server", "new configuration"}
        if "start acmd" in script:
            assert pages.bed["b"].exec("systemctl is-active acmd", check=False).stdout.strip() == "inactive"

    said = pages.follow("howto/maintenance.md", before)
    assert "a is disabled: it will not take over. Active: b. It ends by itself at" in said[0]
    assert "application is paused" in said[-1]
    assert "application is looked after again" in said[-1]
    assert "application is running" in said[-1]
    wait_for(lambda: pages.settled("b", "a"), 60, "everything is as before")
    assert len(set(seen)) == 1  # only the last step restarts it
    assert pages.process("b") not in ("", seen[-1])
    maintenance = pages.status("b")["maintenance"]
    assert (maintenance["all"], maintenance["nodes"]) == (None, {})


def test_upgrade(pages: Pages) -> None:
    """The same process of the application, the same epoch, and daemons that are new."""
    pages.begin()
    epoch, process = pages.status("a")["epoch"], pages.process("a")
    daemons = {name: pages.status(name)["pid"] for name in "ab"}
    said = pages.follow("howto/upgrade.md")
    assert sum("active\n" in one for one in said) >= 2
    wait_for(lambda: pages.settled("a", "b"), 60, "everything is as before")
    assert (pages.status("a")["epoch"], pages.process("a")) == (epoch, process)
    assert all(pages.status(name)["pid"] != pid for name, pid in daemons.items())


def test_load_balancer(pages: Pages, tmp_path: Path) -> None:
    """200 from the active node and 503 from the other; the services ran on; HAProxy takes the example."""
    pages.begin()
    process = pages.process("a")

    def before(script: str) -> None:
        if "curl" in script:
            wait_for(lambda: pages.settled("a", "b"), 60, "a is active")

    assert pages.follow("howto/load-balancer.md", before)[-1].split() == ["200", "503"]
    assert pages.process("a") == process
    text = (REPO / "docs/howto/load-balancer.md").read_text(encoding="utf-8")
    example = text.partition("<!-- haproxy -->\n```\n")[2].partition("```")[0]
    file = tmp_path / "haproxy.cfg"
    file.write_text(example)
    assert "listen web" in example
    try:
        said = pages.bed.network.client(["haproxy", "-c", "-f", str(file)])
    except FileNotFoundError:
        pytest.skip("needs Debian's package haproxy")
    assert said.returncode == 0, said.stderr


def test_services(pages: Pages) -> None:
    """A new command starts at once, a new address with the switchover; their stops were measured."""
    pages.begin()
    process = pages.process("a")
    ran: list[str] = []

    def before(script: str) -> None:
        if "switchover" in script and not ran:
            wait_for(lambda: pages.status("b").get("guard", {}).get("outdated") is False, 90, "b's guard")
            wait_for(lambda: all(node["fit"] for node in pages.status("a")["nodes"]), 90, "both are fit")
            wait_for(lambda: pages.page("a", 8090), 60, "a command starts at once")
            assert f"{SUBNET}.100/" not in pages.bed["a"].exec(["ip", "-4", "address"]).stdout
            ran.append(pages.process("a"))
        elif "switchover" in script:
            wait_for(lambda: pages.settled("b", "a") and pages.page("b", 8090), 90, "all run")
            assert f"{SUBNET}.100/" in pages.bed["b"].exec(["ip", "-4", "address"]).stdout
            ran.append(pages.process("b"))
        elif ran:
            wait_for(lambda: pages.settled("a", "b"), 90, "back")

    try:
        said = pages.follow("howto/services.md", before)
    finally:  # as the page says of taking a service out
        for name in ("address", "queue"):
            pages.bed["a"].exec(["acmd", "service", "stop", name], check=False)
    assert ran[0] == process
    for name, checked in (("queue", said[-3]), ("address", said[-2])):  # the address has stopped on b only
        assert re.search(rf"OK +{name} took [0-9.]+ s to stop at most", checked), checked


def test_nodes(pages: Pages) -> None:
    """c joins and is fit; b leaves and is forgotten; the services never stopped."""
    pages.begin()
    process = pages.process("a")

    def before(script: str) -> None:
        if "disable --reason" in script:
            wait_for(lambda: pages.settled("a", "c"), 60, "c could take over")
        if "forget" in script:
            wait_for(lambda: names(pages.status("a"), "unknown") == {"b"}, 60, "b is not heard")

    try:
        pages.follow("howto/nodes.md", before)
        wait_for(lambda: "b" not in names(pages.status("a")), 30, "b is forgotten")
        assert pages.settled("a", "c")
        assert pages.process("a") == process
    finally:
        pages.bed["c"].exec(["systemctl", "disable", "--now", "acmd"], timeout_s=90)
        pages.bed["b"].exec(["systemctl", "enable", "--now", "acmd"], timeout_s=90)
    wait_for(lambda: pages.settled("a", "b"), 60, "b is back, as a node that was forgotten")
    wait_for(lambda: names(pages.status("a"), "unknown") == {"c"}, 60, "c is not heard")
    pages.bed["a"].exec(["acmd", "forget", "c", "--yes"])


def names(shown: dict[str, Any], role: str = "") -> set[str]:
    """The nodes of a status, those with a role or all."""
    return {node["name"] for node in shown.get("nodes", []) if role in ("", node["role"])}


@contextmanager
def power_switch(bed: Bed) -> Iterator[None]:
    """Answers the agents' orders: switches a host off, then says so."""
    over = threading.Event()

    def answer() -> None:
        while not over.wait(0.05):
            for order in bed.witness.glob("*.order"):
                bed[order.read_text().strip()].power_off()
                order.rename(order.with_suffix(".done"))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def with_agent(pages: Pages, snippet: str) -> None:
    """The agent of the page on both hosts, with the bed as its power switch; not in force yet."""
    for name in "ab":
        pages.bed[name].push("/opt/fence.py", FENCE)
        pages.bed[name].push("/usr/local/bin/power-switch", POWER_SWITCH, 0o755)
        pages.bed[name].push("/etc/acmd/acmd.toml", f"{pages.configurations[name]}\n{snippet}", 0o600)
    assert pages.files("howto/fencing.md", "a", "b") == ["/usr/local/sbin/power-off"]


def test_fencing(pages: Pages) -> None:
    """The agent switches b off by hand and by acmd's order, its word is believed, and services stay."""
    pages.begin()
    process = pages.process("a")
    with_agent(pages, pages.snippets("howto/fencing.md")[-1])
    b = pages.bed["b"]

    def before(script: str) -> None:
        if "config check" in script:
            assert not b.is_on()
            b.boot()
        if "config check" in script or "fence b" in script:
            wait_for(lambda: pages.settled("a", "b"), 60, "all is well")

    try:
        with power_switch(pages.bed):
            said = pages.follow("howto/fencing.md", before, "Try it")
        assert not b.is_on()
        assert (
            sum("fence agent /usr/local/sbin/power-off can be run; policy best_effort" in one for one in said)
            == 2
        )
        assert pages.process("a") == process
        assert pages.status("a")["fencing"]["confirmed"]
    finally:
        if not b.is_on():
            b.boot()


def test_fencing_that_fails(pages: Pages) -> None:
    """`required`, and nobody at the power switch: nothing runs until a person says that b is off."""
    pages.begin()
    with_agent(pages, pages.snippets("howto/fencing.md")[-1].replace("best_effort", "required"))
    for name in "ba":
        pages.bed[name].push("/usr/local/bin/power-switch", "#!/bin/sh\nexit 1\n", 0o755)
        pages.bed[name].exec(["systemctl", "restart", "acmd"], timeout_s=60)
    wait_for(lambda: pages.settled("a", "b"), 60, "all is well")
    pages.bed["a"].exec(["acmd", "switchover"], timeout_s=150)
    wait_for(lambda: pages.settled("b", "a"), 60, "b is active")
    pages.bed["b"].power_off()

    def waits() -> bool:
        return "could not confirm that b is off" in pages.bed["a"].exec("acmd status", check=False).stdout

    try:
        wait_for(waits, 60, "a waits and says so")
        assert pages.process("a") == ""
        pages.follow("howto/fencing.md", heading="The agent fails")
        wait_for(lambda: pages.role("a") == "active" and pages.page("a"), 60, "it runs on a")
    finally:
        pages.bed["b"].boot()
