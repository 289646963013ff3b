"""The tutorial, word for word: its commands make a cluster out of two fresh hosts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import REPO, Template
from tests.hosts.packaged import bare, package
from tests.hosts.witness import wait_for

pytestmark = pytest.mark.hosts

STEP = re.compile(r"<!-- on (a|b|a and b) -->\n```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
LIMIT_S = 600.0


@pytest.fixture
def fresh(template: Template) -> Iterator[Bed]:
    """Two hosts with a package in /root, and nothing else of acmd."""
    deb = package("deb", "0.1.0")
    with Bed(["alpha", "beta"], template=bare(template)) as bed:
        for host in bed.hosts:
            host.push(f"/root/{deb.name}", deb.read_bytes())
        yield bed


def status(host: Host) -> dict[str, Any]:
    """What it says of itself; {} when it did not."""
    said = host.exec(["acmd", "status", "--json"], check=False).stdout
    found: dict[str, Any] = json.loads(said) if said.startswith("{") else {}
    return found


def role(host: Host) -> str:
    """Its role by its own word."""
    return str(status(host).get("role", ""))


def ready(active: Host, other: Host) -> bool:
    """As the page says: an active node, and a passive one that could take over."""
    nodes = status(active).get("nodes", [])
    return any(node["name"] == other.name and node["role"] == "passive" and node["fit"] for node in nodes)


def test_tutorial_word_for_word(fresh: Bed) -> None:
    """Its commands, in order, end with everything on b, in under ten minutes."""
    began = time.monotonic()
    hosts = dict(zip("ab", fresh.hosts, strict=True))
    steps = STEP.findall(Path(REPO / "docs/tutorial.md").read_text(encoding="utf-8"))
    assert steps
    for where, script in steps:
        if "switchover" in script:
            wait_for(lambda: ready(hosts["a"], hosts["b"]), 90, "a has heard b, and b is fit")
            wait_for(lambda: b"hello" in page(hosts["a"]), 90, "the application on a")
        for name in where.split(" and "):
            # Status ends with 1 while a node is still starting.
            words = script.strip() != "acmd status"
            hosts[name].exec(f"set -e\n{script}", timeout_s=300, check=words)
    wait_for(lambda: role(hosts["b"]) == "active", 90, "b active")
    wait_for(lambda: b"hello" in page(hosts["b"]), 90, "the application on b")
    assert hosts["b"].exec(["mariadb", "-N", "-e", "select 1"]).stdout.strip() == "1"
    for host in hosts.values():
        assert host.exec(["systemctl", "is-active", "apache2"]).stdout.strip() == "active"
    assert time.monotonic() - began < LIMIT_S


def page(host: Host) -> bytes:
    """What the application says."""
    asks = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/', timeout=5).read().decode())"
    return host.exec(["python3", "-c", asks], check=False).stdout.encode()
