"""Tutorial and how-tos, word for word: their commands on hosts that have nothing of acmd but its package.

A step is a block of sh below `<!-- on a -->` or `<!-- on b and a -->`, run in that order.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.bed import Bed
from tests.hosts.image import REPO, Template
from tests.hosts.network import SUBNET
from tests.hosts.packaged import bare
from tests.hosts.witness import wait_for

STEP = re.compile(r"<!-- on ([abc](?: and [abc])*) -->\n```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Their exit code says more than whether they worked.
LOOKS = re.compile(r"^(acmd (?:status|check)\b.*)$", re.MULTILINE)
HERE = {"192.0.2.": f"{SUBNET}.", "eth0": "host0"}  # addresses and cards of the bed in the pages' place
LIMIT_S = 600.0
FENCE = (REPO / "tests/campaign/fence.py").read_bytes()
AGENT = "#!/bin/sh\nexec python3 /opt/fence.py /witness\n"


@dataclass(slots=True)
class Pages:
    """Hosts a, b and c, and what a reader does on them."""

    bed: Bed
    took_s: float = 0.0
    configurations: dict[str, str] = field(default_factory=dict)

    def follow(self, page: str, before: Callable[[str], None] = lambda _: None) -> list[str]:
        """All steps of a page in order; what each said. `before` is called with each step's script."""
        text = (REPO / "docs" / page).read_text(encoding="utf-8")
        steps = STEP.findall(text)
        assert steps
        said = []
        for where, written in steps:
            script = written
            for theirs, ours in HERE.items():
                script = script.replace(theirs, ours)
            before(script)
            for name in where.split(" and "):
                words = "set -e\n" + LOOKS.sub(r"\1 || true", script)
                said.append(self.bed[name].exec(words, timeout_s=300).stdout)
        return said

    def status(self, name: str) -> dict[str, Any]:
        """What it says of itself; {} when it did not."""
        said = self.bed[name].exec(["acmd", "status", "--json"], check=False).stdout
        found: dict[str, Any] = json.loads(said) if said.startswith("{") else {}
        return found

    def role(self, name: str) -> str:
        """Its role by its own word."""
        return str(self.status(name).get("role", ""))

    def settled(self, active: str, other: str) -> bool:
        """As the pages say: an active node whose services run, and a passive one that could take over."""
        shown = self.status(active)
        rows = {node["name"]: node for node in shown.get("nodes", [])}
        if shown.get("role") != "active" or other not in rows or rows[other]["role"] != "passive":
            return False
        return rows[other]["fit"] and all(one["state"] == "running" for one in rows[active]["services"])

    def begin(self) -> None:
        """Everything as the tutorial has it, with a active."""
        for name, text in self.configurations.items():
            if self.bed[name].read("/etc/acmd/acmd.toml") != text:
                self.bed[name].push("/etc/acmd/acmd.toml", text, 0o600)
                self.bed[name].exec(["systemctl", "restart", "acmd"], timeout_s=120)
        wait_for(lambda: self.settled("a", "b") or self.settled("b", "a"), 90, "both nodes are well")
        if self.role("b") == "active":
            self.bed["b"].exec(["acmd", "switchover"], timeout_s=150)
            wait_for(lambda: self.settled("a", "b"), 90, "a is active")

    def page(self, name: str, port: int = 8080) -> bool:
        """Whether the application answers there."""
        asks = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/', timeout=5).read())"
        return "hello" in self.bed[name].exec(["python3", "-c", asks], check=False).stdout

    def process(self, name: str) -> str:
        """The application's process there, "" without."""
        return self.bed[name].exec(["pgrep", "-f", "http.server 8080"], check=False).stdout.strip()


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
        if "enable --all" in script:
            assert pages.process("b") == seen[-1]

    pages.follow("howto/maintenance.md", before)
    wait_for(lambda: pages.settled("b", "a"), 60, "everything is as before")
    assert len(set(seen)) == 1  # only the last step restarts it
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
    """The new services run beside the old ones, move with them, and their stops were measured."""
    pages.begin()
    process = pages.process("a")
    ran: list[str] = []

    def before(script: str) -> None:
        if "switchover" in script:
            active, other = ("a", "b") if not ran else ("b", "a")
            wait_for(lambda: pages.settled(active, other) and pages.page(active, 8090), 90, "all run")
            assert f"{SUBNET}.100/" in pages.bed[active].exec(["ip", "-4", "address"]).stdout
            ran.append(pages.process(active))
        elif ran:
            wait_for(lambda: pages.settled("a", "b"), 90, "back")

    try:
        said = pages.follow("howto/services.md", before)
    finally:  # as the page says of taking a service out
        for name in ("address", "queue"):
            pages.bed["a"].exec(["acmd", "service", "stop", name], check=False)
    assert ran[0] == process
    for name in ("queue", "address"):
        assert re.search(rf"OK +{name} took [0-9.]+ s to stop at most", said[-1]), said[-1]


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


def test_fencing(pages: Pages) -> None:
    """The agent of the configuration switches b off, and its word is believed; the services stay."""
    pages.begin()
    process = pages.process("a")
    policy = '[fencing]\npolicy = "best_effort"\nagent = ["/usr/local/sbin/power-off"]\n'
    for name in "ab":
        host = pages.bed[name]
        host.push("/opt/fence.py", FENCE)
        host.push("/usr/local/sbin/power-off", AGENT, 0o755)
        host.push("/etc/acmd/acmd.toml", f"{pages.configurations[name]}\n{policy}", 0o600)

    def before(script: str) -> None:
        if "fence b" in script:
            wait_for(lambda: pages.settled("a", "b"), 60, "all is well")

    with power_switch(pages.bed):
        said = pages.follow("howto/fencing.md", before)
    try:
        assert not pages.bed["b"].is_on()
        assert any(
            "fence agent /usr/local/sbin/power-off can be run; policy best_effort" in one for one in said
        )
        assert pages.process("a") == process
        assert pages.status("a")["fencing"]["confirmed"]
    finally:
        if not pages.bed["b"].is_on():
            pages.bed["b"].boot()
