"""`guard.landed`: the proof that nothing is still on its way to network storage."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.drivers.drain import FileSystemDrain
from acmd.guard import landed
from acmd.guard.landed import Mount, Task

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
ANEW = WRITING.replace("   13", "   15")
NAMELESS = WRITING.replace("   13", "    0")
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
    """`*DIRECTORY` stands for every network mount but one at that directory itself."""
    mounts = landed.network_mounts(TABLE)
    assert landed.places(("/a", "*/mnt/acm/acmd"), mounts) == ["/a", "/shared data"]
    assert landed.places(("*/elsewhere",), mounts) == ["/shared data", "/mnt/acm/acmd"]
    assert landed.places(("*/elsewhere",), []) == []


@pytest.mark.parametrize("above", ["/shared", "/opt/aspera/acm", "/mnt/acm"])
def test_a_mount_above_the_cluster_s_directory(above: str) -> None:
    """It holds other files too, however near it is: what is written there has to be proven."""
    mounts = [Mount(5, above, SERVER), Mount(6, "/data", "")]
    assert landed.places((f"*{above}/acmd",), mounts) == [above, "/data"]
    assert landed.places((f"*{above}",), mounts) == ["/data"]


def test_the_cluster_s_own_mount_by_a_link(tmp_path: Path) -> None:
    """Links before a mount are followed, nothing is looked at behind it."""
    point = tmp_path / "mnt/acm_data"
    point.mkdir(parents=True)
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/acm").symlink_to("../mnt/acm_data")
    mounts = [Mount(1, str(point), ""), Mount(2, "/data", "")]
    assert landed.places((f"*{tmp_path}/opt/acm",), mounts) == ["/data"]
    (point / "acmd").symlink_to("/data")  # behind the mount: not looked at
    assert landed.places((f"*{tmp_path}/opt/acm/acmd",), mounts) == [str(point), "/data"]


@pytest.mark.parametrize(
    ("tasks", "found"),
    [
        ((READING,), set()),
        ((WRITING + READING,), {Task("0", 13)}),
        ((WRITING, COMMITTING), {Task("0", 13), Task("1", 14)}),
        (("",), set()),
    ],
)
def test_outstanding_requests(tmp_path: Path, tasks: tuple[str, ...], found: set[Task]) -> None:
    """What changes files is found, what reads is not."""
    assert landed.outstanding({SERVER}, clients(tmp_path, *tasks)) == found


def test_the_eleventh_client(tmp_path: Path) -> None:
    """Clients have hexadecimal names."""
    place = clients(tmp_path, *[READING] * 10)
    (tmp_path / "0").rename(tmp_path / "a")
    (tmp_path / "a/tasks").write_text(WRITING)
    assert landed.outstanding({SERVER}, place) == {Task("a", 13)}


def test_requests_to_another_server(tmp_path: Path) -> None:
    """They do not count; where the mount or the client does not tell its server, all do."""
    place = clients(tmp_path, WRITING, address="192.0.2.100")
    assert landed.outstanding({SERVER}, place) == set()
    assert landed.outstanding({SERVER, "192.0.2.100"}, place) == {Task("0", 13)}
    assert landed.outstanding({""}, place) == {Task("0", 13)}
    (tmp_path / "0/xprt/info").unlink()
    assert landed.outstanding({SERVER}, place) == {Task("0", 13)}


def test_a_listing_in_pieces() -> None:
    """A request that one reading of a long listing passed over is in the next."""
    long = READING * 100
    assert WRITING in landed.whole(iter([long, WRITING + long, long]).__next__)
    assert landed.whole(iter([READING]).__next__) == READING


def test_without_debugfs(tmp_path: Path) -> None:
    """Not to be seen is not the same as none."""
    assert landed.outstanding({SERVER}, str(tmp_path / "absent")) is None
    assert landed.outstanding({SERVER}, str(tmp_path)) is None


class Proof:
    """One for a directory that the table of mounts calls NFS, and the listing of tasks that it looks at."""

    def __init__(self, place: Path) -> None:
        self._tasks = place / "rpc/0/tasks"
        self._proven = threading.Event()
        self._thread = threading.Thread(target=self._prove, args=(place,))

    def begin(self, *tasks: str) -> None:
        """Start it."""
        self.say(*tasks)
        self._thread.start()

    def say(self, *tasks: str) -> None:
        """The listing from now on."""
        new = self._tasks.with_name("new")
        new.write_text("".join(tasks))
        new.replace(self._tasks)

    def seen(self, *tasks: str) -> None:
        """The listing from now on, once it was looked at."""
        new = self._tasks.with_name("new")
        os.mkfifo(new)
        new.replace(self._tasks)
        with self._tasks.open("w") as file:  # there is a reader now
            self.say(*tasks)
            file.write("".join(tasks))

    def came(self, within_s: float = 10.0) -> bool:
        """Whether it came."""
        return self._proven.wait(within_s)

    def end(self) -> None:
        """Nothing is outstanding any more."""
        self.say()
        self._thread.join()

    def _prove(self, place: Path) -> None:
        landed.prove((str(place / "data"),), str(place / "rpc"))
        self._proven.set()


@pytest.fixture
def proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proof]:
    """Not begun."""
    (tmp_path / "data").mkdir()
    clients(tmp_path / "rpc", "")
    at = (tmp_path / "data").stat().st_dev
    table = tmp_path / "mountinfo"
    table.write_text(
        f"1 1 {os.major(at)}:{os.minor(at)} / {tmp_path}/data rw - nfs4 store:/ rw,addr={SERVER}\n"
    )
    monkeypatch.setattr(landed, "MOUNTS", str(table))
    made = Proof(tmp_path)
    yield made
    made.end()


def young(number: int) -> str:
    """A write of somebody else's that is outstanding at one look only."""
    return WRITING.replace("   13", f"{100 + number:5d}")


def came_while_others_write(proof: Proof) -> bool:
    """Whether it came within some seconds in which there was always one such write."""
    for number in range(400):
        proof.say(young(number))
        if proof.came(0.01):
            return True
    return False


def test_the_proof_waits(proof: Proof) -> None:
    """With a write outstanding there is no proof; once it has ended there is."""
    proof.begin(WRITING)
    assert not proof.came(0.3)
    proof.say(READING)
    assert proof.came()


def test_others_write_all_the_time(proof: Proof) -> None:
    """Never an instant without a write, and the proof comes all the same: each of them ended."""
    proof.begin(young(0))
    assert came_while_others_write(proof)


def test_one_hangs_while_others_write(proof: Proof) -> None:
    """The proof waits for that one, also when it is sent again under another xid."""
    proof.begin(WRITING, young(0))
    for number in range(1, 40):
        assert not proof.came(0.005)
        proof.say(WRITING.replace(" 0xb ", f" {number:#x} "), young(number))
    assert came_while_others_write(proof)


def test_what_comes_of_a_write(proof: Proof) -> None:
    """A COMMIT after it, and a WRITE anew when the server had restarted, are tasks of their own."""
    proof.begin(WRITING)
    proof.seen(WRITING)
    proof.seen(COMMITTING)
    assert not proof.came(0.1)
    proof.seen(ANEW)
    assert not proof.came(0.1)
    proof.say(READING)
    assert proof.came()


def test_a_task_without_a_number(proof: Proof) -> None:
    """It cannot be told from what it becomes: what is outstanding after it is waited for."""
    proof.begin(WRITING)
    for listing in (WRITING, COMMITTING, COMMITTING, NAMELESS, NAMELESS, ANEW):  # the third generation
        proof.seen(listing)
    assert not proof.came(0.1)
    proof.say(READING)
    assert proof.came()


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
