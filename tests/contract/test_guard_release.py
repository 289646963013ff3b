"""A daemon that died for good: its guard kills, drains, and has the lease given back. Real processes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.core.lease import LeaseState, Record, decode, lease_name
from tests.daemon.kit import FAST, Cluster, Node, Pair, cluster, wait

LONG_WAIT_S = 60.0  # W far beyond what a busy machine needs to start a program
STANDARD = f'[timing]\nprofile = "standard"\ntakeover_wait_s = {LONG_WAIT_S}'


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without nodes."""
    with cluster(tmp_path, FAST) as it:
        yield it


def record(made: Cluster, epoch: int) -> Record:
    """The lease record of an epoch."""
    cluster_id = json.loads((made.shared / "cluster.json").read_text())["id"]
    found = decode((made.shared / lease_name(epoch)).read_bytes(), cluster_id, epoch)
    assert isinstance(found, Record)
    return found


def guard_state(node: Node) -> str:
    """What the guard keeps for its successor."""
    return str(json.loads((node.run_dir / "guard.json").read_text())["state"])


def test_the_peer_does_not_wait(tmp_path: Path) -> None:
    """SIGKILL and nobody starts it again: killed at K, released by then, the peer serves long before W."""
    with cluster(tmp_path, STANDARD) as made:
        active, passive = Pair(made).settle()
        epoch = active.status("epoch")
        active.signal(signal.SIGKILL)
        both = []

        def serves() -> bool:
            living = made.living()
            both.extend([living] if len(living) > 1 else [])
            return living == [passive.name]

        took_s = wait(serves, LONG_WAIT_S, "the peer serves")
        print(f"the peer served {took_s:.2f} s after the kill")
        assert took_s < LONG_WAIT_S - 10
        assert record(made, epoch + 1).unfenced == ()  # after a mere expiry it would name the old holder
        assert not both
        assert record(made, epoch).state is LeaseState.RELEASED
        assert not (active.run_dir / "lease.json").exists()
        wait(lambda: guard_state(active) == "disarmed", what="the guard disarms")


def test_the_release_repeats_what_is_unfenced(made: Cluster) -> None:
    """The record of a release for a dead daemon names the hosts whose end nobody has confirmed, as before."""
    a, b = made.node("a"), made.node("b")
    a.start()
    wait(lambda: made.living() == ["a"], 20, "a serves")
    b.start()
    wait(lambda: b.role() == "passive", 20, "b is there")
    a.close()
    wait(lambda: made.living() == ["b"], 20, "b serves")
    epoch = b.status("epoch")
    assert record(made, epoch).unfenced == ("a",)
    b.signal(signal.SIGKILL)
    wait(lambda: record(made, epoch).state is LeaseState.RELEASED, 20, "the release")
    assert record(made, epoch).unfenced == ("a",)
    assert not made.living()


def test_a_daemon_that_only_hangs_keeps_its_lease(made: Cluster) -> None:
    """Stopped, it holds its lock: the guard kills, nobody else releases; going on, it does so itself."""
    node = made.node("a")
    node.start()
    wait(lambda: made.living() == ["a"], 20, "it serves")
    epoch = node.status("epoch")
    node.signal(signal.SIGSTOP)
    wait(lambda: not made.living(), 20, "the guard kills")
    assert record(made, epoch).state is LeaseState.HELD
    assert (node.run_dir / "lease.json").exists()
    assert "release-for-dead-daemon" not in (node.run_dir / "guard.log").read_text()
    node.signal(signal.SIGCONT)
    wait(lambda: record(made, epoch).state is LeaseState.RELEASED, 20, "its own release")


def test_nothing_is_released_by_hand(made: Cluster) -> None:
    """`acmd guard release` without an epoch, or beside a living daemon, does nothing and says why."""
    node = made.node("a")
    node.start()
    wait(lambda: made.living() == ["a"], 20, "it serves")
    done = made.acmd("guard", node, "release")
    assert done.returncode == 1
    assert "ACMD_EPOCH does not name the epoch" in done.stderr
    node.prefix = ("env", f"ACMD_EPOCH={node.status('epoch')}")
    done = made.acmd("guard", node, "release")
    node.prefix = ()
    assert done.returncode == 1
    assert f"another acmd daemon (process {node.pid}) already runs" in done.stderr
    assert node.role() == "active"
