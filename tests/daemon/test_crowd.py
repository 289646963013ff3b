"""Strangers who connect to a daemon with few descriptors: it renews its lease all the while."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.test_web import certificate
from tests.daemon.kit import FAST, Cluster, cluster, wait

DESCRIPTORS = 128
FLOOD_S = 6.0  # longer than the renew deadline of `fast`
AT_A_TIME = 500
FEW = ("/bin/sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster, and nothing of it afterwards."""
    with cluster(tmp_path) as found:
        yield found


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Flood:
    """Connections to an address that say nothing, as many and as fast as they can be made."""

    def __init__(self, family: socket.AddressFamily, address: str | tuple[str, int]) -> None:
        self._family, self._address = family, address
        self._held: list[socket.socket] = []
        self.made = 0

    def more(self) -> None:
        """Another one, whose handshake nobody waits for; the oldest goes when there are too many."""
        client = socket.socket(self._family)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(self._address)
        self._held.append(client)
        self.made += 1
        if len(self._held) > AT_A_TIME:
            self._held.pop(0).close()

    def end(self) -> None:
        """All hang up."""
        for client in self._held:
            client.close()


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_a_flood_costs_no_renewal(made: Cluster, tmp_path: Path, tls: bool) -> None:
    """Half-open connections to HTTP and to the control socket: same epoch, no fault, and root is answered."""
    port = free_port()
    http = f'\n[http]\nlisten = "127.0.0.1:{port}"\n'
    if tls:
        crt, key = certificate(tmp_path)
        http += f'certificate_file = "{crt}"\nkey_file = "{key}"\n'
    node = made.node("a", FAST + http)
    node.prefix = FEW
    node.start()
    wait(lambda: made.starts() and node.count("http-listening"), 25, "it is active and serves HTTP")
    before = node.status("epoch"), made.starts()
    floods = [
        Flood(socket.AF_INET, ("127.0.0.1", port)),
        Flood(socket.AF_UNIX, str(node.run_dir / "control.sock")),
    ]
    until, most = time.monotonic() + FLOOD_S, 0
    while time.monotonic() < until:
        for flood in floods:
            flood.more()
        select.select([], [], [], 0.002)
        most = max(most, len(os.listdir(f"/proc/{node.pid}/fd")))
    assert min(flood.made for flood in floods) > DESCRIPTORS
    wait(lambda: node.status("role") == "active", 10, "root is answered while the connections are there")
    for flood in floods:
        flood.end()
    assert most < DESCRIPTORS - 10
    assert (node.status("epoch"), made.starts()) == before
    for event in ("storage-failing", "board-fault", "guard-not-started", "unexpected-error"):
        assert node.count(event) == 0, node.said()
    assert "Too many open files" not in node.said()


def test_the_limit_is_raised_and_given_back(made: Cluster) -> None:
    """The daemon takes what its hard limit allows, within reason; its services have what it was given."""
    node = made.node("a")
    node.prefix = ("/bin/sh", "-c", 'ulimit -S -n 200; exec "$@"', "sh")
    node.start()
    wait(lambda: len(made.starts()) == 1, 25, "the service runs")

    def soft(pid: int) -> int:
        text = Path(f"/proc/{pid}/limits").read_text()
        return int(text.partition("Max open files")[2].split()[0])

    assert soft(node.pid) == 4096
    assert soft(made.starts()[0][2]) == 200
