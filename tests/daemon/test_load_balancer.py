"""A real HAProxy in front of two real daemons: it follows the active node by asking `/active`."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.daemon.kit import Cluster, Node, cluster, wait

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs Debian's package haproxy")

STANDARD = '[timing]\nprofile = "standard"'
CONFIG = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
listen active
    bind 127.0.0.1:{front}
    option httpchk OPTIONS /active
    default-server check inter 100ms fall 1 rise 1 on-marked-down shutdown-sessions
    server a 127.0.0.1:{a} check port {a}
    server b 127.0.0.1:{b} check port {b}
"""


def free_port() -> int:
    """One that nobody uses now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Balancer:
    """HAProxy with its statistics."""

    def __init__(self, root: Path, ports: dict[str, int]) -> None:
        self.front = free_port()
        self._socket = root / "haproxy.sock"
        file = root / "haproxy.cfg"
        file.write_text(CONFIG.format(socket=self._socket, front=self.front, **ports))
        self.process = subprocess.Popen(
            ["haproxy", "-db", "-q", "-f", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def up(self) -> list[str]:
        """The servers that its checks found good."""
        try:
            with closing(socket.socket(socket.AF_UNIX)) as control:
                control.connect(str(self._socket))
                control.sendall(b"show stat\n")
                table = control.makefile().read()
        except OSError:
            return []
        rows = (line.split(",") for line in table.splitlines() if line and line[0] != "#")
        return [row[1] for row in rows if row[1] in {"a", "b"} and row[17] == "UP"]

    def serves(self) -> str:
        """The node that a request through it reaches; "" for none."""
        with closing(socket.socket()) as client:
            client.settimeout(5)
            client.connect(("127.0.0.1", self.front))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = client.makefile(encoding="latin-1").read()
        return text.partition('node="')[2].partition('"')[0] if " 200 OK" in text else ""


@contextmanager
def balanced(root: Path) -> Iterator[tuple[Cluster, dict[str, Node], Balancer]]:
    """Two nodes, HAProxy before them."""
    ports = {"a": free_port(), "b": free_port()}
    with cluster(root, STANDARD) as made:
        nodes = {
            name: made.node(name, f'{STANDARD}\n[http]\nlisten = "127.0.0.1:{port}"')
            for name, port in ports.items()
        }
        for node in nodes.values():
            node.start()
        balancer = Balancer(root, ports)
        try:
            yield made, nodes, balancer
        finally:
            balancer.process.terminate()
            balancer.process.wait(10)


def test_it_follows_a_switchover(tmp_path: Path) -> None:
    """Never two nodes at a time get requests; after the switchover they go to the other one."""
    with balanced(tmp_path) as (_, nodes, balancer):
        wait(lambda: sorted(node.role() for node in nodes.values()) == ["active", "passive"], 40)
        first = next(name for name, node in nodes.items() if node.role() == "active")
        second = "b" if first == "a" else "a"
        wait(lambda: balancer.up() == [first], 10, "HAProxy finds the active node")
        assert balancer.serves() == first
        # Refused until the other node was heard to be fit.
        wait(lambda: nodes[first].ask(do="switchover").get("ok"), 20, "the order is taken")
        seen: list[list[str]] = []

        def moved() -> bool:
            seen.append(balancer.up())
            return seen[-1] == [second]

        wait(moved, 30, "HAProxy finds the new active node")
        assert balancer.serves() == second
        assert [up for up in seen if len(up) > 1] == []


def test_it_leaves_a_node_whose_daemon_is_gone(tmp_path: Path) -> None:
    """A daemon that released and ended is down at once, and the next one takes its place."""
    with balanced(tmp_path) as (_, nodes, balancer):
        wait(lambda: sorted(node.role() for node in nodes.values()) == ["active", "passive"], 40)
        first = next(name for name, node in nodes.items() if node.role() == "active")
        second = "b" if first == "a" else "a"
        wait(lambda: balancer.up() == [first], 10, "HAProxy finds the active node")
        nodes[first].signal(signal.SIGTERM)
        wait(lambda: balancer.up() == [second], 40, "HAProxy finds the new active node")
        assert balancer.serves() == second
