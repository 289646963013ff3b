"""`guard.landed`: the proof that nothing is still on its way to network storage."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from acmd.drivers.drain import FileSystemDrain
from acmd.guard import landed
from acmd.guard.landed import Mount

SERVER = "192.0.2.10"
TABLE = f"""22 1 8:1 / / rw,relatime - ext4 /dev/root rw
40 22 0:52 / /shared\\040data rw - nfs4 192.0.2.10:/export rw,vers=4.2,hard,addr={SERVER}
41 22 0:53 / /mnt/acm/acmd rw - nfs store:/lease rw,vers=3,softerr
42 22 0:54 / /fuse rw - fuse.passthrough none rw
broken line
"""
# As Linux 6.1 writes them: net/sunrpc/debugfs.c, tasks_show().
READING = "   12 0801      0 0x1 0xa 0x7a120 nfs_pgio_common_ops nfsv4 READ a:call_status q:xprt_pending\n"
WRITING = "   13 0801      0 0x1 0xb 0x7a120 nfs_pgio_common_ops nfsv4 WRITE a:call_status q:xprt_pending\n"
COMMITTING = "   14 0801 -11 0x1 0xc 0 nfs_commit_ops nfsv3 COMMIT a:call_reserveresult q:none\n"


def clients(place: Path, *tasks: str, address: str = SERVER) -> str:
    """A made-up debugfs with one RPC client for each text of tasks."""
    for number, text in enumerate(tasks):
        client = place / str(number)
        (client / "xprt").mkdir(parents=True, exist_ok=True)
        (client / "tasks").write_text(text)
        (client / "xprt/info").write_text(f"netid: tcp\naddr:  {address}\nport:  2049\nstate: 0x1\n")
    return str(place)


def test_the_mounts_that_count() -> None:
    """Network file systems with device, place and server; local ones, FUSE and nonsense are left out."""
    assert landed.network_mounts(TABLE) == [
        Mount(os.makedev(0, 52), "/shared data", SERVER),
        Mount(os.makedev(0, 53), "/mnt/acm/acmd", ""),
    ]


def test_what_is_not_known() -> None:
    """`*DIRECTORY` stands for every network mount but the one that is there for that directory."""
    mounts = landed.network_mounts(TABLE)
    assert landed.places(("/a", "*/mnt/acm/acmd"), mounts) == ["/a", "/shared data"]
    assert landed.places(("/a", "*/mnt/acm/acmd/below"), mounts) == ["/a", "/shared data"]
    assert landed.places(("*/elsewhere",), mounts) == ["/shared data", "/mnt/acm/acmd"]
    assert landed.places(("*/elsewhere",), []) == []


def test_the_cluster_s_own_mount_by_a_link(tmp_path: Path) -> None:
    """Links before a mount are followed, nothing is looked at behind it."""
    point = tmp_path / "mnt/acm_data"
    point.mkdir(parents=True)
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/acm").symlink_to("../mnt/acm_data")
    mounts = [Mount(1, str(point), ""), Mount(2, "/data", "")]
    assert landed.places((f"*{tmp_path}/opt/acm/acmd",), mounts) == ["/data"]
    (point / "acmd").symlink_to("/data")  # behind the mount: not looked at
    assert landed.places((f"*{tmp_path}/opt/acm/acmd",), mounts) == ["/data"]
    assert landed.places((f"*{tmp_path}/opt/acm/deeper/acmd",), mounts) == [str(point), "/data"]


@pytest.mark.parametrize(
    ("tasks", "count"), [((READING,), 0), ((WRITING + READING,), 1), ((WRITING, COMMITTING), 2), (("",), 0)]
)
def test_outstanding_requests(tmp_path: Path, tasks: tuple[str, ...], count: int) -> None:
    """What changes files counts, what reads does not."""
    assert landed.outstanding(SERVER, clients(tmp_path, *tasks)) == count


def test_requests_to_another_server(tmp_path: Path) -> None:
    """They do not count; where the mount does not tell its server, all do."""
    place = clients(tmp_path, WRITING, address="192.0.2.100")
    assert landed.outstanding(SERVER, place) == 0
    assert landed.outstanding("", place) == 1


def test_without_debugfs(tmp_path: Path) -> None:
    """Not to be seen is not the same as none."""
    assert landed.outstanding(SERVER, str(tmp_path / "absent")) is None
    assert landed.outstanding(SERVER, str(tmp_path)) is None


def test_the_proof_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a write outstanding there is no proof; once it has ended there is."""
    data, rpc = tmp_path / "data", tmp_path / "rpc"
    data.mkdir()
    place = clients(rpc, WRITING)
    device = data.stat().st_dev
    table = tmp_path / "mountinfo"
    table.write_text(
        f"1 1 {os.major(device)}:{os.minor(device)} / {data} rw - nfs4 store:/ rw,addr={SERVER}\n"
    )
    monkeypatch.setattr(landed, "MOUNTS", str(table))
    proven = threading.Event()

    def prove() -> None:
        landed.prove((str(data),), place)
        proven.set()

    thread = threading.Thread(target=prove)
    thread.start()
    assert not proven.wait(0.3)
    (rpc / "0/tasks").write_text(READING)
    assert proven.wait(10)
    thread.join()


def test_as_a_program(tmp_path: Path) -> None:
    """As the daemon runs it: 0 when proven, something else for a place that is not there."""
    program = [sys.executable, "-I", "-S", landed.__file__]
    assert subprocess.run([*program, str(tmp_path), "*/none"], check=False).returncode == 0
    absent = subprocess.run([*program, str(tmp_path / "absent")], check=False, capture_output=True)
    assert absent.returncode != 0


@pytest.mark.asyncio
async def test_the_daemon_s_drain_asks_for_it(tmp_path: Path) -> None:
    """On a host with network file systems the whole proof is asked for, elsewhere a sync; both end well."""
    absent = str(tmp_path / "absent")
    assert await FileSystemDrain((str(tmp_path), "*/none"), 20, network=lambda: True).drained()
    assert not await FileSystemDrain((absent,), 20, network=lambda: True).drained()
    assert await FileSystemDrain((str(tmp_path), "*/none"), 20, network=lambda: False).drained()
    assert not await FileSystemDrain((absent,), 20, network=lambda: False).drained()
    assert await FileSystemDrain(("*/none",), 20, network=lambda: False).drained()
