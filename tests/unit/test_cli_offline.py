"""`acmd status` without a daemon: the last hand-overs, since when and why, as records and journals say."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acmd.cli import offline
from acmd.cli.main import main
from acmd.config.glance import glance
from acmd.core.lease import LeaseState, Record, encode
from acmd.core.nodefile import NodeFile, to_content
from acmd.display.schema import Status
from acmd.history import Entry, line_of, shared
from tests.unit.cli_daemon import configuration

NOBODY = 65_534
CAPS = pytest.CaptureFixture[str]


def cluster_of(tmp_path: Path, capsys: CAPS) -> tuple[Path, str]:
    """The configuration of node `a`, and the id of its cluster."""
    config = configuration(tmp_path)
    assert main(["init", "--config", str(config)]) == 0
    capsys.readouterr()
    return config, json.loads((tmp_path / "shared" / "cluster.json").read_text())["id"]


def lease(tmp_path: Path, cluster: str, epoch: int, holder: str, age_s: float, reason: str = "") -> None:
    """A lease file; released when it has a reason."""
    state = LeaseState.RELEASED if reason else LeaseState.HELD
    record = Record(cluster, epoch, 5, holder, "i", "t", "m", "b", 4500, state, reason)
    at = int(time.time() - age_s)
    data = encode(record._replace(claimed_at=at, written_at=at + 10))
    (tmp_path / "shared" / f"lease.{epoch:010d}").write_bytes(data)


def document(config: Path, capsys: CAPS) -> dict[str, Any]:
    """`acmd status --json`, which keeps to its schema."""
    assert main(["status", "--json", "--config", str(config)]) == 3
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    Status.model_validate(found)
    return found


def page(config: Path, capsys: CAPS) -> str:
    """`acmd status`."""
    assert main(["status", "--config", str(config)]) == 3
    return capsys.readouterr().out


def own_journal(tmp_path: Path, *entries: Entry) -> None:
    """What the daemon of `a` left on this host."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "events.jsonl").write_text("".join(f"{line_of(entry)}\n" for entry in entries))


def test_who_is_active_since_when_and_why(tmp_path: Path, capsys: CAPS) -> None:
    """From the lease files alone: the newest change, the last failover, the beginning of the epoch."""
    config, cluster = cluster_of(tmp_path, capsys)
    lease(tmp_path, cluster, 1, "a", 7200)
    lease(tmp_path, cluster, 2, "b", 3600, "switchover")
    lease(tmp_path, cluster, 3, "a", 240)
    found = document(config, capsys)
    assert [(one["how"], one["from"], one["to"], one["epoch"]) for one in found["handovers"]] == [
        ("switchover", "b", "a", 3),
        ("failover", "a", "b", 2),
    ]
    assert 230 < found["handovers"][0]["age_s"] < 300
    assert (found["active"], found["epoch"]) == ("a", 3)
    assert found["lease"]["claimed_at"] == found["handovers"][0]["at"]
    text = page(config, capsys)
    assert "active    a by the record of epoch 3, since " in text
    assert "(switchover from b); ask there whether it lives" in text
    assert "change    switchover from b to a, epoch 3, 4 min ago" in text
    assert "failover  failover from a to b, epoch 2, 60 min ago (expired)" in text


def test_the_journals_say_more(tmp_path: Path, capsys: CAPS) -> None:
    """The reason of an epoch that was not released comes from its holder's journal."""
    config, cluster = cluster_of(tmp_path, capsys)
    lease(tmp_path, cluster, 1, "a", 7200)
    lease(tmp_path, cluster, 2, "b", 240)
    entry = Entry(1, time.time() - 300, "info", "epoch-ended", {"epoch": 1, "reason": "kill-deadline"})
    (tmp_path / "shared" / "nodes" / "a.events").write_text(shared(cluster, "a", [entry]))
    (change,) = document(config, capsys)["handovers"]
    assert (change["how"], change["reason"]) == ("failover", "kill-deadline")


def test_the_clusters_timing(tmp_path: Path, capsys: CAPS) -> None:
    """As `init` wrote it, under its profile's name; `custom` where it is no profile's."""
    config, _ = cluster_of(tmp_path, capsys)
    timing = document(config, capsys)["timing"]
    assert (timing["profile"], timing["heartbeat_s"], timing["takeover_wait_s"]) == ("fast", 0.4, 5.5)
    file = tmp_path / "shared" / "cluster.json"
    wire = json.loads(file.read_text())
    wire["timing"]["takeover_wait_s"] = 6.0
    file.write_text(json.dumps(wire))
    timing = document(config, capsys)["timing"]
    assert (timing["profile"], timing["takeover_wait_s"]) == ("custom", 6.0)


def test_without_storage_the_own_journal_speaks(tmp_path: Path, capsys: CAPS) -> None:
    """The hand-overs that this node made, and until when its daemon ran; not who is active now."""
    config = configuration(tmp_path)
    now = time.time()
    fields = {"epoch": 4, "after": "b", "how": "expired", "unfenced": ""}
    own_journal(
        tmp_path,
        Entry(1, now - 7200, "info", "epoch-began", fields | {"epoch": 2, "how": "released: switchover"}),
        Entry(2, now - 1200, "info", "epoch-began", fields),
        Entry(3, now - 60, "info", "leaving", {"how": "release"}),
    )
    found = document(config, capsys)
    assert [(one["how"], one["epoch"]) for one in found["handovers"]] == [("failover", 4), ("switchover", 2)]
    assert found["active"] is None
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now - 60))
    assert found["reason"] == f"{offline.WHY} (its last event: {stamp}, `acmd events`)"
    text = page(config, capsys)
    assert "change    failover from b to a, epoch 4, 20 min ago (expired)" in text
    assert "active    not known" in text


def test_shared_storage_knows_better_than_the_own_journal(tmp_path: Path, capsys: CAPS) -> None:
    """Where it can be read, its hand-overs are shown alone, and the page says whose words they are."""
    config, cluster = cluster_of(tmp_path, capsys)
    lease(tmp_path, cluster, 5, "a", 900)
    lease(tmp_path, cluster, 6, "b", 240)
    own_journal(
        tmp_path, Entry(1, time.time(), "info", "epoch-began", {"epoch": 4, "after": "b", "how": "x"})
    )
    found = document(config, capsys)
    assert [one["epoch"] for one in found["handovers"]] == [6]
    assert found["reason"].endswith("; this is what the shared directory says")


@pytest.mark.parametrize(
    "lines", ["", "nonsense\n", '{"number":1,"at_s":1,"level":"info","event":"epoch-began","fields":{}}\n']
)
def test_a_journal_that_makes_no_sense(lines: str, tmp_path: Path, capsys: CAPS) -> None:
    """It tells of no hand-over."""
    config = configuration(tmp_path)
    own_journal(tmp_path)
    (tmp_path / "state" / "events.jsonl").write_text(lines)
    assert document(config, capsys)["handovers"] == []


def test_the_own_node_does_not_run(tmp_path: Path, capsys: CAPS) -> None:
    """Whatever its file says: its daemon is not there, and whether its services run nobody knows."""
    config, cluster = cluster_of(tmp_path, capsys)
    lease(tmp_path, cluster, 1, "b", 60)
    web = {"name": "web", "state": "running", "runs_on": "active"}
    for name, role in (("a", "active"), ("b", "active"), ("c", "active"), ("d", "passive")):
        file = NodeFile(name, "", role, True, "", False, "1", "i", "b", 1, (web, web | {"state": "stopped"}))
        wire = {"v": 1, "cluster": cluster, "node": name, "content": to_content(file)}
        (tmp_path / "shared" / "nodes" / f"{name}.json").write_text(json.dumps(wire))
    nodes = {node["name"]: node for node in document(config, capsys)["nodes"]}
    roles = {name: node["role"] for name, node in nodes.items()}
    assert roles == {"a": "not-running", "b": "active", "c": "unknown", "d": "passive"}
    states = [[service["state"] for service in nodes[name]["services"]] for name in "ab"]
    assert states == [["unknown", "stopped"], ["running", "stopped"]]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_read_is_said(open_directory: Path, capsys: CAPS) -> None:
    """Each part that may be read is shown, the others are named; as `acmd init` makes it, only root reads."""
    config, cluster = cluster_of(open_directory, capsys)
    lease(open_directory, cluster, 1, "a", 7200)
    lease(open_directory, cluster, 2, "b", 240)
    shared = open_directory / "shared"
    for name in ("a", "b"):
        (shared / "nodes" / f"{name}.json").touch(0o640)
    (shared / "control" / "0000000000.json").touch(0o640)
    place = glance(str(config))
    list(offline._parts(place))  # so that nothing is left to be imported

    def seen(*readable: str) -> dict[str, Any]:
        for path in readable:
            (shared / path).chmod(0o755)
        groups = os.getgroups()
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            return offline.look(place)
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)

    assert seen()["storage"]["fault"] == "denied"
    found = seen(".", "cluster.json", "lease.0000000001", "lease.0000000002")
    assert (found["active"], found["handovers"]) == ("b", [])
    assert found["storage"]["fault"] == (
        "this user may not read older leases, the orders, the node files, the journals"
    )
    found = seen("history", "nodes", "control", "lease.0000000000")
    assert [change["from"] for change in found["handovers"]] == ["a"]
    assert found["storage"]["fault"] == "this user may not read the orders, nodes/a.json, nodes/b.json"


def test_it_looks_again_and_again(tmp_path: Path, capsys: CAPS) -> None:
    """No descriptor and no process is left by a look."""
    config, _ = cluster_of(tmp_path, capsys)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        assert offline.look(glance(str(config)))["storage"]["fault"] is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before
