"""`ports.LeaseStore`: one suite for the fake, for a plain directory, and for a failing file system."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from acmd.core.calls import Fault, Kind, Listing, ReadBack
from acmd.core.lease import RECORD_BYTES, lease_name
from acmd.core.observation import Outcome
from acmd.drivers.lease_worker.directory import Directory
from acmd.drivers.lease_worker.nursery import Worker
from tests.contract.storage_kit import CLUSTER_FILE, KINDS, Rig, directory_rig, raw, rig, until_gone

pytestmark = pytest.mark.asyncio
on_all = pytest.mark.parametrize("kind", KINDS)


@on_all
async def test_listing(kind: str, tmp_path: Path) -> None:
    """LIST gives the epochs ascending, without strangers, and the bytes of cluster.json."""
    async with rig(kind, tmp_path) as r:
        for epoch in (12, 3):
            r.put(lease_name(epoch), raw(epoch))
        r.put("lease.3", b"a stranger")
        found = await r.call(Kind.LIST)
        assert found.value == Listing((0, 3, 12), CLUSTER_FILE)
        assert (found.fault, found.late) == (None, False)
        assert found.began <= found.ended


@on_all
async def test_reading(kind: str, tmp_path: Path) -> None:
    """READ gives a lease file's bytes, its inode and cluster.json."""
    async with rig(kind, tmp_path) as r:
        r.put(lease_name(4), raw(4))
        value = (await r.call(Kind.READ, 4)).value
        assert isinstance(value, ReadBack)
        assert (value.data, value.cluster_file) == (raw(4), CLUSTER_FILE)
        assert value.inode > 0


@on_all
@pytest.mark.parametrize("size", [0, 1, RECORD_BYTES - 1, RECORD_BYTES + 1, 5000])
async def test_reading_a_file_of_another_size(kind: str, size: int, tmp_path: Path) -> None:
    """A truncated file comes as it is, an oversized one with one byte too many: `decode` tells."""
    async with rig(kind, tmp_path) as r:
        r.put(lease_name(4), b"x" * size)
        value = (await r.call(Kind.READ, 4)).value
        assert isinstance(value, ReadBack)
        assert value.data == b"x" * min(size, RECORD_BYTES + 1)


@on_all
async def test_reading_garbage(kind: str, tmp_path: Path) -> None:
    """Every byte value survives the way from the worker."""
    async with rig(kind, tmp_path) as r:
        r.put(lease_name(4), bytes(range(256)) * 2)
        value = (await r.call(Kind.READ, 4)).value
        assert isinstance(value, ReadBack)
        assert value.data == bytes(range(256)) * 2


@on_all
async def test_missing_files(kind: str, tmp_path: Path) -> None:
    """An absent lease file is MISSING; an absent cluster.json means that the storage is not mounted."""
    async with rig(kind, tmp_path) as r:
        assert (await r.call(Kind.READ, 7)).fault is Fault.MISSING
        r.remove("cluster.json")
        assert (await r.call(Kind.LIST)).fault is Fault.NOT_A_CLUSTER
        assert (await r.call(Kind.READ, 0)).fault is Fault.NOT_A_CLUSTER


@on_all
async def test_claiming(kind: str, tmp_path: Path) -> None:
    """LINK makes the epoch's file once; a second claim of that epoch is EXISTS and changes nothing."""
    async with rig(kind, tmp_path) as r:
        assert (await r.call(Kind.LINK, 1, raw(1, attempt="first"))).fault is None
        assert (await r.call(Kind.LINK, 1, raw(1, attempt="second"))).fault is Fault.EXISTS
        assert r.get(lease_name(1)) == raw(1, attempt="first")


@on_all
@pytest.mark.parametrize("write", [Kind.WRITE, Kind.RELEASE])
async def test_renewing_in_place(kind: str, write: Kind, tmp_path: Path) -> None:
    """WRITE and RELEASE overwrite the record of that inode and keep the inode."""
    async with rig(kind, tmp_path) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.inode(1)
        for sequence in (1, 2, 3):
            assert (await r.call(write, 1, raw(1, sequence), inode, sequence)).fault is None
            assert r.get(lease_name(1)) == raw(1, sequence)
        assert await r.inode(1) == inode


@on_all
async def test_renewing_another_file(kind: str, tmp_path: Path) -> None:
    """A file of another inode under the own name is STALE, an absent one MISSING; neither is written."""
    async with rig(kind, tmp_path) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.inode(1)
        assert (await r.call(Kind.WRITE, 1, raw(1, 1), inode + 1, 1)).fault is Fault.STALE
        assert (await r.call(Kind.WRITE, 9, raw(9, 1), inode, 2)).fault is Fault.MISSING
        assert r.get(lease_name(1)) == raw(1)


@on_all
async def test_a_look_that_stalls(kind: str, tmp_path: Path) -> None:
    """A call without an answer is TIMEOUT at its limit; when it returns, a late outcome has its result."""
    async with rig(kind, tmp_path, limit_s=0.5) as r:
        r.put(lease_name(1), raw(1))
        await r.warm(1)
        r.stall()
        call = r.next(Kind.LIST)
        r.store.issue(call)
        assert r.store.take_outcomes() == ()
        first = await r.timeout()
        assert (first.call, first.fault, first.value, first.late) == (call, Fault.TIMEOUT, None, False)
        assert r.store.abandoned() == 1
        r.resume()
        second = await r.outcome()
        assert (second.call, second.fault, second.late) == (call, None, True)
        assert second.value == Listing((0, 1), CLUSTER_FILE)
        assert r.store.abandoned() == 0
        assert (await r.call(Kind.LIST)).fault is None


@on_all
async def test_a_write_that_stalls(kind: str, tmp_path: Path) -> None:
    """A renewal that was given up can land later, and its late outcome says so; a release may pass it."""
    async with rig(kind, tmp_path, limit_s=0.5) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        r.stall()
        r.store.issue(r.next(Kind.WRITE, 1, raw(1, 2), inode, 2))
        assert (await r.timeout()).fault is Fault.TIMEOUT
        assert r.get(lease_name(1)) == raw(1, 1)
        r.resume()
        late = await r.outcome()
        assert (late.call.sequence, late.fault, late.late) == (2, None, True)
        assert r.get(lease_name(1)) == raw(1, 2)
        assert (await r.call(Kind.RELEASE, 1, raw(1, 3), inode, 3)).fault is None


@on_all
async def test_one_call_of_a_class_at_a_time(kind: str, tmp_path: Path) -> None:
    """A second look, while one is in flight, is BUSY and never issued; a write goes its own way."""
    async with rig(kind, tmp_path, limit_s=5) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        r.stall()
        r.store.issue(r.next(Kind.LIST))
        second = r.next(Kind.READ, 1)
        r.store.issue(second)
        (busy,) = r.store.take_outcomes()
        assert (busy.call, busy.fault, busy.began) == (second, Fault.BUSY, busy.ended)
        r.store.issue(r.next(Kind.WRITE, 1, raw(1, 2), inode, 2))
        assert r.store.take_outcomes() == ()
        r.resume()
        assert await kinds_of(r, 2) == [Kind.LIST, Kind.WRITE]


@on_all
async def test_hanging_workers_are_bounded(kind: str, tmp_path: Path) -> None:
    """Four looks may hang; the fifth is BUSY at once and issues nothing; all come back as late outcomes."""
    async with rig(kind, tmp_path, limit_s=0.3) as r:
        assert (await r.call(Kind.LIST)).fault is None
        for hanging in range(1, 5):
            r.stall()
            r.store.issue(r.next(Kind.LIST))
            assert (await r.timeout()).fault is Fault.TIMEOUT
            assert r.store.abandoned() == hanging
        assert (await r.call(Kind.LIST)).fault is Fault.BUSY
        assert r.store.abandoned() == 4
        r.resume()
        assert await kinds_of(r, 4) == [Kind.LIST] * 4
        assert r.store.abandoned() == 0
        assert (await r.call(Kind.LIST)).fault is None


async def kinds_of(r: Rig, number: int) -> list[Kind]:
    """The calls of the next outcomes, sorted; all must be good."""
    ended: list[Outcome] = []
    while len(ended) < number:
        await asyncio.wait_for(r.store.changed.wait(), 10)
        ended += r.store.take_outcomes()
    assert all(outcome.fault is None for outcome in ended)
    return sorted(outcome.call.kind for outcome in ended)


# ---------------------------------------------------------------- only where there are real processes


async def test_links_and_strange_files_are_refused(tmp_path: Path) -> None:
    """A lease file that is a link, a FIFO or a directory is DENIED to look at and to write."""
    async with directory_rig(tmp_path) as r:
        r.put("elsewhere", raw(1))
        (r.real / lease_name(1)).symlink_to("elsewhere")
        os.mkfifo(r.real / lease_name(2))
        (r.real / lease_name(3)).mkdir()
        for epoch in (1, 2, 3):
            assert (await r.call(Kind.READ, epoch)).fault is Fault.DENIED
        assert (
            await r.call(Kind.WRITE, 1, raw(1, 1), os.stat(r.real / "elsewhere").st_ino, 1)
        ).fault is Fault.DENIED
        assert r.get("elsewhere") == raw(1)


async def test_a_directory_swapped_for_a_link_is_refused(tmp_path: Path) -> None:
    """The cluster directory, and tmp/ in it, may not be links, also when they become ones later."""
    async with directory_rig(tmp_path) as r:
        assert (await r.call(Kind.LIST)).fault is None
        (r.real / "tmp").rmdir()
        (r.real / "tmp").symlink_to(tmp_path)
        assert (await r.call(Kind.LINK, 1, raw(1))).fault is Fault.DENIED
        moved = r.real.with_name("moved")
        r.real.rename(moved)
        r.real.symlink_to(moved)
        assert (await r.call(Kind.LIST)).fault is Fault.DENIED
        r.real.unlink()
        assert (await r.call(Kind.LIST)).fault is Fault.NOT_A_CLUSTER
        moved.rename(r.real)
        assert (await r.call(Kind.LIST)).fault is None


async def test_a_worker_that_dies(tmp_path: Path) -> None:
    """A worker killed in a call is WORKER_LOST and no outcome follows; the next call has a new one."""
    async with directory_rig(tmp_path, limit_s=10) as r:
        assert (await r.call(Kind.LIST)).fault is None
        nursery, worker = r.store.workers.pids()
        os.kill(worker, signal.SIGSTOP)
        r.store.issue(r.next(Kind.LIST))
        os.kill(worker, signal.SIGKILL)
        assert (await r.outcome()).fault is Fault.WORKER_LOST
        assert (await r.call(Kind.LIST)).fault is None
        assert r.store.abandoned() == 0
        assert r.store.workers.pids()[0] == nursery


async def test_an_abandoned_worker_that_dies(tmp_path: Path) -> None:
    """It no longer counts as hanging, and its end is told, late: a claim that hung may be made anew."""
    async with directory_rig(tmp_path, limit_s=0.2) as r:
        assert (await r.call(Kind.LIST)).fault is None
        worker = r.store.workers.pids()[1]
        os.kill(worker, signal.SIGSTOP)
        r.store.issue(r.next(Kind.LIST))
        assert (await r.outcome()).fault is Fault.TIMEOUT
        os.kill(worker, signal.SIGKILL)
        late = await r.outcome()
        assert (late.fault, late.late) == (Fault.WORKER_LOST, True)
        await until_gone((worker,))
        assert (await r.call(Kind.LIST)).fault is None
        assert (r.store.abandoned(), r.store.take_outcomes()) == (0, ())


async def test_idle_processes_that_die_are_replaced(tmp_path: Path) -> None:
    """The nursery, or an idle worker, killed between two calls costs no call."""
    async with directory_rig(tmp_path) as r:
        assert (await r.call(Kind.LIST)).fault is None
        pids = r.store.workers.pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await until_gone(pids)
        assert (await r.call(Kind.LIST)).fault is None
        assert not set(pids) & set(r.store.workers.pids())


async def test_a_mark_that_cannot_be_written(tmp_path: Path) -> None:
    """Without a run directory a renewal is LOCAL and was not issued; looking and releasing go on."""
    async with directory_rig(tmp_path) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.inode(1)
        r.run_dir.rmdir()
        assert (await r.call(Kind.WRITE, 1, raw(1, 1), inode, 1)).fault is Fault.LOCAL
        assert r.get(lease_name(1)) == raw(1)
        assert (await r.call(Kind.RELEASE, 1, raw(1, 1), inode, 1)).fault is None
        r.run_dir.mkdir(mode=0o700)
        assert (await r.call(Kind.WRITE, 1, raw(1, 2), inode, 2)).fault is None


async def test_signals_do_not_end_workers(tmp_path: Path) -> None:
    """SIGTERM, SIGINT and SIGHUP, as a service manager or a terminal sends them to all, end no worker."""
    async with directory_rig(tmp_path) as r:
        assert (await r.call(Kind.LIST)).fault is None
        pids = r.store.workers.pids()
        for pid in pids:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
        assert (await r.call(Kind.LIST)).fault is None
        assert r.store.workers.pids() == pids


async def test_after_closing(tmp_path: Path) -> None:
    """A closed store leaves no process, also of a call that hangs, and refuses calls."""
    async with directory_rig(tmp_path, limit_s=1.0) as r:
        assert (await r.call(Kind.LIST)).fault is None
        pids = r.store.workers.pids()
        r.stall()
        os.kill(pids[0], signal.SIGCONT)  # the nursery
        r.store.issue(r.next(Kind.LIST))
        assert (await r.outcome()).fault is Fault.TIMEOUT
        await r.store.close()
        await until_gone(pids)
        assert (await r.call(Kind.LIST)).fault is Fault.LOCAL


async def test_an_idle_writer_lets_go(tmp_path: Path) -> None:
    """Who does not renew any more keeps no file open, and nothing mounted; the next write opens it."""
    async with directory_rig(tmp_path) as r:
        r.put(lease_name(1), raw(1))
        ours, theirs = socket.socketpair()
        directory = Directory(str(r.real), "a")
        worker = Worker(theirs, directory, "", idle_s=0.05)
        running = asyncio.create_task(asyncio.to_thread(worker.serve, for_writing=True))
        with theirs, ours, ours.makefile("rb") as answers:
            assert b"pid" in await asyncio.to_thread(answers.readline)
            for sequence in (1, 2):
                inode = os.stat(r.real / lease_name(1)).st_ino
                request = ["call", 1, "write", 1, raw(1, sequence).decode(), "", inode, sequence]
                ours.sendall(json.dumps(request).encode() + b"\n")
                assert json.loads(await asyncio.to_thread(answers.readline))[3] is None
                assert r.get(lease_name(1)) == raw(1, sequence)
                for _ in range(500):
                    if directory.keeps:
                        await asyncio.sleep(0.01)
                assert not directory.keeps
            ours.shutdown(socket.SHUT_WR)
            await running
