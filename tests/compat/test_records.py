"""Every version's records are read by this one: a cluster whose nodes are upgraded one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import acmd
from acmd.core import nodefile, orders
from acmd.core.lease import LeaseState, Record, decode, encode, lease_name
from acmd.core.timing import PROFILES
from acmd.drivers.cluster_directory import ClusterFile, cluster_file, document
from acmd.drivers.run_store import FileRunStore
from tests.compat import keep

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "cluster.json").exists())


@pytest.fixture(params=VERSIONS)
def kept(request: pytest.FixtureRequest) -> Path:
    """One version's directory."""
    return HERE / str(request.param)


@pytest.fixture
def cluster(kept: Path) -> ClusterFile:
    """What its cluster.json says."""
    return cluster_file((kept / "cluster.json").read_bytes())


def content(kept: Path, cluster: ClusterFile, name: str, key: str, expected: object) -> dict[str, object]:
    """What a document of it says."""
    found = document(name, (kept / name).read_bytes(), cluster.cluster_id, key, expected)
    assert found.content is not None, found
    return found.content


def test_the_cluster(cluster: ClusterFile) -> None:
    """Id, name, tier and timing."""
    assert (cluster.name, cluster.tier, cluster.created_at) == ("compat", "mysql", keep.AT)
    assert cluster.timing == PROFILES["standard"]


@pytest.mark.parametrize("index", range(3))
def test_leases(kept: Path, cluster: ClusterFile, index: int) -> None:
    """Held, released and detached, every field; and written again they are the same bytes."""
    record = keep.records(cluster.cluster_id)[index]
    raw = (kept / lease_name(record.epoch)).read_bytes()
    assert decode(raw, cluster.cluster_id, record.epoch) == record
    assert encode(record) == raw


def test_the_first_lease(kept: Path, cluster: ClusterFile) -> None:
    """Epoch 0, as `acmd init` makes it, is released."""
    first = decode((kept / lease_name(0)).read_bytes(), cluster.cluster_id, 0)
    assert isinstance(first, Record)
    assert first.state is LeaseState.RELEASED


def test_node_files(kept: Path, cluster: ClusterFile) -> None:
    """What it said of itself; what later versions added has its default."""
    found = nodefile.from_content(content(kept, cluster, "nodes/alpha.json", "node", "alpha"))
    assert isinstance(found, nodefile.NodeFile)
    wanted = nodefile.to_content(keep.NODE) | {"version": kept.name}
    assert nodefile.to_content(found) == json.loads(json.dumps(wanted))


def test_commands(kept: Path, cluster: ClusterFile) -> None:
    """All orders in force."""
    found = orders.from_content(content(kept, cluster, "control/0000000001.json", "number", 1))
    assert found == keep.ORDERS


def test_adoption(kept: Path, tmp_path: Path) -> None:
    """What a daemon left in /run, for the one of this version that is started by an upgrade."""
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    (run / "lease.json").write_bytes((kept / "run/lease.json").read_bytes())
    assert FileRunStore(run, tmp_path / "lib").load() == keep.REMEMBERED


def unknown_key(raw: bytes) -> bytes:
    """As a later version may write it."""
    wire = json.loads(raw)
    wire["content"]["later"] = {"unknown": [1]}
    wire["later"] = "unknown"
    return json.dumps(wire).encode()


@pytest.mark.parametrize(
    ("name", "key", "expected", "read"),
    [
        ("nodes/alpha.json", "node", "alpha", nodefile.from_content),
        ("control/0000000001.json", "number", 1, orders.from_content),
    ],
)
def test_what_later_versions_add(
    kept: Path, cluster: ClusterFile, name: str, key: str, expected: object, read: Callable[..., object]
) -> None:
    """The other way round, while versions are mixed: keys that this one does not know are passed over."""
    raw = (kept / name).read_bytes()
    known = document(name, raw, cluster.cluster_id, key, expected)
    more = document(name, unknown_key(raw), cluster.cluster_id, key, expected)
    assert more.content is not None
    assert read(more.content) == read(known.content)


def test_this_version_is_kept() -> None:
    """Nobody releases without keeping the records: README.md says how."""
    assert acmd.__version__ in VERSIONS


def test_the_writer_still_works(tmp_path: Path) -> None:
    """What keeps the next release's records writes files of the same names as before, or more."""
    keep.keep(tmp_path / "now")
    names = {str(path.relative_to(tmp_path / "now")) for path in (tmp_path / "now").rglob("*.json")}
    newest = HERE / VERSIONS[-1]
    assert names >= {str(path.relative_to(newest)) for path in newest.rglob("*.json")}
