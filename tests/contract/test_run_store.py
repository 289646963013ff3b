"""`ports.RunStore`: the fake and the files; what a daemon that dies leaves for the next one."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acmd.core.calls import Kind
from acmd.core.lease import lease_name
from acmd.core.state import Lease, Remembered
from acmd.core.timing import Instant
from acmd.drivers.run_store import FileRunStore
from acmd.errors import AcmdError
from acmd.ports import LocalFailure, RunStore
from tests.contract.storage_kit import ALL_OPS, CLUSTER_ID, directory_rig, gone, mounted, raw
from tests.fakes.run_store import FakeRunStore
from tests.tree import ROOT

LEASE = Lease(3, "try", "inc", 77, 5, 4, 4, Instant(1, 2), ("x", "y"), 9, raw=b"raw", outstanding=5)
REMEMBERED = Remembered("boot", LEASE, 1)
Change = Callable[[], object]
BACK = Remembered("boot", LEASE._replace(raw=b""), 1)


def files(tmp_path: Path, cluster_id: str = CLUSTER_ID) -> FileRunStore:
    """A store on local files, its directories made."""
    store = FileRunStore(tmp_path / "run" / "c", tmp_path / "lib" / "c", cluster_id)
    store.prepare()
    return store


@pytest.fixture(params=["fake", "files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    """Both implementations of the port."""
    return FakeRunStore() if request.param == "fake" else files(tmp_path)


# ---------------------------------------------------------------- the port


def test_nothing_at_first(store: RunStore) -> None:
    """Nothing is remembered, and no epoch is known; erasing nothing is fine."""
    assert store.load() is None
    assert store.highest_epoch() == -1
    store.erase()
    store.probe()


def test_remembering(store: RunStore) -> None:
    """The last lease that was remembered comes back, except for its raw record; erased, it is gone."""
    store.remember(REMEMBERED)
    other = REMEMBERED._replace(lease=LEASE._replace(unfenced=(), detached=True), restarts=2)
    store.remember(other)
    found = store.load()
    assert found == other._replace(lease=other.lease._replace(raw=b""))
    store.erase()
    assert store.load() is None


def test_the_highest_epoch_only_grows(store: RunStore) -> None:
    """A lower epoch does not replace a higher one."""
    for epoch in (4, 3, 4, 10):
        store.note_epoch(epoch)
    assert store.highest_epoch() == 10


# ---------------------------------------------------------------- files


def test_it_outlives_the_daemon(tmp_path: Path) -> None:
    """Another process' store finds the same; files have mode 0600, directories 0700."""
    store = files(tmp_path)
    store.remember(REMEMBERED)
    store.note_epoch(8)
    again = files(tmp_path)
    assert again.load() == BACK
    assert (again.highest_epoch(), again.known_cluster()) == (8, CLUSTER_ID)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o600}
    assert {(tmp_path / part / "c").stat().st_mode & 0o777 for part in ("run", "lib")} == {0o700}
    assert not [name for name in modes if name.endswith(".new")]


def test_the_highest_epoch_of_another_cluster_does_not_count(tmp_path: Path) -> None:
    """After a new `acmd init` under the same name the old cluster's number is no memory of this one."""
    files(tmp_path).note_epoch(8)
    other = files(tmp_path, "another")
    assert (other.highest_epoch(), other.known_cluster()) == (-1, CLUSTER_ID)
    other.note_epoch(2)
    assert (other.highest_epoch(), other.known_cluster()) == (2, "another")


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    """One daemon for a host and cluster; the refusal names its process. The lock ends with it."""
    first, second = files(tmp_path), files(tmp_path)
    first.lock()
    with pytest.raises(AcmdError, match=rf"another acmd daemon \(process {os.getpid()}\) already runs"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'{"v": 2}', b"\xff" * 100, b"[" * 2000, b"x" * 10_000],
    ids=["empty", "torn", "null", "list", "future", "garbage", "deep", "oversized"],
)
def test_files_that_cannot_be_understood(content: bytes, tmp_path: Path) -> None:
    """They count as absent: nothing is adopted, and no traceback."""
    store = files(tmp_path)
    (tmp_path / "run/c/lease.json").write_bytes(content)
    (tmp_path / "lib/c/highest").write_bytes(content)
    assert store.load() is None
    assert (store.highest_epoch(), store.known_cluster()) == (-1, "")
    store.note_epoch(1)
    assert store.highest_epoch() == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_one_wrong_byte(tmp_path: Path, at: int, byte: int) -> None:
    """A file with a byte changed is either understood as it was or not at all."""
    store = files(tmp_path)
    store.remember(REMEMBERED)
    path = tmp_path / "run/c/lease.json"
    content = bytearray(path.read_bytes())
    content[at] = byte
    path.write_bytes(content)
    assert store.load() in (BACK, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("epoch", "3"), ("epoch", True), ("issued", [1]), ("unfenced", [1]), ("attempt", None), ("detached", 0)],
)
def test_fields_of_the_wrong_type(field: str, value: object, tmp_path: Path) -> None:
    """A lease with a field of another type is not adopted, even when its checksum is right."""
    from acmd.drivers.run_store.files import sealed

    lease = BACK.lease._asdict() | {field: value}
    del lease["raw"]
    store = files(tmp_path)
    (tmp_path / "run/c/lease.json").write_bytes(sealed({"boot": "b", "restarts": 0, "lease": lease}))
    assert store.load() is None


def test_a_directory_swapped_for_a_link_is_refused(tmp_path: Path) -> None:
    """Every change fails with a remedy; what lies behind the link is neither read nor touched."""
    store = files(tmp_path)
    store.remember(REMEMBERED)
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "run/c").rename(elsewhere)
    (tmp_path / "run/c").symlink_to(elsewhere)
    changes: list[Change] = [store.erase, store.probe, store.lock, store.prepare]
    for change in (lambda: store.remember(REMEMBERED), *changes):
        with pytest.raises(LocalFailure, match="link"):
            change()
    assert store.load() is None
    assert sorted(path.name for path in elsewhere.iterdir()) == ["lease.json"]


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    """Somebody could forge what acmd remembers."""
    store = files(tmp_path)
    store.remember(REMEMBERED)
    (tmp_path / "run/c").chmod(0o777)
    with pytest.raises(LocalFailure, match="mode 0777"):
        store.remember(REMEMBERED)
    assert store.load() is None


def test_a_missing_directory(tmp_path: Path) -> None:
    """It is a LocalFailure with the path; loading finds nothing."""
    store = FileRunStore(tmp_path / "run", tmp_path / "lib", CLUSTER_ID)
    assert (store.load(), store.highest_epoch()) == (None, -1)
    changes: list[Change] = [store.erase, store.lock, lambda: store.note_epoch(1)]
    for change in (lambda: store.remember(REMEMBERED), *changes):
        with pytest.raises(LocalFailure, match=str(tmp_path)):
            change()


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """The file behind it stays as it is."""
    store = files(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("lease.json.new", "daemon.lock"):
        (tmp_path / "run/c" / name).symlink_to(victim)
    with pytest.raises(LocalFailure, match="link"):
        store.remember(REMEMBERED)
    with pytest.raises(LocalFailure, match="link"):
        store.lock()
    assert victim.read_text() == "precious"


# ---------------------------------------------------------------- on file systems that fail


def test_a_full_file_system(tmp_path: Path) -> None:
    """What is there is replaced in place, which needs no room; what is not there fails with a remedy."""
    with mounted(tmp_path) as faults:
        store = FileRunStore(faults.mountpoint / "run", faults.mountpoint / "lib", CLUSTER_ID)
        store.prepare()
        store.remember(REMEMBERED)
        faults.add("errno", "create", error=errno.ENOSPC)
        changed = REMEMBERED._replace(restarts=4)
        store.remember(changed)
        assert store.load() == BACK._replace(restarts=4)
        with pytest.raises(LocalFailure, match="No space left"):
            store.probe()
        with pytest.raises(LocalFailure, match="No such file"):
            store.note_epoch(3)  # there was none yet, so there is nothing to write in place
        store.erase()
        assert store.load() is None


@pytest.mark.parametrize("operation", ["create", "write", "rename", "fsync", "unlink"])
def test_a_read_only_or_broken_file_system(operation: str, tmp_path: Path) -> None:
    """Each failing operation is a LocalFailure, and what was remembered before is still there."""
    with mounted(tmp_path) as faults:
        store = FileRunStore(faults.mountpoint / "run", faults.mountpoint / "lib", CLUSTER_ID)
        store.prepare()
        store.remember(REMEMBERED)
        store.note_epoch(1)
        faults.add("errno", operation, error=errno.EROFS)
        changes: list[Change] = [lambda: store.remember(REMEMBERED), store.erase, lambda: store.note_epoch(2)]
        said = [failure for change in changes if (failure := failure_of(change))]
        assert said
        assert all("read-only" in failure for failure in said)
        faults.clear()
        assert store.highest_epoch() >= 1
        assert operation != "unlink" or store.load() == BACK


def failure_of(change: Change) -> str:
    """What it raises, "" when it works."""
    try:
        change()
    except LocalFailure as failure:
        return str(failure)
    return ""


# ---------------------------------------------------------------- the mark of the last write


@pytest.mark.asyncio
async def test_a_write_that_returned_is_not_outstanding(tmp_path: Path) -> None:
    """After a renewal returned, an adopting daemon may go on at once."""
    async with directory_rig(tmp_path) as r:
        r.put(lease_name(3), raw(3))
        inode = await r.inode(3)
        store = FileRunStore(r.run_dir, tmp_path / "lib")
        store.prepare()
        store.remember(REMEMBERED)
        assert load_outstanding(store) == 5  # no mark at all proves nothing
        assert (await r.call(Kind.WRITE, 3, raw(3, 5), inode, 5)).fault is None
        assert load_outstanding(store) == 5  # the worker lives, and might have a request before it
        await r.store.close()
        assert load_outstanding(store) == -1
        store.remember(REMEMBERED._replace(lease=LEASE._replace(sequence=6, outstanding=6)))
        assert load_outstanding(store) == -1  # it was never issued
        store.remember(REMEMBERED._replace(lease=LEASE._replace(epoch=4)))
        assert load_outstanding(store) == -1  # of that epoch none was
        (r.run_dir / "write.json").write_text("garbage")
        assert load_outstanding(store) == 5


def load_outstanding(store: FileRunStore) -> int:
    """Of the lease that is loaded."""
    found = store.load()
    assert found is not None
    return found.lease.outstanding


def test_a_write_that_was_cut_short_is_outstanding(tmp_path: Path) -> None:
    """A worker killed in its call leaves the mark of a write that was issued and did not return."""
    store = files(tmp_path)
    store.remember(REMEMBERED)
    worker = (
        "import os, sys; from acmd.drivers.lease_worker.marker import WriteMarker; "
        "WriteMarker(sys.argv[1]).issued(3, 5); os._exit(9)"
    )
    command = [sys.executable, "-c", worker, str(tmp_path / "run/c")]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    assert load_outstanding(store) == 5


def test_a_worker_finishes_its_write_after_the_daemon_died(tmp_path: Path) -> None:
    """kill -9 of the daemon in a renewal: outstanding while that hangs; then it lands, and is noted."""
    with mounted(tmp_path) as faults:
        daemon, store = start_daemon(faults.mountpoint, tmp_path)
        (faults.backing / lease_name(3)).write_bytes(raw(3))
        rule = faults.add("stall", *ALL_OPS)
        pids = issue_and_kill(daemon, faults.backing / lease_name(3))
        wait_until(lambda: gone(pids[0]))  # the nursery goes at once
        assert not gone(pids[-1])
        assert load_outstanding(store) == 5
        faults.clear(rule)
        wait_until(lambda: all(gone(pid) for pid in pids))
        assert (faults.backing / lease_name(3)).read_bytes() == raw(3, 5)
        assert load_outstanding(store) == -1
        assert json.loads((tmp_path / "run/c/write.json").read_text())["returned"] == 5


_DAEMON = """
import asyncio, sys
from pathlib import Path
from acmd.core.calls import Call, Kind
from acmd.drivers.clock import SystemClock
from acmd.drivers.lease_directory import LeaseDirectory
from tests.contract.storage_kit import raw

async def main() -> None:
    store = LeaseDirectory(Path(sys.argv[1]), "a", 60 * 10**9, SystemClock(), Path(sys.argv[2]))
    inode = int(await asyncio.to_thread(input))
    store.issue(Call(1, Kind.WRITE, 3, raw(3, 5), "", inode, 5))
    while len(store.workers.pids()) < 2:
        await asyncio.sleep(0.01)
    print(*store.workers.pids(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def start_daemon(directory: Path, tmp_path: Path) -> tuple[subprocess.Popen[str], FileRunStore]:
    """A process that renews once, and what it remembered before."""
    store = files(tmp_path)
    store.remember(REMEMBERED)
    command = [sys.executable, "-c", _DAEMON, str(directory), str(tmp_path / "run/c")]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    daemon = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return daemon, store


def issue_and_kill(daemon: subprocess.Popen[str], lease: Path) -> list[int]:
    """Let it issue the renewal, kill it when the worker is in it; the pids of nursery and worker."""
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    daemon.stdin.write(f"{lease.stat().st_ino}\n")
    daemon.stdin.flush()
    pids = [int(pid) for pid in daemon.stdout.readline().split()]
    mark = lease.parents[1] / "run/c/write.json"
    wait_until(lambda: mark.exists() and '"issued": 5' in mark.read_text())
    daemon.kill()
    daemon.wait()
    daemon.stdin.close()
    daemon.stdout.close()
    return pids


def wait_until(holds: Callable[[], bool]) -> None:
    """Ten seconds at most."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
