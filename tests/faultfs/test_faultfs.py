"""What the lease directory driver makes of storage that fails: each fault, its outcome, its late one."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from acmd.core.calls import Fault, Kind, Listing, ReadBack
from acmd.core.lease import Defect, decode, lease_name
from acmd.core.observation import Outcome
from tests.contract.storage_kit import CLUSTER_ID, NODE, FaultRig, fault_rig, mounted, raw

pytestmark = pytest.mark.asyncio

ERRORS = {
    errno.EIO: Fault.IO,
    errno.ESTALE: Fault.STALE,
    errno.ENOSPC: Fault.NO_SPACE,
    errno.EDQUOT: Fault.NO_SPACE,
    errno.EROFS: Fault.READ_ONLY,
    errno.EACCES: Fault.DENIED,
    errno.ETIMEDOUT: Fault.IO,
    errno.ENOMEM: Fault.OTHER,
}


async def every_call(r: FaultRig, inode: int) -> dict[Kind, Fault | None]:
    """How each kind of call ends."""
    ends = {}
    for kind, epoch, sequence in (
        (Kind.LIST, -1, -1),
        (Kind.READ, 1, -1),
        (Kind.WRITE, 1, 2),
        (Kind.RELEASE, 1, 3),
        (Kind.LINK, 2, 0),
    ):
        data = b"" if kind in (Kind.LIST, Kind.READ) else raw(epoch, sequence)
        ends[kind] = (await r.call(kind, epoch, data, inode, sequence)).fault
    return ends


@pytest.mark.parametrize("error", sorted(ERRORS), ids=errno.errorcode.get)
async def test_every_error_has_its_fault(error: int, tmp_path: Path) -> None:
    """An error of any operation ends each call with its typed fault; nothing of it stays afterwards."""
    async with fault_rig(tmp_path) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        r.faults.add("errno", "opendir", "open", "create", "write", error=error)
        assert set((await every_call(r, inode)).values()) == {ERRORS[error]}
        assert r.store.last_detail
        r.faults.clear()
        assert set((await every_call(r, inode)).values()) == {None}


@pytest.mark.parametrize("operation", ["read", "fsync", "link", "fsyncdir", "lookup", "readdir"])
async def test_an_error_of_one_operation(operation: str, tmp_path: Path) -> None:
    """Whichever operation fails: the calls that need it are faults, none hangs, and all works afterwards."""
    async with fault_rig(tmp_path) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        r.faults.add("errno", operation)
        ends = await every_call(r, inode)
        assert Fault.IO in ends.values()
        assert set(ends.values()) <= {Fault.IO, None}
        r.faults.clear()
        assert (await r.call(Kind.LIST)).fault is None


async def test_delay(tmp_path: Path) -> None:
    """A slow operation within the limit is a good outcome whose `ended` is as late as it was."""
    async with fault_rig(tmp_path) as r:
        r.faults.add("delay", "read", name="lease.*", seconds=0.2)
        found = await r.call(Kind.READ, 0)
        assert found.fault is None
        assert found.ended.raw_ns - found.began.raw_ns >= 200_000_000


async def test_a_claim_that_succeeded_reports_eexist(tmp_path: Path) -> None:
    """EEXIST for a link() that the server executed: EXISTS, and the file is the one of this attempt."""
    async with fault_rig(tmp_path) as r:
        r.faults.add("done-error", "link", error=errno.EEXIST)
        assert (await r.call(Kind.LINK, 1, raw(1, attempt="mine"))).fault is Fault.EXISTS
        found = (await r.call(Kind.READ, 1)).value
        assert isinstance(found, ReadBack)
        assert found.data == raw(1, attempt="mine")


async def test_a_claim_that_lands_late(tmp_path: Path) -> None:
    """A link() that failed may be executed afterwards: the epoch's file appears by itself."""
    async with fault_rig(tmp_path) as r:
        r.faults.add("late", "link", seconds=0.3)
        assert (await r.call(Kind.LINK, 1, raw(1))).fault is Fault.IO
        assert (await r.call(Kind.LIST)).value == Listing((0,), r.get("cluster.json"))
        await asyncio.sleep(0.4)
        assert (await r.call(Kind.LIST)).value == Listing((0, 1), r.get("cluster.json"))


async def test_a_write_that_lands_late(tmp_path: Path) -> None:
    """A renewal can land after its error was returned."""
    async with fault_rig(tmp_path) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        r.faults.add("late", "write", seconds=0.3, count=1)
        assert (await r.call(Kind.WRITE, 1, raw(1, 2), inode, 2)).fault is Fault.IO
        assert r.get(lease_name(1)) == raw(1, 1)
        await asyncio.sleep(0.4)
        assert r.get(lease_name(1)) == raw(1, 2)


async def test_a_write_that_was_done_but_failed(tmp_path: Path) -> None:
    """A renewal that reports an error may be there all the same; the next one opens the file anew."""
    async with fault_rig(tmp_path) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        r.faults.add("done-error", "write", count=1)
        assert (await r.call(Kind.WRITE, 1, raw(1, 2), inode, 2)).fault is Fault.IO
        assert r.get(lease_name(1)) == raw(1, 2)
        assert (await r.call(Kind.WRITE, 1, raw(1, 3), inode, 3)).fault is None


@pytest.mark.parametrize("kind", [Kind.WRITE, Kind.LINK])
async def test_done_and_the_answer_stalls(kind: Kind, tmp_path: Path) -> None:
    """What landed while its answer did not come is TIMEOUT, can be seen, and has a late outcome."""
    async with fault_rig(tmp_path, limit_s=0.5) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        rule = r.faults.add("done-stall", "write" if kind is Kind.WRITE else "link", name="lease.*")
        epoch, sequence = (1, 2) if kind is Kind.WRITE else (2, 0)
        call = r.next(kind, epoch, raw(epoch, sequence), inode, sequence)
        r.store.issue(call)
        assert (await r.timeout()).fault is Fault.TIMEOUT
        assert r.get(lease_name(epoch)) == raw(epoch, sequence)
        r.faults.clear(rule)
        late = await r.outcome()
        assert (late.call, late.fault, late.late) == (call, None, True)


async def test_a_call_that_fails_late(tmp_path: Path) -> None:
    """A stalled call whose answer is an error: TIMEOUT first, then the late outcome with the fault."""
    async with fault_rig(tmp_path, limit_s=0.4) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        stall = r.faults.add("stall", "lookup", count=1)  # an earlier rule goes first
        r.store.issue(r.next(Kind.READ, 1))
        assert (await r.timeout()).fault is Fault.TIMEOUT
        r.faults.add("errno", "open", error=errno.ESTALE)
        r.faults.clear(stall)
        late = await r.outcome()
        assert (late.fault, late.late) == (Fault.STALE, True)
        assert inode


async def test_a_new_name_is_hidden(tmp_path: Path) -> None:
    """A claim that is not visible at once: MISSING and not listed; then it is there."""
    async with fault_rig(tmp_path) as r:
        r.faults.add("hide", "link", seconds=0.6)
        assert (await r.call(Kind.LINK, 1, raw(1))).fault is None
        assert (await r.call(Kind.READ, 1)).fault is Fault.MISSING
        listing = (await r.call(Kind.LIST)).value
        assert isinstance(listing, Listing)
        assert listing.epochs == (0,)
        await asyncio.sleep(0.7)
        assert (await r.call(Kind.READ, 1)).fault is None


async def test_a_torn_record(tmp_path: Path) -> None:
    """A record of which only half arrived fails its checksum."""
    async with fault_rig(tmp_path) as r:
        r.put(lease_name(1), raw(1))
        inode = await r.warm(1)
        old, new = raw(1, 1), raw(1, 987_654_321, attempt="a longer attempt, so that the rest shifts")
        r.faults.add("tear", "write", count=1)
        assert (await r.call(Kind.WRITE, 1, new, inode, 987_654_321)).fault is None
        found = (await r.call(Kind.READ, 1)).value
        assert isinstance(found, ReadBack)
        assert found.data == new[:256] + old[256:]
        assert decode(found.data, CLUSTER_ID, 1) is Defect.CRC


@pytest.mark.parametrize("stage", ["create", "write", "fsync"])
async def test_a_full_disk_stops_no_claim(stage: str, tmp_path: Path) -> None:
    """With a preallocated file a claim succeeds on a full disk, and that file's name is never used again."""
    async with fault_rig(tmp_path) as r:
        await r.store.run_job("prepare_reserve", [NODE, "one"], 5)
        await r.store.run_job("prepare_reserve", [NODE, "two"], 5)
        assert [name for name in os.listdir(r.real / "tmp") if "reserve" in name] == [f"reserve.{NODE}.one"]
        r.faults.add("errno", stage, error=errno.ENOSPC, count=1)
        assert (await r.call(Kind.LINK, 1, raw(1))).fault is None
        assert r.get(lease_name(1)) == raw(1)
        assert not [name for name in os.listdir(r.real / "tmp") if "reserve" in name]
        r.faults.add("errno", stage, error=errno.ENOSPC, count=1)
        assert (await r.call(Kind.LINK, 2, raw(2))).fault is Fault.NO_SPACE


async def test_another_nodes_reserve_is_not_taken(tmp_path: Path) -> None:
    """The preallocated file of another node is left to it."""
    async with fault_rig(tmp_path) as r:
        await r.store.run_job("prepare_reserve", ["ab", "one"], 5)
        r.faults.add("errno", "create", error=errno.ENOSPC)
        assert (await r.call(Kind.LINK, 1, raw(1))).fault is Fault.NO_SPACE


async def rounds(r: FaultRig, inode: int, sequence: int) -> tuple[dict[str, int], dict[str, int]]:
    """Storage operations of one heartbeat of the holder, and of one of a passive node."""
    r.faults.counts()
    outcomes: list[Outcome] = [await r.call(Kind.LIST)]
    outcomes.append(await r.call(Kind.WRITE, 1000, raw(1000, sequence), inode, sequence))
    outcomes.append(await r.call(Kind.READ, 1000))
    holder = r.faults.counts()
    outcomes += [await r.call(Kind.LIST), await r.call(Kind.READ, 1000)]
    assert all(outcome.fault is None for outcome in outcomes)
    return holder, r.faults.counts()


async def test_a_heartbeat_costs_the_same_for_ever(tmp_path: Path) -> None:
    """The storage operations of a heartbeat do not grow with time, nor with the number of past epochs."""
    async with fault_rig(tmp_path) as r:
        r.put(lease_name(1000), raw(1000))
        inode = await r.warm(1000)
        first = await rounds(r, inode, 2)
        for epoch in range(985, 1000):
            r.put(lease_name(epoch), raw(epoch))
        last = first
        for sequence in range(3, 8):
            last = await rounds(r, inode, sequence)
        for few, many in zip(first, last, strict=True):
            # Per name that is listed the kernel may look up attributes; opens, reads and writes stay.
            assert {op: few[op] for op in few if op != "readdir"} == {
                op: many[op] for op in many if op != "readdir"
            }
        assert last[0]["write"] == 1
        assert "write" not in last[1]


async def test_the_daemon_holds_nothing_on_shared_storage(tmp_path: Path) -> None:
    """Neither this process nor the nursery has a descriptor or a directory there; the writers keep one."""
    async with fault_rig(tmp_path) as r:
        r.put(lease_name(1), raw(1))
        await r.warm(1)
        holders = [pid for pid in (os.getpid(), *r.store.workers.pids()) if holds(pid, r.seen)]
        assert len(holders) == 2  # the renewing and the releasing worker
        assert not {os.getpid(), r.store.workers.pids()[0]} & set(holders)


def holds(pid: int, mount: Path) -> bool:
    """Whether a process has an open file or its working directory below the mount."""
    links = [Path(f"/proc/{pid}/cwd"), *Path(f"/proc/{pid}/fd").iterdir()]
    return any(str(link.readlink()).startswith(str(mount)) for link in links if link.is_symlink())


async def test_storage_that_goes_away(tmp_path: Path) -> None:
    """When the file system itself dies, calls end as faults; nothing hangs, nothing is left."""
    async with fault_rig(tmp_path) as r:
        assert (await r.call(Kind.LIST)).fault is None
        r.faults.__exit__()
        assert (await r.call(Kind.LIST)).fault in (Fault.IO, Fault.NOT_A_CLUSTER, Fault.MISSING)
        with mounted(tmp_path) as again:
            r.faults = again
            assert (await r.call(Kind.LIST)).fault is None
