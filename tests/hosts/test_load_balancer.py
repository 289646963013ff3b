"""HAProxy in front of two hosts with acmd from its package, through a power loss and back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon.balancer import NEEDS_HAPROXY, Balancer
from tests.hosts.bed import Bed
from tests.hosts.cluster import TAKEOVER_S
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.network import SUBNET
from tests.hosts.packaged import Packaged, bare
from tests.hosts.witness import NS_PER_S, wait_for

pytestmark = NEEDS_HAPROXY
FRONT = f"{SUBNET}.254:80"
HEALTH, WEB = 8808, 8080
SLACK_S = 3.0  # a Python web server that starts, and a check each 0.2 s

# Asks again and again and says when it got which answer.
CLIENT = f"""
import time, urllib.request
while True:
    try:
        with urllib.request.urlopen("http://{FRONT}/", timeout=2) as answer:
            print(time.monotonic_ns(), answer.read().decode().strip(), flush=True)
    except OSError:
        print(time.monotonic_ns(), "-", flush=True)
    time.sleep(0.05)
"""


class WithPage(Packaged):
    """A cluster with a web server on the active node, and health endpoints for everybody."""

    def config(self, host: Host) -> str:
        """The host's configuration."""
        command = f'["/usr/bin/python3", "-m", "http.server", "{WEB}", "--directory", "/srv/page"]'
        return (
            Packaged.config(self, host)
            + f'\n[http]\nlisten = "{host.address}:{HEALTH}"\n\n[[service]]\nname = "web"\nkind = "command"\n'
            + f"command = {command}\n"
        )

    def install(self) -> None:
        """And the page, which says whose it is."""
        Packaged.install(self)
        for host in self.bed.hosts:
            host.push("/srv/page/index.html", host.name)


@pytest.fixture
def cluster(template: Template, deb: Path) -> Iterator[WithPage]:
    """Two hosts; the first is active, the other could take over."""
    with Bed(["alpha", "beta"], template=bare(template)) as bed:
        yield WithPage(bed, deb=deb)


@contextmanager
def asking(cluster: WithPage, file: Path) -> Iterator[None]:
    """A client that asks all the time."""
    with file.open("wb") as out:
        client = subprocess.Popen(
            cluster.bed.network.client_command([sys.executable, "-c", CLIENT]), stdout=out
        )
        try:
            yield
        finally:
            client.terminate()
            client.wait(10)


def answers(file: Path) -> list[tuple[int, str]]:
    """When, and by which host."""
    lines = (line.split() for line in file.read_text().splitlines())
    return [(int(words[0]), words[1]) for words in lines if len(words) == 2 and words[1] != "-"]


def test_through_a_power_loss(cluster: WithPage, tmp_path: Path) -> None:
    """Answers come from one host, then from the other, never mixed; the gap is that of the takeover.

    The host that comes back is no second server.
    """
    active, passive = cluster.start()
    wait_for(lambda: cluster.status(passive).get("role") == "passive", 30, "the peer is there")
    servers = [(host.name, f"{host.address}:{WEB}", HEALTH) for host in cluster.bed.hosts]
    prefix = cluster.bed.network.client_command([])
    balancer = Balancer(tmp_path, FRONT, servers, every_ms=200, prefix=prefix)
    file = tmp_path / "answers"
    try:
        wait_for(lambda: balancer.up() == [active.name], 20, f"HAProxy finds {active.name}")
        with asking(cluster, file):
            wait_for(lambda: len(answers(file)) > 10, 20, "answers")
            active.power_off()
            cut_ns = time.monotonic_ns()
            limit_s = TAKEOVER_S["fast"] + SLACK_S
            wait_for(lambda: balancer.up() == [passive.name], limit_s + 20, "HAProxy finds the other one")
            wait_for(lambda: answers(file)[-1][1] == passive.name, 20, "it answers")
            active.boot()
            wait_for(lambda: cluster.status(active).get("role") == "passive", 40, "it is back")
            count = len(answers(file))
            wait_for(lambda: len(answers(file)) > count + 20, 20, "answers go on")
            assert balancer.up() == [passive.name]
    finally:
        balancer.close()
    found = answers(file)
    hosts = [host for _, host in found]
    assert hosts == [active.name] * hosts.count(active.name) + [passive.name] * hosts.count(passive.name)
    first_ns = next(at for at, host in found if host == passive.name)
    assert (first_ns - cut_ns) / NS_PER_S < limit_s
    cluster.assert_alone()
