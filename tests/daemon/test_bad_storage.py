"""Bad cluster directories under real daemons: nobody becomes active who must not, and each says why."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from acmd.core.lease import LeaseState, Record, encode, lease_name
from acmd.status import DEFECTS
from tests.daemon.kit import FAST, TAKEOVER_S, Cluster, Node, cluster, stays, wait

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a mount namespace of its own")


def held(cluster_id: str, epoch: int, **more: object) -> bytes:
    """A record of some other node that holds this epoch."""
    base = Record(cluster_id, epoch, 3, "z", "inc", "try", "machine", "boot", 4_500, LeaseState.HELD)
    return encode(base._replace(**more))  # type: ignore[arg-type]


def future(cluster_id: str) -> bytes:
    """A record of a format that nobody knows yet, with a good checksum."""
    head = len(b'{"crc":"01234567",')
    body = held(cluster_id, 1)[head:].replace(b'"v":1', b'"v":2', 1)
    return b'{"crc":"%08x",' % zlib.crc32(body) + body


# ---------------------------------------------------------------- at the start


def no_cluster_file(shared: Path, text: bytes) -> None:
    (shared / "cluster.json").write_bytes(text)


def changed(shared: Path, **change: object) -> None:
    wire = json.loads((shared / "cluster.json").read_text())
    (shared / "cluster.json").write_text(json.dumps({**wire, **change}))


def turned_into_a_link(shared: Path) -> None:
    shared.rename(shared.with_name("elsewhere"))
    shared.symlink_to(shared.with_name("elsewhere"))


REFUSED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "truncated": (
        lambda at: no_cluster_file(at, b'{"v": 1, "id":'),
        "cannot be understood",
        "restore it from a backup",
    ),
    "empty": (lambda at: no_cluster_file(at, b""), "cannot be understood", "restore it from a backup"),
    "garbage": (lambda at: no_cluster_file(at, b"\xff\0" * 300), "cannot be understood", "restore it"),
    "oversized": (
        lambda at: no_cluster_file(at, b" " * 100_000 + b"{}"),
        "cannot be understood",
        "restore it",
    ),
    "future": (lambda at: changed(at, v=2), "has format 2; this acmd knows 1", "upgrade acmd on this node"),
    "other name": (
        lambda at: changed(at, name="prod"),
        "belongs to cluster 'prod'",
        "a directory of its own",
    ),
    "link": (turned_into_a_link, "is a symbolic link", "write /"),
    "mode": (lambda at: at.chmod(0o777), "lets everybody write there", "chmod 0755"),
}
SLOW = {"empty", "garbage", "oversized", "other name"}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.long] if kind in SLOW else []) for kind in REFUSED]
)
def test_refused_at_the_start(kind: str, tmp_path: Path) -> None:
    """A clear error with what to do, exit code 1, no traceback, and nothing was started."""
    spoil, says, remedy = REFUSED[kind]
    with cluster(tmp_path) as made:
        spoil(made.shared)
        done = made.acmd("run", made.node("a"))
        assert done.returncode == 1
        assert says in done.stderr
        assert remedy in done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert made.starts() == []


def test_another_timing(tmp_path: Path) -> None:
    """A node whose timing is not the cluster's does not start, and says both values."""
    with cluster(tmp_path) as made:
        node = made.node("a", FAST + "\nheartbeat_s = 0.5")
        done = made.acmd("run", node)
        assert done.returncode == 1
        assert "timing.heartbeat_s is 0.5 s here, 0.4 s there" in done.stderr


@pytest.mark.long
def test_another_cluster_than_before(tmp_path: Path) -> None:
    """A directory of another cluster under the same path and name is refused by id."""
    with cluster(tmp_path) as made:
        node = made.node("a")
        node.start()
        wait(lambda: node.role() == "active")
        node.signal(signal.SIGTERM)
        wait(lambda: not node.alive())
        shutil.rmtree(made.shared)
        shutil.rmtree(made.root / "init", ignore_errors=True)
        made.init(anew=True)
        done = made.acmd("run", node)
        assert done.returncode == 1
        assert "this node was part of cluster" in done.stderr


def test_storage_that_comes_later(tmp_path: Path) -> None:
    """Missing at the start: the daemon waits and says for what; when it appears it goes on by itself."""
    with cluster(tmp_path) as made:
        away = made.shared.rename(made.root / "away")
        node = made.node("a")
        node.start()
        wait(lambda: node.count("waiting-for-storage") == 1)
        made.shared.mkdir(mode=0o755)  # the mount point without the mount
        stays(lambda: node.alive() and not made.starts(), 1.5)
        assert node.count("waiting-for-storage") <= 2  # once for each fault
        made.shared.rmdir()
        away.rename(made.shared)
        wait(lambda: node.role() == "active", what="it becomes active")
        node.signal(signal.SIGTERM)
        wait(lambda: not node.alive())


def test_told_to_leave_while_waiting(tmp_path: Path) -> None:
    """A daemon that waits for storage ends at once when told to."""
    with cluster(tmp_path, init=False) as made:
        node = made.node("a")
        node.start()
        wait(lambda: node.count("waiting-for-storage") == 1)
        node.signal(signal.SIGTERM)
        assert wait(lambda: not node.alive()) < 3


# ---------------------------------------------------------------- lease records


def flip(raw: bytes) -> bytes:
    return raw[:100] + bytes([raw[100] ^ 1]) + raw[101:]


RECORDS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "zeros": (lambda _: b"\0" * 512, ""),
    "flipped bit": (lambda own: flip(held(own, 1)), ""),
    "truncated": (lambda own: held(own, 1)[:200], "truncated"),
    "empty": (lambda _: b"", "truncated"),
    "oversized": (lambda own: held(own, 1) + b"x" * 1_000_000, "oversized"),
    "foreign": (lambda _: held("11111111-2222-3333-4444-555555555555", 1), "foreign-cluster"),
    "future": (future, "future-format"),
    "other epoch": (lambda own: held(own, 5), "wrong-epoch"),
}
"""Each with the defect for which nothing is ever claimed over it; "": it expires like any other record."""


def test_records_that_nobody_can_read(tmp_path: Path) -> None:
    """Whatever lies there as the highest lease: nobody is active before W, and over most of it never."""
    made: dict[str, tuple[Cluster, Node]] = {}
    try:
        for kind, (make, _) in RECORDS.items():
            place = tmp_path / kind.replace(" ", "-")
            place.mkdir()
            one = Cluster(place)
            one.init()
            own = json.loads((one.shared / "cluster.json").read_text())["id"]
            (one.shared / lease_name(1)).write_bytes(make(own))
            made[kind] = (one, one.node("a"))
        began = time.monotonic()
        for _, node in made.values():
            node.start()
        while time.monotonic() < began + TAKEOVER_S:
            assert not [kind for kind, (one, _) in made.items() if one.starts()]
            time.sleep(0.1)
        for kind, (_, defect) in RECORDS.items():
            one, node = made[kind]
            if defect:
                assert node.status("reason_code") == "refused-record"
                assert f"({lease_name(1)}: {DEFECTS[defect]})" in node.status("reason")
            else:
                wait(one.starts, 3 * TAKEOVER_S, f"a claim after W over a record with a {kind}")
                assert one.starts()[0][1] == 2
        stays(lambda: not any(made[kind][0].starts() for kind in RECORDS if RECORDS[kind][1]), 1.0)
    finally:
        for one, _ in made.values():
            one.close()


@pytest.mark.long
@pytest.mark.parametrize("kind", [kind for kind, (_, defect) in RECORDS.items() if defect])
def test_a_strange_record_that_an_operator_removes(kind: str, tmp_path: Path) -> None:
    """Once it is gone the cluster goes on by itself, with an epoch that was never used."""
    with cluster(tmp_path) as made:
        own = json.loads((made.shared / "cluster.json").read_text())["id"]
        (made.shared / lease_name(1)).write_bytes(RECORDS[kind][0](own))
        node = made.node("a")
        node.start()
        wait(lambda: node.status("reason_code") == "refused-record")
        (made.shared / lease_name(1)).unlink()
        wait(made.starts, 3 * TAKEOVER_S, "a claim")
        assert made.starts()[0][1] == 2


# ---------------------------------------------------------------- full and unwritable


def namespace(node: Node, *mounts: str) -> None:
    """Let the node live in a mount namespace of its own, with these mounts made first."""
    script = " && ".join((*mounts, 'exec "$@"'))
    node.prefix = ("unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh")


def inside(node: Node, path: Path) -> Path:
    """The path as the node sees it."""
    return Path(f"/proc/{node.pid}/root{path}")


def fill(path: Path) -> int:
    """Write until not a byte more fits; how many did."""
    size = 0
    with path.open("wb", buffering=0) as file:
        for piece in (65_536, 4096, 512, 1):
            try:
                while True:
                    size += file.write(b"x" * piece)
            except OSError:
                continue
    return size


@pytest.mark.long
@as_root
def test_a_full_disk(tmp_path: Path) -> None:
    """With the shared disk full an active node stays so beyond W, releases, and the next start claims."""
    with cluster(tmp_path) as made:
        copy = (
            f"cp -a {made.shared}/. {tmp_path}/copy && mount -t tmpfs -o size=1m,mode=755 tmpfs {made.shared}"
        )
        node = made.node("a")
        (tmp_path / "copy").mkdir()
        namespace(node, copy, f"cp -a {tmp_path}/copy/. {made.shared}")
        node.start()
        wait(lambda: node.role() == "active", what="it becomes active")
        shared = inside(node, made.shared)
        wait(lambda: list((shared / "tmp").glob("reserve.a.*")), what="a reserve is there")
        assert fill(shared / "filler") > 100_000
        epoch, pid = node.status("epoch"), node.pid
        wait(lambda: node.count("board-fault") == 1)
        stays(lambda: node.role() == "active" and len(made.starts()) == 1, TAKEOVER_S + 0.5)
        assert node.status("epoch") == epoch
        assert "no-space" in node.said()
        # So that the mounts outlive the daemon.
        keeper = subprocess.Popen(["nsenter", "-t", str(pid), "-m", "sleep", "1000"])
        try:
            wait(lambda: Path(f"/proc/{keeper.pid}/comm").read_text() == "sleep\n")
            node.signal(signal.SIGTERM)
            wait(lambda: not node.alive(), what="it ends")
            assert made.living() == []
            raw = (Path(f"/proc/{keeper.pid}/root{made.shared}") / lease_name(epoch)).read_bytes()
            assert b'"released"' in raw
            node.prefix = ("nsenter", "-t", str(keeper.pid), "-m")
            node.start()
            wait(lambda: node.role() == "active", what="a claim on a full disk")
            assert node.status("epoch") == epoch + 1
        finally:
            keeper.kill()
            keeper.wait()


def only_in_place(run_dir: Path) -> None:
    """No new name can be made there, as on a file system gone read-only."""
    subprocess.run(["chattr", "+i", str(run_dir)], check=True)


def anybodys(run_dir: Path) -> None:
    """Others may write there: what acmd remembers could be forged."""
    run_dir.chmod(0o777)


def mended(run_dir: Path) -> None:
    """As before."""
    subprocess.run(["chattr", "-i", str(run_dir)], capture_output=True)
    run_dir.chmod(0o700)


@pytest.mark.parametrize(
    "spoil",
    [anybodys, pytest.param(only_in_place, marks=[pytest.mark.long, as_root])],
    ids=["mode", "immutable"],
)
def test_an_unwritable_run_directory(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    """While active: the service is gone before D; mended, the node is active again; never a traceback."""
    with cluster(tmp_path) as made:
        node = made.node("a")
        node.start()
        wait(made.living, what="it becomes active")
        spoil(node.run_dir)
        try:
            assert wait(lambda: not made.living(), 6, "its service ends") < 4.5
            assert node.role() != "active"
            stays(lambda: not made.living(), 1.0)
        finally:
            mended(node.run_dir)
        wait(made.living, 15, "it becomes active again")


@as_root
def test_a_read_only_run_directory_at_the_start(tmp_path: Path) -> None:
    """It is refused with what to do."""
    with cluster(tmp_path) as made:
        node = made.node("a")
        node.run_dir.mkdir(mode=0o700)
        namespace(node, f"mount -t tmpfs -o ro,mode=700 tmpfs {node.run_dir}")
        done = made.acmd("run", node)
        assert done.returncode == 1
        assert str(node.run_dir) in done.stderr
        assert "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("spoil", ["mode", "link", "file"])
def test_run_directories_that_are_not_safe(spoil: str, tmp_path: Path) -> None:
    """Writable for others, a link, or no directory at all: refused, with what to do."""
    with cluster(tmp_path) as made:
        node = made.node("a")
        if spoil == "mode":
            node.run_dir.mkdir()
            node.run_dir.chmod(0o777)
        elif spoil == "link":
            (tmp_path / "elsewhere").mkdir()
            node.run_dir.symlink_to(tmp_path / "elsewhere")
        else:
            node.run_dir.write_text("")
        done = made.acmd("run", node)
        assert done.returncode == 1
        assert str(node.run_dir) in done.stderr
        assert "->" in done.stderr
        assert "Traceback" not in done.stderr, done.stderr


@pytest.mark.long
@as_root
def test_a_full_run_directory_at_the_start(tmp_path: Path) -> None:
    """Not a byte free: the daemon says so and ends, or goes on without becoming active; never a traceback."""
    with cluster(tmp_path) as made:
        node = made.node("a")
        node.run_dir.mkdir(mode=0o700)
        mount = f"mount -t tmpfs -o size=16k,mode=700 tmpfs {node.run_dir}"
        namespace(node, mount, f"(dd if=/dev/zero of={node.run_dir}/filler bs=1 2>/dev/null; true)")
        node.start()
        time.sleep(3)
        assert not made.starts()
        assert node.said()
