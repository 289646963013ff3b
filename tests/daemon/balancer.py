"""A real HAProxy in front of two nodes, which it finds by asking `/active`."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

NEEDS_HAPROXY = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs Debian's package haproxy")

CONFIG = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
listen active
    bind {front}
    option httpchk OPTIONS /active
    default-server check inter {every_ms}ms fall 1 rise 1 on-marked-down shutdown-sessions
"""


class Balancer:
    """HAProxy with its statistics. `servers`: name, address with port, port of the health endpoints."""

    def __init__(
        self,
        root: Path,
        front: str,
        servers: Sequence[tuple[str, str, int]],
        *,
        every_ms: int = 100,
        prefix: Sequence[str] = (),
    ) -> None:
        self._socket = root / "haproxy.sock"
        self._names = {name for name, _, _ in servers}
        file = root / "haproxy.cfg"
        lines = [f"    server {name} {address} check port {port}\n" for name, address, port in servers]
        file.write_text(CONFIG.format(socket=self._socket, front=front, every_ms=every_ms) + "".join(lines))
        self.process = subprocess.Popen(
            [*prefix, "haproxy", "-db", "-q", "-f", str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
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
        return [row[1] for row in rows if row[1] in self._names and row[17] == "UP"]

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
