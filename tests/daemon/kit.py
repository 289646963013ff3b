"""Real `acmd run` processes on one machine: temporary directories, profile `fast`, no last resort.

Each node lives below a make-believe host of the demo: when the test lets go of it, everything
that the node started is gone.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import acmd
from acmd.cli.client import exchange
from acmd.cli.demo import machine
from acmd.core.board import DIRECTORIES
from acmd.core.lease import LeaseState, Record, decode, epoch_of
from acmd.errors import AcmdError

SOURCES = str(Path(acmd.__file__).parent.parent)
ENVIRONMENT = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "TMPDIR"}}
ENVIRONMENT["PYTHONPATH"] = SOURCES
TAKEOVER_S = 5.5
FAST = '[timing]\nprofile = "fast"'
PROGRAM = 'echo "$ACMD_NODE $ACMD_EPOCH $$" >> "$0"; exec sleep 100000'


_MADE: dict[str, dict[str, bytes]] = {}  # by timing: what `acmd init` made


class Cluster:
    """The shared directory, and the record of every start of the one service."""

    def __init__(self, root: Path, timing: str = FAST) -> None:
        self.root = root
        self.timing = timing
        self.shared = root / "shared"
        self.record = root / "starts"
        self.record.touch()
        self.nodes: list[Node] = []

    def node(self, name: str, extra: str = "") -> Node:
        """A node that is configured and not started."""
        made = Node(self, name, extra)
        self.nodes.append(made)
        return made

    def init(self, *, anew: bool = False) -> None:
        """`acmd init`; after the first time its files are copied, unless a cluster `anew` is wanted."""
        if self.timing not in _MADE or anew:
            done = self.acmd("init", Node(self, "init"))
            assert done.returncode == 0, done.stderr
            files = (path for path in self.shared.rglob("*") if path.is_file())
            _MADE[self.timing] = {str(path.relative_to(self.shared)): path.read_bytes() for path in files}
            return
        for directory in (self.shared, *(self.shared / name for name in DIRECTORIES)):
            directory.mkdir(mode=0o750)
        for name, data in _MADE[self.timing].items():
            (self.shared / name).write_bytes(data)

    @staticmethod
    def acmd(command: str, node: Node, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command line that ends by itself."""
        line = [*node.prefix, sys.executable, "-P", "-m", "acmd", command]
        line += ["--config", str(node.config), *arguments]
        return subprocess.run(line, capture_output=True, text=True, timeout=90, env=ENVIRONMENT, cwd="/")

    def starts(self) -> list[tuple[str, int, int]]:
        """Node, epoch and process id of each start of the service, in order."""
        lines = (line.split() for line in self.record.read_text().splitlines())
        return [(node, int(epoch), int(pid)) for node, epoch, pid in lines]

    def living(self) -> list[str]:
        """The nodes on which the service lives now."""
        return [node for node, _, pid in self.starts() if _lives(pid)]

    def newest(self) -> Record | None:
        """The lease record of the highest epoch."""
        epochs = [epoch for path in self.shared.iterdir() if (epoch := epoch_of(path.name)) is not None]
        raw = (self.shared / f"lease.{max(epochs):010d}").read_bytes()
        cluster_id = json.loads((self.shared / "cluster.json").read_text())["id"]
        found = decode(raw, cluster_id, max(epochs))
        return found if isinstance(found, Record) else None

    def released(self) -> bool:
        """Whether the newest epoch was given back."""
        newest = self.newest()
        return newest is not None and newest.state is LeaseState.RELEASED

    def close(self) -> None:
        """End everything; no log may hold a traceback."""
        for node in self.nodes:
            node.close()
        for node in self.nodes:
            assert "Traceback" not in node.said(), node.said()
            assert "never retrieved" not in node.said(), node.said()


class Node:
    """One `acmd run`, started and ended at will. `prefix` is put before the make-believe host."""

    def __init__(self, cluster: Cluster, name: str, extra: str = "", prefix: tuple[str, ...] = ()) -> None:
        self.cluster = cluster
        self.name = name
        self.directory = cluster.root / name
        self.directory.mkdir()
        self.config = self.directory / "acmd.toml"
        self.run_dir = self.directory / "run"
        self.log = self.directory / "log"
        self.log.touch()
        self.prefix = prefix
        self.pid = 0
        self._machines: list[subprocess.Popen[bytes]] = []
        self.configure(extra)

    def configure(self, extra: str = "", level: str = "info") -> None:
        """Write the configuration anew."""
        command = ["/bin/sh", "-c", PROGRAM, str(self.cluster.record)]
        self.config.write_text(f"""
[cluster]
name = "test"
directory = "{self.cluster.shared}"
[node]
name = "{self.name}"
[guard]
mode = "spawn"
last_resort = "none"
[run]
run_dir = "{self.run_dir}"
state_dir = "{self.directory / "state"}"
[log]
target = "stderr"
level = "{level}"
[[service]]
name = "web"
kind = "command"
command = {json.dumps(command)}
{extra or self.cluster.timing}
""")

    def start(self) -> None:
        """Start the daemon; what an earlier one left goes on beside it."""
        line = [*self.prefix, sys.executable, "-I", "-S", machine.__file__]
        line += [sys.executable, "-P", "-m", "acmd", "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            host = subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd="/", env=ENVIRONMENT,
                start_new_session=True,
            )  # fmt: skip
        self._machines.append(host)
        assert host.stdout is not None
        assert select.select([host.stdout], [], [], 15)[0], self.said()
        self.pid = int(host.stdout.readline())

    def signal(self, number: signal.Signals) -> None:
        """To the daemon alone."""
        os.kill(self.pid, number)

    def alive(self) -> bool:
        """Whether the daemon is there."""
        return self.pid != 0 and _lives(self.pid)

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def count(self, event: str) -> int:
        """How many lines of that event it logged."""
        return len(re.findall(rf"^\S+ \S+ +\w+ +{event}\b", self.said(), re.MULTILINE))

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request; empty when nobody answers."""
        try:
            return exchange(str(self.run_dir / "control.sock"), request, 2.0)
        except AcmdError:
            return {}

    def status(self, *keys: str) -> Any:
        """The snapshot, or a part of it."""
        found: Any = self.ask(do="status")
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def role(self) -> str:
        """Its role, by its own word."""
        return str(self.status("role"))

    def close(self) -> None:
        """End all that was ever started here."""
        for host in self._machines:
            with suppress(OSError):
                if host.stdin is not None:
                    host.stdin.close()
        for host in self._machines:
            try:
                host.wait(10)
            except subprocess.TimeoutExpired:
                machine.end_all(host.pid)
                host.kill()
                host.wait()
            if host.stdout is not None:
                host.stdout.close()
        self._machines.clear()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def wait(happened: Callable[[], object], limit_s: float = 10.0, what: str = "it") -> float:
    """Until it has happened; how long that took, in seconds. Fails at the limit."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < limit_s, f"{what} did not happen within {limit_s:g} s"
        time.sleep(0.03)
    return time.monotonic() - began


def stays(holds: Callable[[], object], for_s: float) -> None:
    """It holds all the time."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        assert holds()
        time.sleep(0.1)


@contextmanager
def cluster(root: Path, timing: str = FAST, *, init: bool = True) -> Iterator[Cluster]:
    """A cluster without nodes; afterwards nothing is left of it."""
    made = Cluster(root, timing)
    try:
        if init:
            made.init()
        yield made
    except BaseException:
        for node in made.nodes:
            print(f"--- log of {node.name}\n{node.said()[-6000:]}")
            node.close()
        raise
    made.close()


class Pair:
    """Two nodes of which one is active."""

    def __init__(self, made: Cluster) -> None:
        self.cluster = made
        self.a = made.node("a")
        self.b = made.node("b")
        self.a.start()
        self.b.start()
        self.settle()

    def settle(self) -> tuple[Node, Node]:
        """The active and the passive node, once both are well and know of each other."""
        found: list[Node] = []

        def settled() -> bool:
            found[:] = sorted((self.a, self.b), key=Node.role)
            if [node.role() for node in found] != ["active", "passive"]:
                return False
            return self.cluster.living() == [found[0].name] and all(
                [row["role"] for row in node.status("nodes") if row["name"] in "ab"] == self._roles(found[0])
                for node in found
            )

        wait(settled, 25, "one node is active and the other passive")
        return found[0], found[1]

    def _roles(self, active: Node) -> list[str]:
        return ["active", "passive"] if active is self.a else ["passive", "active"]
