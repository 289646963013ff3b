"""Journals, hooks, history and report of real daemons."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.kit import ENVIRONMENT, Cluster, Node, Pair, cluster, wait

STANDARD = '[timing]\nprofile = "standard"'
PATIENT = STANDARD.replace("standard", "patient")
HOOK = """
[timing]
profile = "standard"

[[hook]]
on = ["role", "failover", "switchover", "alarm"]
command = ["/bin/sh", "-c", '''
echo "$ACMD_EVENT $ACMD_EPOCH $ACMD_ROLE $ACMD_PREVIOUS_ROLE $ACMD_ACTIVE $ACMD_NODE ${NOTIFY_SOCKET-none}" \\
  >> "$0"
''', "%s"]
"""


class Hooked(Pair):
    """Two nodes whose hooks write what they were told."""

    def __init__(self, made: Cluster) -> None:
        self.cluster = made
        self.a, self.b = (made.node(name, HOOK % self.told_file(made, name)) for name in "ab")
        self.a.start()
        self.b.start()
        self.settle()

    @staticmethod
    def told_file(made: Cluster, name: str) -> Path:
        """Where a node's hook writes."""
        return made.root / f"told-{name}"

    def told(self, node: Node) -> list[str]:
        """What a node's hook was told, in order."""
        file = self.told_file(self.cluster, node.name)
        return file.read_text().splitlines() if file.exists() else []

    def has(self, node: Node, begin: str) -> bool:
        """Whether a hook was told something that begins so."""
        return any(line.startswith(begin) for line in self.told(node))


def shown(made: Cluster, node: Node, command: str, *options: str) -> Any:
    """A command's JSON."""
    done = made.acmd(command, node, "--json", *options)
    assert done.returncode == 0, done.stderr
    if command in ("events", "logs"):
        return [json.loads(line) for line in done.stdout.splitlines()]
    return json.loads(done.stdout)


def stop(node: Node) -> None:
    """As `systemctl stop` does."""
    node.signal(signal.SIGTERM)
    wait(lambda: not node.alive(), 15, "the daemon ends")


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """A cluster, and nothing of it afterwards."""
    with cluster(tmp_path, STANDARD) as found:
        yield found


def shared_journal(made: Cluster, node: Node) -> str:
    """What the others know of a node's journal; "" before it wrote one."""
    path = made.shared / "nodes" / f"{node.name}.events"
    return path.read_text() if path.exists() else ""


def test_a_failover_told(made: Cluster) -> None:
    """Power loss of the active node: history, logs and hooks tell each thing once."""
    pair = Hooked(made)
    active, passive = pair.settle()
    first = active.status("epoch")
    wait(lambda: pair.has(active, f"role {first} active"), 10, "the hook was told")
    wait(lambda: '"services-up"' in shared_journal(made, active), 20, "its journal is on shared storage")
    active.close()
    wait(lambda: passive.role() == "active", 25, "taken over")
    second = passive.status("epoch")
    wait(lambda: pair.has(passive, f"failover {second}"), 10, "the failover was told")
    told = pair.told(passive)
    assert [line for line in told if line.startswith("failover")] == [
        f"failover {second} active  {passive.name} {passive.name} none"
    ]
    for node in (active, passive):
        roles = [tuple(line.split()[:3]) for line in pair.told(node) if line.startswith("role")]
        assert len(roles) == len(set(roles)), roles
    assert sum(line.startswith(f"role {first} active") for line in pair.told(active)) == 1

    found = shown(made, passive, "history")["epochs"]
    old, new = found[-2:]
    assert (old["epoch"], old["holder"], old["planned"]) == (first, active.name, False)
    assert (new["epoch"], new["holder"], new["to_s"]) == (second, passive.name, None)
    wait(
        lambda: shown(made, passive, "history")["epochs"][-1]["interruption_s"] is not None,
        10,
        "the interruption is known",
    )
    assert 8 < shown(made, passive, "history")["epochs"][-1]["interruption_s"] < 25
    lines = shown(made, passive, "logs", "-n", "500")
    assert {line["node"] for line in lines} == {"a", "b"}
    assert [line["at_s"] for line in lines] == sorted(line["at_s"] for line in lines)
    assert "ended by" in made.acmd("history", passive).stdout


def test_a_restart_tells_nothing_twice(tmp_path: Path) -> None:
    """The next daemon adopts: the same role in the same epoch runs none of three hooks a second time."""
    with cluster(tmp_path, PATIENT) as made:
        files = [made.root / f"told-{number}" for number in range(3)]
        timing, _, one = HOOK.partition("[[hook]]")
        hooks = "".join(f"[[hook]]{one % file}" for file in files)
        node = made.node("a", timing.replace("standard", "patient") + hooks)
        node.start()

        def all_told() -> bool:
            return all(file.exists() and "role 1 active" in file.read_text() for file in files)

        wait(all_told, 30, "the hooks were told")
        for number in (signal.SIGUSR2, signal.SIGKILL):
            node.signal(number)
            wait(lambda: not node.alive(), what="it is gone")
            node.start()
            wait(lambda: node.role() == "active", 40, "adopted")
            assert node.status("epoch") == 1
        events = shown(made, node, "events", "-n", "500")
        assert [event["event"] for event in events].count("daemon-started") == 3
        for file in files:
            told = [tuple(line.split()[:3]) for line in file.read_text().splitlines()]
            assert told.count(("role", "1", "active")) == 1
            assert len(told) == len(set(told)), told


def test_with_the_daemon_down(made: Cluster) -> None:
    """History, logs and events answer from shared storage and the local file; so does the report."""
    pair = Hooked(made)
    active, passive = pair.settle()
    epoch = active.status("epoch")
    stop(active)
    wait(lambda: passive.role() == "active", 25, "taken over")
    wait(lambda: pair.has(passive, "switchover"), 10, "told as planned")
    stop(passive)
    found = {one["epoch"]: one for one in shown(made, active, "history")["epochs"]}
    assert found[epoch]["reason"] == "stopping"
    assert found[epoch]["planned"] is True
    assert found[epoch]["length_s"] > 0
    events = shown(made, active, "events", "-n", "500")
    names = [event["event"] for event in events]
    assert names.index("daemon-started") < names.index("epoch-began") < names.index("services-up")
    assert names.index("services-up") < names.index("services-down") <= names.index("epoch-ended")
    assert [event["number"] for event in events] == list(range(len(events)))
    assert shown(made, active, "logs")

    target = made.root / "report.tar.gz"
    done = made.acmd("report", active, "-o", str(target))
    assert done.returncode == 0, done.stderr
    assert target.stat().st_mode & 0o777 == 0o600
    with tarfile.open(target) as archive:
        files = {Path(name).name: archive.extractfile(name) for name in archive.getnames()}
        assert {
            "MISSING",
            "status.json",
            "config-show.toml",
            "check.txt",
            "shared.json",
            "history.json",
        } <= files.keys()
        status = files["status.json"]
        assert status is not None
        assert json.loads(status.read())["role"] == "not-running"
        leases = files["shared.json"]
        assert leases is not None
        assert len(json.loads(leases.read())["leases"]) >= 2
    again = made.acmd("report", active, "-o", str(target))
    assert again.returncode != 0
    assert "must not exist yet" in again.stderr


def test_events_are_followed(made: Cluster, tmp_path: Path) -> None:
    """What happens is printed as it happens, once, also over a restart of the daemon."""
    node = made.node("a")
    node.start()
    wait(lambda: node.role() == "active", 40, "it is active")
    out = tmp_path / "followed"
    line = [sys.executable, "-P", "-m", "acmd", "events", "--config", str(node.config), "--follow", "--json"]
    with out.open("wb") as file:
        follower = subprocess.Popen(line, stdout=file, env=ENVIRONMENT, cwd="/")

    def followed() -> list[dict[str, Any]]:
        return [json.loads(text) for text in out.read_text().split("\n")[:-1]]

    def has(event: str, count: int = 1) -> bool:
        return [one["event"] for one in followed()].count(event) == count

    try:
        wait(lambda: has("services-up"), 20, "what was before is there")
        assert node.ask(do="disable", all=True, reason="followed")["ok"]
        wait(lambda: has("order-given"), 10, "the order is there")
        node.signal(signal.SIGUSR2)
        wait(lambda: not node.alive(), 15, "the daemon ends")
        node.start()
        wait(lambda: has("daemon-started", 2), 40, "the next daemon is there")
    finally:
        follower.terminate()
        follower.wait(10)
    numbers = [one["number"] for one in followed()]
    assert numbers == sorted(set(numbers))


def test_a_journal_that_is_nonsense(made: Cluster) -> None:
    """What somebody puts into a node's journal is left out with one warning; nothing else minds."""
    pair = Hooked(made)
    active, _ = pair.settle()
    for name, data in (("evil", b"\xff{"), ("b", None), ("huge", b"[" * 80_000)):
        if data is not None:
            (made.shared / "nodes" / f"{name}.events").write_bytes(data)
    os.mkfifo(made.shared / "nodes" / "pipe.events")
    # An answer from before serves all who ask within two seconds.
    wait(lambda: set(shown(made, active, "history")["ignored"]) >= {"evil", "huge"}, 10, "both are left out")
    shown(made, active, "history")
    wait(lambda: "journal-ignored" in active.said(), 5, "it is said")
    assert active.said().count("journal-ignored node='evil'") == 1
    assert active.role() == "active"
