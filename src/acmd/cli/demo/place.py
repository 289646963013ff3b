"""Where the demo happens: a temporary directory with the cluster's directory and two nodes' own ones."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from acmd.cli.demo import server
from acmd.config.glance import Glance, glance
from acmd.errors import AcmdError

CLUSTER = "demo"
_SOCKET_BYTES = 107
_LONGEST = "/a/run/control.sock"


@dataclass(frozen=True, slots=True)
class NodePlace:
    """One node's files. `record` has a line for each answer of its web server."""

    name: str
    port: int
    directory: Path

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.directory / "acmd.toml"

    @property
    def run_dir(self) -> Path:
        """What a power loss takes away."""
        return self.directory / "run"

    @property
    def record(self) -> Path:
        """Each answer of its web server."""
        return self.directory / "answers"

    @property
    def log(self) -> Path:
        """What its daemon said."""
        return self.directory / "log"

    def glance(self) -> Glance:
        """As any command finds its daemon."""
        return glance(str(self.config))


@dataclass(frozen=True, slots=True)
class Place:
    """The whole of it."""

    root: Path
    nodes: tuple[NodePlace, ...]

    @property
    def shared(self) -> Path:
        """The cluster's directory."""
        return self.root / "shared"

    def remove(self) -> None:
        """Take it all away."""
        shutil.rmtree(self.root, ignore_errors=True)


def make(profile: str, names: tuple[str, ...] = ("a", "b")) -> Place:
    """Directories, ports and configurations. Raises AcmdError when there is no place for them."""
    try:
        root = Path(tempfile.mkdtemp(prefix="acmd-demo-")).resolve()
    except OSError as error:
        raise AcmdError(
            f"no temporary directory can be made: {error}", "make room, or set TMPDIR to a place with some"
        ) from None
    if len(os.fsencode(root)) + len(_LONGEST) > _SOCKET_BYTES:
        root.rmdir()
        raise AcmdError(f"{root} is too long a path for sockets", "set TMPDIR to a shorter one, such as /tmp")
    ports = free_ports(len(names))
    nodes = tuple(NodePlace(name, port, root / name) for name, port in zip(names, ports, strict=True))
    place = Place(root, nodes)
    for node in nodes:
        node.directory.mkdir()
        node.config.write_text(_configuration(place, node, profile))
        node.record.touch()
    return place


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now.

    They lie below those that the kernel gives to clients: a client that keeps knocking at a port
    where nobody listens may otherwise get that very port as its own, and be connected to itself.
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = list(range(max(1024, low - 12_000), low)) or list(range(49_152, 65_536))
    random.shuffle(candidates)
    found: list[int] = []
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AcmdError("no port is free on 127.0.0.1", "look at `ss -ltn`")


def _configuration(place: Place, node: NodePlace, profile: str) -> str:
    command = [sys.executable, "-I", "-S", server.__file__, node.name, str(node.port), str(node.record)]
    return f"""# One node of `acmd demo`. `acmd config show --config {node.config}` says the rest.
[cluster]
name = "{CLUSTER}"
directory = {json.dumps(str(place.shared))}

[node]
name = "{node.name}"
address = "127.0.0.1"

[timing]
profile = "{profile}"

[guard]
mode = "spawn"
last_resort = "none"

[run]
run_dir = {json.dumps(str(node.run_dir))}
state_dir = {json.dumps(str(node.directory / "state"))}

[log]
target = "stderr"

[[service]]
name = "web"
kind = "command"
runs_on = "active"
command = {json.dumps(command)}
"""
