"""Operators' orders to real daemons, by the real commands."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.kit import FAST, Node, Pair, cluster, stays, wait

pytestmark = pytest.mark.timeout(300)
STANDARD = '[timing]\nprofile = "standard"'


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two nodes of which one is active; on this profile a daemon is back in time on a busy machine."""
    with cluster(tmp_path, STANDARD) as made:
        yield Pair(made)


def order(node: Node, *words: str) -> str:
    """A command that does what it says; its standard output."""
    done = node.cluster.acmd(words[0], node, *words[1:])
    assert done.returncode == 0, done.stderr + done.stdout + node.said()[-3000:]
    return done.stdout


def refused(node: Node, *words: str) -> str:
    """A command that is refused; its words."""
    done = node.cluster.acmd(words[0], node, *words[1:])
    assert done.returncode == 1, done.stderr + done.stdout
    return done.stderr


def row(node: Node) -> dict[str, object]:
    """The service on that node, by its own word."""
    for entry in node.status("nodes") or []:
        if entry["name"] == node.name:
            return dict(entry["services"][0])
    return {}


def test_a_service_is_stopped_and_started(pair: Pair) -> None:
    """It stays down over a restart of the daemon and costs no lease; never starts on the passive node."""
    active, passive = pair.settle()
    epoch = active.status("epoch")
    assert json.loads(order(active, "service", "stop", "web", "--reason", "index", "--json"))["ok"]
    assert pair.cluster.living() == []
    assert row(active)["held"] == "stopped"
    assert "what='service stop'" in active.said()
    active.signal(signal.SIGUSR2)
    wait(lambda: not active.alive())
    active.start()
    wait(lambda: active.role() == "active" and row(active).get("held") == "stopped", 15)
    took_s = row(active)["last_stop_s"]
    assert isinstance(took_s, float)  # measured by the daemon before this one
    assert took_s < 10
    stays(lambda: pair.cluster.living() == [], 2)
    said = refused(passive, "service", "start", "web")
    assert f"web runs on the active node only, which is {active.name}; {passive.name} is passive" in said
    order(active, "service", "start", "web")
    pair.settle()
    assert (active.status("epoch"), row(active)["held"]) == (epoch, "")
    first = pair.cluster.starts()[-1]
    order(active, "service", "restart", "web")
    assert pair.cluster.starts()[-1] != first
    assert active.status("epoch") == epoch


def test_a_daemon_that_is_stopped_in_maintenance_leaves_all_as_it_is(pair: Pair) -> None:
    """Services of every node run on as well as the active-only ones; the next daemon finds them."""
    active, _ = pair.settle()
    file = active.directory / "side"
    command = json.dumps(["/bin/sh", "-c", f"echo $$ >> {file}; exec sleep 1000"])
    active.configure(
        f'[[service]]\nname = "side"\nkind = "command"\nruns_on = "all"\ncommand = {command}\n{STANDARD}'
    )
    active.signal(signal.SIGUSR2)
    wait(lambda: not active.alive())
    active.start()
    wait(lambda: active.role() == "active" and file.exists(), 20)
    order(active, "disable", "--all", "--reason", "new disks")
    active.signal(signal.SIGTERM)
    wait(lambda: not active.alive(), 15)
    assert pair.cluster.living() == [active.name]
    (pid,) = map(int, file.read_text().split())
    assert Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"
    active.start()
    wait(lambda: active.role() == "detached", 15)
    order(active, "enable", "--all")
    wait(lambda: active.role() == "active", 20)
    assert file.read_text().split() == [str(pid)]


def test_detach_and_back(pair: Pair) -> None:
    """Both daemons end, the service lives on, nobody takes over; started and enabled they go on as before."""
    active, passive = pair.settle()
    epoch, starts = active.status("epoch"), pair.cluster.starts()
    assert "there is no terminal to ask on" in pair.cluster.acmd("detach", active).stderr
    assert "the cluster is not disabled" in refused(active, "detach", "--yes", "--no-disable")
    order(active, "detach", "--yes", "--reason", "new kernel")
    wait(lambda: not active.alive(), 5)
    order(passive, "detach", "--yes")
    stays(lambda: pair.cluster.living() == [active.name], 3)
    active.start()
    passive.start()
    wait(lambda: active.role() == "detached" and passive.role() == "passive", 15)
    order(active, "enable", "--all")
    pair.settle()
    assert (active.status("epoch"), pair.cluster.starts()) == (epoch, starts)


def test_maintenance_ends_by_itself(pair: Pair) -> None:
    """With --until nobody has to remember; the order that ends it says so."""
    active, _ = pair.settle()
    order(active, "disable", "--all", "--until", "4s")
    assert active.role() == "detached"
    wait(lambda: active.status("maintenance", "all") is None and active.role() == "active", 15)
    assert "order-ended" in active.said() + pair.a.said() + pair.b.said()


def test_fence_and_confirm_off(tmp_path: Path) -> None:
    """The agent's or an operator's word lets the peer take over before W; refused while the host lives."""
    agent = tmp_path / "agent"
    agent.write_text("#!/bin/sh\nexit 0\n")
    agent.chmod(0o755)
    extra = f'{STANDARD}\n[fencing]\nagent = ["{agent}"]'
    with cluster(tmp_path, STANDARD) as made:
        both = Pair.__new__(Pair)
        both.cluster, both.a, both.b = made, made.node("a", extra), made.node("b", extra)
        both.a.start()
        both.b.start()
        active, passive = both.settle()
        assert "renews its lease" in refused(passive, "fence", active.name, "--yes")
        assert "is not off" in refused(passive, "confirm-off", active.name, "--yes")
        assert "is this node" in refused(passive, "fence", passive.name, "--yes")
        assert "is alive" in refused(passive, "forget", active.name, "--yes")
        active.close()  # as good as a power cut: daemon, guard and service are gone
        wait(lambda: "holder" and passive.status("lease", "age_s") > 4, 10)
        before = time.monotonic()
        told = json.loads(order(passive, "fence", active.name, "--yes", "--json"))
        assert told["result"] == "confirmed"
        wait(lambda: made.living() == [passive.name], 10)
        assert time.monotonic() - before < 6
        assert passive.status("lease", "unfenced") == []
        wait(lambda: passive.status("nodes")[0]["last_seen_s"] > 11 or passive.name == "a", 20)
        wait(lambda: made.acmd("forget", passive, active.name, "--yes").returncode == 0, 20)
        listed = json.loads(order(passive, "nodes", "--json"))
        assert [node["node"] for node in listed["nodes"]] == [passive.name]
        assert "what='fence'" in passive.said().replace("what=fence", "what='fence'")


def test_confirm_off_by_an_operator(pair: Pair) -> None:
    """Without an agent: the word of a person, typed, ends the epoch of a host that stands still."""
    active, passive = pair.settle()
    active.close()
    wait(lambda: (passive.status("lease", "age_s") or 0) > 10.5, 15)
    order(passive, "confirm-off", active.name, "--yes", "--reason", "pulled the plug")
    wait(lambda: passive.role() == "active", 3)
    assert passive.status("lease", "unfenced") == []


def test_other_timing(tmp_path: Path) -> None:
    """Step by step: refused too early; afterwards both nodes run on the new one, the service ran on."""
    with cluster(tmp_path, FAST) as made:
        both = Pair(made)
        active, passive = both.settle()
        starts = made.starts()
        for node in (active, passive):
            node.configure(STANDARD)
        shown = made.acmd("timing", active)
        assert shown.returncode == 1
        assert "heartbeat_s is 1 in this node's configuration, but 0.4 in cluster.json" in shown.stdout
        assert "not yet: `acmd disable --all` on one node" in refused(active, "timing", "--apply", "--yes")
        order(active, "detach", "--yes")
        assert f"acmd still runs on {passive.name}" in refused(active, "timing", "--apply", "--yes")
        order(passive, "detach", "--yes")
        order(active, "timing", "--apply", "--yes")
        assert made.acmd("timing", active).returncode == 0
        active.start()
        passive.start()
        wait(lambda: active.role() == "detached" and passive.role() == "passive", 15)
        order(active, "enable", "--all")
        both.settle()
        assert active.status("timing", "heartbeat_s") == 1
        assert made.starts() == starts
