"""A real HAProxy in front of two real daemons: it follows the active node by asking `/active`."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.daemon.balancer import NEEDS_HAPROXY, Balancer
from tests.daemon.kit import Cluster, Node, cluster, wait

pytestmark = NEEDS_HAPROXY

STANDARD = '[timing]\nprofile = "standard"'


def free_port() -> int:
    """One that nobody uses now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Front(Balancer):
    """In front of nodes of this machine: what it serves are their own pages."""

    def __init__(self, root: Path, ports: dict[str, int]) -> None:
        self.front = free_port()
        servers = [(name, f"127.0.0.1:{port}", port) for name, port in ports.items()]
        Balancer.__init__(self, root, f"127.0.0.1:{self.front}", servers)

    def serves(self) -> str:
        """The node that a request through it reaches; "" for none."""
        with closing(socket.socket()) as client:
            client.settimeout(5)
            client.connect(("127.0.0.1", self.front))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = client.makefile(encoding="latin-1").read()
        return text.partition('node="')[2].partition('"')[0] if " 200 OK" in text else ""


@contextmanager
def balanced(root: Path) -> Iterator[tuple[Cluster, dict[str, Node], Front]]:
    """Two nodes, HAProxy before them."""
    ports = {"a": free_port(), "b": free_port()}
    with cluster(root, STANDARD) as made:
        nodes = {
            name: made.node(name, f'{STANDARD}\n[http]\nlisten = "127.0.0.1:{port}"')
            for name, port in ports.items()
        }
        for node in nodes.values():
            node.start()
        balancer = Front(root, ports)
        try:
            yield made, nodes, balancer
        finally:
            balancer.close()


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
