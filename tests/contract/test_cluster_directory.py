"""`drivers.cluster_directory` on the fake, on a plain directory and on a file system that fails."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmd.core.board import DIRECTORIES, DOCUMENT_LIMIT, NEWEST_LEASES_STAY
from acmd.core.calls import Fault, Kind, StorageFault
from acmd.core.lease import LeaseState, Record, decode, lease_name
from acmd.core.timing import PROFILES
from acmd.drivers.cluster_directory import (
    ClusterDirectory,
    ClusterDirectoryError,
    cluster_file,
    document,
    timing_differences,
)
from acmd.ports import Control, Document
from tests.contract.storage_kit import KINDS, FakeRig, Rig, directory_rig, fault_rig, raw, rig

STANDARD = PROFILES["standard"]
on_all = pytest.mark.parametrize("kind", KINDS)


@contextlib.asynccontextmanager
async def empty(kind: str, tmp_path: Path, limit_s: float = 5.0) -> AsyncIterator[Rig]:
    """A directory that belongs to no cluster yet."""
    async with rig(kind, tmp_path, limit_s) as r:
        r.remove("cluster.json")
        r.remove(lease_name(0))
        yield r


def board(r: Rig, node: str = "a", limit_s: float = 5.0) -> ClusterDirectory:
    """The driver, as a node uses it."""
    return ClusterDirectory(r.store, "/shared", node, limit_s)


@contextlib.asynccontextmanager
async def cluster(kind: str, tmp_path: Path) -> AsyncIterator[tuple[Rig, ClusterDirectory]]:
    """One that was initialised."""
    async with empty(kind, tmp_path) as r:
        directory = board(r)
        await directory.initialise("prod", STANDARD, 1_700_000_000, "mysql")
        yield r, directory


# ---------------------------------------------------------------- init


@on_all
@pytest.mark.asyncio
async def test_initialise(kind: str, tmp_path: Path) -> None:
    """`init` makes cluster.json, the directories, and epoch 0 as released; both nodes read the same."""
    async with empty(kind, tmp_path) as r:
        made = await board(r).initialise("prod", STANDARD, 1_700_000_000, "mysql")
        assert (made.name, made.tier, made.timing, made.created_at) == (
            "prod",
            "mysql",
            STANDARD,
            1_700_000_000,
        )
        assert await board(r, "b").read() == made
        assert made.raw == r.get("cluster.json")
        first = decode(r.get(lease_name(0)), made.cluster_id, 0)
        assert isinstance(first, Record)
        assert (first.state, first.duration_ms) == (LeaseState.RELEASED, 12_000)
        assert (await r.call(Kind.LINK, 1, raw(1))).fault is None
        assert await board(r, "b").read_control() == Control(-1, Document("", None))


@on_all
@pytest.mark.asyncio
async def test_initialise_twice(kind: str, tmp_path: Path) -> None:
    """A directory that belongs to a cluster is refused by that cluster's name and tier; nothing changes."""
    async with cluster(kind, tmp_path) as (r, _):
        before = r.get("cluster.json")
        with pytest.raises(
            ClusterDirectoryError, match=r"already belongs to the cluster 'prod' .* tier 'mysql'"
        ):
            await board(r).initialise("other", STANDARD, 0)
        assert r.get("cluster.json") == before


@on_all
@pytest.mark.asyncio
async def test_initialise_a_directory_in_use(kind: str, tmp_path: Path) -> None:
    """Anything in it that is not acmd's is named; nothing is made."""
    async with empty(kind, tmp_path) as r:
        r.put("my-thesis.tex", b"")
        with pytest.raises(ClusterDirectoryError, match=r"not empty: it holds my-thesis\.tex"):
            await board(r).initialise("prod", STANDARD, 0)
        r.remove("my-thesis.tex")
        await board(r).initialise("prod", STANDARD, 0)


@on_all
@pytest.mark.asyncio
async def test_reading_no_cluster(kind: str, tmp_path: Path) -> None:
    """A directory without cluster.json is not a cluster's: mount the storage, or `acmd init`."""
    async with empty(kind, tmp_path) as r:
        with pytest.raises(ClusterDirectoryError, match="acmd init"):
            await board(r).read()


@pytest.mark.asyncio
async def test_what_init_leaves(tmp_path: Path) -> None:
    """Modes: directories 0750, files 0640; nothing is left in tmp/; a missing directory is not made."""
    async with directory_rig(tmp_path) as r:
        for path in (*r.real.iterdir(),):
            path.rmdir() if path.is_dir() else path.unlink()
        await board(r).initialise("prod", STANDARD, 0)
        assert {(r.real / name).stat().st_mode & 0o777 for name in DIRECTORIES} == {0o750}
        files = [path for path in r.real.rglob("*") if path.is_file()]
        assert {path.stat().st_mode & 0o777 for path in files} == {0o640}
        assert sorted(path.name for path in files) == ["cluster.json", lease_name(0)]
        r.real.rename(tmp_path / "unmounted")
        with pytest.raises(ClusterDirectoryError, match="mount the shared storage"):
            await board(r).initialise("prod", STANDARD, 0)
        (tmp_path / "unmounted").rename(r.real)


@pytest.mark.parametrize("operation", ["mkdir", "create", "write", "link", "fsyncdir", "unlink"])
@pytest.mark.asyncio
async def test_an_init_that_fails_can_be_repeated_or_works(operation: str, tmp_path: Path) -> None:
    """At whatever step storage fails: a second `init` succeeds, or says that the directory works already."""
    async with fault_rig(tmp_path, limit_s=5) as r:
        for path in (*r.real.iterdir(),):
            path.rmdir() if path.is_dir() else path.unlink()
        for skip in range(3):
            r.faults.add("errno", operation, skip=skip, count=1, error=errno.EROFS)
            with contextlib.suppress(ClusterDirectoryError):
                await board(r).initialise("prod", STANDARD, 0)
            r.faults.clear()
        with contextlib.suppress(ClusterDirectoryError):
            await board(r).initialise("prod", STANDARD, 0)
        assert (await board(r).read()).name == "prod"
        assert (await r.call(Kind.LINK, 1, raw(1))).fault is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff\x00", b'{"v": 1}', b"[" * 4000, b" " * 5000, b'{"v": true}'],
)
def test_a_cluster_file_that_cannot_be_understood(content: bytes) -> None:
    """It is one clear error with a remedy."""
    with pytest.raises(ClusterDirectoryError, match=r"cluster\.json cannot be understood") as refusal:
        cluster_file(content)
    assert "restore it" in refusal.value.remedy


def test_a_cluster_file_of_the_future() -> None:
    """It names both formats and says to upgrade."""
    with pytest.raises(ClusterDirectoryError, match="format 7; this acmd knows 1"):
        cluster_file(b'{"v": 7}')


@given(st.binary(max_size=300))
def test_any_cluster_file(content: bytes) -> None:
    """Whatever the bytes, nothing but a ClusterDirectoryError is raised."""
    with pytest.raises(ClusterDirectoryError):
        cluster_file(content)


@pytest.mark.parametrize("value", ["12", None, True, float("nan"), float("inf"), [12]])
def test_a_timing_that_is_no_number(value: Any) -> None:
    """A duration of another type is refused, not guessed."""
    names = ("heartbeat", "renew_deadline", "stop_budget", "kill_deadline", "kill_budget")
    timing: dict[str, Any] = {f"{name}_s": 1 for name in names}
    timing |= {"reset_margin_s": 1, "lease_duration_s": value, "takeover_wait_s": 1, "clock_rate_error": 0.1}
    wire = {"v": 1, "id": "i", "name": "n", "tier": "", "created_at": 0, "timing": timing}
    with pytest.raises(ClusterDirectoryError):
        cluster_file(json.dumps(wire).encode())


def test_timing_differences() -> None:
    """A node whose timing differs is told both values of each that does."""
    assert timing_differences(STANDARD, STANDARD) == []
    said = timing_differences(STANDARD, PROFILES["fast"])
    assert said[0] == "heartbeat_s is 0.4 in this node's configuration, but 1 in cluster.json"
    assert len(said) == 8


# ---------------------------------------------------------------- node files


@on_all
@pytest.mark.asyncio
async def test_node_files(kind: str, tmp_path: Path) -> None:
    """Each node's newest content is seen by all."""
    async with cluster(kind, tmp_path) as (r, a):
        b = board(r, "b")
        await b.read()
        await a.write_node({"role": "passive"})
        await a.write_node({"role": "active", "text": "ü" * 100})
        await b.write_node({})
        expected = (Document("a", {"role": "active", "text": "ü" * 100}), Document("b", {}))
        assert await a.read_nodes() == expected
        assert await b.read_nodes() == expected


@on_all
@pytest.mark.asyncio
async def test_bad_node_files(kind: str, tmp_path: Path) -> None:
    """Truncated, garbage, oversized, foreign, future, misnamed: each has a defect; the rest is read."""
    async with cluster(kind, tmp_path) as (r, a):
        await a.write_node({"fine": True})
        good = r.get("nodes/a.json")
        foreign = json.dumps(json.loads(good) | {"cluster": "other"}).encode()
        future = json.dumps(json.loads(good) | {"v": 2}).encode()
        for name, content in (
            ("truncated", good[:20]),
            ("garbage", bytes(range(256))),
            ("oversized", good + b" " * DOCUMENT_LIMIT),
            ("foreign", foreign),
            ("future", future),
            ("misnamed", good),
            ("deep", b"[" * 5000),
            ("empty", b""),
        ):
            r.put(f"nodes/{name}.json", content)
        r.put("nodes/README", b"not a node")
        found = {item.name: item for item in await a.read_nodes()}
        assert found.pop("a") == Document("a", {"fine": True})
        assert all(item.content is None for item in found.values())
        assert {name: item.defect.split()[0] for name, item in found.items()} == {
            "truncated": "not",
            "garbage": "not",
            "oversized": "larger",
            "foreign": "of",
            "future": "format",
            "misnamed": "its",
            "deep": "not",
            "empty": "not",
        }


@given(
    st.binary(max_size=200)
    | st.text().map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_document(content: bytes) -> None:
    """Whatever the bytes, a document is its content or a defect."""
    found = document("a", content, "cluster", "node", "a")
    assert (found.content is None) == bool(found.defect)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden"])
def test_names_that_would_leave_the_directory(name: str) -> None:
    """A node's name becomes part of a path."""
    with pytest.raises(ClusterDirectoryError, match="cannot be a node's name"):
        board(FakeRig(), name)


@pytest.mark.asyncio
async def test_a_link_among_the_node_files_is_left_out(tmp_path: Path) -> None:
    """It is not followed, and the others are read."""
    async with cluster("directory", tmp_path) as (_, a):
        await a.write_node({})
        (tmp_path / "shared/nodes/link.json").symlink_to("/etc/passwd")
        assert [item.name for item in await a.read_nodes()] == ["a"]


# ---------------------------------------------------------------- commands


@on_all
@pytest.mark.asyncio
async def test_commands(kind: str, tmp_path: Path) -> None:
    """The highest number wins, for every node; a number is given once."""
    async with cluster(kind, tmp_path) as (r, a):
        b = board(r, "b")
        await b.read()
        assert await a.post_control(0, {"all_disabled": True})
        assert not await b.post_control(0, {"all_disabled": False})
        assert (await b.read_control()) == Control(0, Document("0", {"all_disabled": True}))
        assert await b.post_control(1, {"all_disabled": False})
        for node in (a, b, a):
            assert (await node.read_control()) == Control(1, Document("1", {"all_disabled": False}))
        r.put("control/0000000007.json", b"garbage")
        found = await a.read_control()
        assert (found.number, found.document.content) == (7, None)
        assert found.document.defect
        r.put("control/9.json", b"a stranger")
        assert (await b.read_control()).number == 7
        r.remove("control/0000000007.json")
        assert (await a.read_control()).number == 1


@pytest.mark.asyncio
async def test_a_command_whose_link_succeeded_but_reports_eexist(tmp_path: Path) -> None:
    """The bytes decide whose command it is."""
    async with fault_rig(tmp_path, limit_s=5) as r:
        directory = board(r)
        r.faults.add("done-error", "link", error=errno.EEXIST, count=1)
        assert await directory.post_control(0, {"x": 1})
        r.faults.add("errno", "link", error=errno.EROFS, count=1)
        with pytest.raises(StorageFault, match="read-only"):
            await directory.post_control(1, {})


# ---------------------------------------------------------------- limits, housekeeping


@pytest.mark.asyncio
async def test_a_board_that_stalls_costs_the_lease_nothing(tmp_path: Path) -> None:
    """A job without an answer is TIMEOUT, the next BUSY until it returns; lease calls go on meanwhile."""
    async with fault_rig(tmp_path, limit_s=5) as r:
        directory = board(r, limit_s=0.3)
        assert await directory.read_nodes() == ()
        rule = r.faults.add("stall", "opendir", name="nodes")
        for fault in (Fault.TIMEOUT, Fault.BUSY):
            with pytest.raises(StorageFault) as failure:
                await directory.read_nodes()
            assert failure.value.fault is fault
        assert (await r.call(Kind.LIST)).fault is None
        assert r.store.abandoned() == 1
        r.faults.clear(rule)
        while r.store.abandoned():
            assert (await r.call(Kind.LIST)).fault is None
        assert await directory.read_nodes() == ()


@on_all
@pytest.mark.asyncio
async def test_keeping_house(kind: str, tmp_path: Path) -> None:
    """Old leases and commands go to history/, old names in tmp/ go; what is new or newest stays."""
    async with cluster(kind, tmp_path) as (r, a):
        day = 24 * 3600 + 60
        for epoch in range(1, 30):
            old(r, lease_name(epoch), day if epoch < 20 else 0)
            old(r, f"control/{epoch:010d}.json", day)
        old(r, "tmp/claim.abandoned", 3700)
        old(r, "tmp/claim.new", 60)
        await a.prepare_reserve()
        await a.prepare_reserve()
        (reserve,) = [name for name in names(r, "tmp") if name.startswith("reserve.a.")]
        old(r, f"tmp/{reserve}", 10 * day)
        assert await a.keep_house() == 13 + 13 + 1
        leases = [name for name in names(r, "") if name.startswith("lease.")]
        assert len(leases) == NEWEST_LEASES_STAY + 1  # epoch 0 was made just now
        assert lease_name(29) in leases
        assert sorted(names(r, "tmp")) == ["claim.new", reserve]
        assert lease_name(1) in names(r, "history")
        assert await a.keep_house() == 0


@pytest.mark.asyncio
async def test_history_is_bounded() -> None:
    """There the newest 1,000 of each kind stay, and what is younger than 30 days; a run is bounded too."""
    r = FakeRig()
    month_ns = 30 * 24 * 3600 * 10**9
    for epoch in range(1100):
        r.directory.put(f"history/{lease_name(epoch)}", b"", age_ns=month_ns + 1 if epoch < 90 else 0)
        r.directory.put(f"history/{epoch:010d}.json", b"", age_ns=0)
    assert await board(r).keep_house() == 64
    assert await board(r).keep_house() == 26
    assert await board(r).keep_house() == 0


def old(r: Rig, path: str, age_s: float) -> None:
    """A file that was last written so long ago by the server's clock."""
    if isinstance(r, FakeRig):
        r.directory.put(path, b"r" * 512, age_ns=round(age_s * 10**9))
        return
    if "reserve" not in path:
        r.put(path, b"r" * 512)
    assert hasattr(r, "real")
    then = time.time() - age_s
    os.utime(r.real / path, (then, then))


def names(r: Rig, directory: str) -> list[str]:
    """What a directory holds."""
    if isinstance(r, FakeRig):
        prefix = f"{directory}/" if directory else ""
        return [name[len(prefix) :] for name in r.directory.files if name.startswith(prefix)]
    assert hasattr(r, "real")
    return os.listdir(r.real / directory)


@pytest.mark.asyncio
async def test_a_file_that_goes_meanwhile(tmp_path: Path) -> None:
    """Another holder's housekeeping may be faster: a name that is gone is no failure."""
    async with fault_rig(tmp_path, limit_s=5) as r:
        old(r, "tmp/claim.abandoned", 3700)
        r.faults.add("errno", "lookup", name="tmp/claim.abandoned", error=errno.ENOENT)
        assert await board(r).keep_house() == 0
        r.faults.clear()
        r.faults.add("errno", "unlink", name="tmp/claim.abandoned", error=errno.EROFS)
        with pytest.raises(StorageFault, match="read-only"):
            await board(r).keep_house()


# ---------------------------------------------------------------- nodes that are gone, other timing


@on_all
@pytest.mark.asyncio
async def test_a_node_file_is_removed(kind: str, tmp_path: Path) -> None:
    """The file of that node and no other; one that is gone already is fine."""
    async with cluster(kind, tmp_path) as (r, directory):
        for node in ("a", "b"):
            await board(r, node).write_node({"n": 1})
        await directory.remove_node("b")
        await directory.remove_node("b")
        assert [found.name for found in await directory.read_nodes()] == ["a"]


@on_all
@pytest.mark.asyncio
async def test_other_timing(kind: str, tmp_path: Path) -> None:
    """cluster.json gets it and keeps the rest; a file that was changed meanwhile is left alone."""
    async with cluster(kind, tmp_path) as (r, directory):
        found = await directory.read()
        made = await directory.set_timing(found, PROFILES["fast"])
        assert (made.cluster_id, made.name, made.tier, made.timing) == (
            found.cluster_id,
            found.name,
            found.tier,
            PROFILES["fast"],
        )
        assert await board(r, "b").read() == made
        with pytest.raises(ClusterDirectoryError, match=r"cannot change .*changed meanwhile"):
            await directory.set_timing(found, STANDARD)
        assert await board(r, "b").read() == made
