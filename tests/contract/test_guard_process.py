"""The guard as a process: its files, its clients, its end, and what comes after it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from pathlib import Path

import psutil
import pytest

from acmd.core.observation import Gate
from acmd.core.timing import Instant
from acmd.drivers.clock import SystemClock
from acmd.drivers.guard_link import GUARD, GuardLink
from acmd.guard.settings import parse
from acmd.ports import LocalFailure
from tests.contract.guard_kit import LIMITS, MS, RealBed, ask, real_bed

pytestmark = pytest.mark.asyncio


async def test_gate_file_carries_the_deadline(tmp_path: Path) -> None:
    """The gate's line is `shut`, then `open` with epoch and R on both clocks, moved by each renewal."""
    async with real_bed(tmp_path) as bed:
        await bed.until(lambda: bed.guard.view().clean)
        assert bed.gate() == "shut"
        now = bed.clock.now()
        bed.guard.arm(7, now)
        await bed.until(lambda: bed.guard.view().issued == now)
        assert bed.gate() == f"open 7 {now.boot_ns + LIMITS.renew_ns} {now.raw_ns + LIMITS.renew_ns}"
        later = bed.clock.now()
        bed.guard.arm(7, later)
        await bed.until(lambda: bed.guard.view().issued == later)
        assert bed.gate().split()[2] == str(later.boot_ns + LIMITS.renew_ns)
        bed.guard.disarm(7, detached=True)
        await bed.until(lambda: bed.guard.view().epoch is None)
        assert bed.gate() == "open 7"


async def test_files_are_private(tmp_path: Path) -> None:
    """Nobody else may talk to the guard or write what it trusts."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        for path in tmp_path.iterdir():  # noqa: ASYNC240 - a local directory of the test
            assert stat.S_IMODE(path.stat().st_mode) & 0o037 == 0, path
        assert stat.S_IMODE(os.stat(bed.path).st_mode) == 0o600


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b"{}",
        b'{"do": "explode", "epoch": 7}',
        b'{"do": "arm", "epoch": true, "issued": [1, 1]}',
        b'{"do": "arm", "epoch": -1, "issued": [1, 1]}',
        b'{"do": "arm", "epoch": 7, "issued": [1]}',
        b'{"do": "arm", "epoch": 7, "issued": [1.5, 1]}',
        b'{"do": "disarm", "epoch": 7, "detached": 1}',
        b"[" * 4000,
    ],
)
async def test_nonsense_changes_nothing(tmp_path: Path, request_: bytes) -> None:
    """A request that makes no sense is answered or hung up on, and the guard goes on as it was."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        with bed.client() as link:
            if request_:
                assert "not understood" in ask(link, request_)["refused"]
            else:
                link.send(request_)
        with bed.client() as link:
            view = ask(link, {"do": "view", "id": 1})
            assert (view["epoch"], view["gate"]) == (7, "open")


async def test_survives_its_clients(tmp_path: Path) -> None:
    """Clients that vanish, or never read, neither end nor delay the guard."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        with bed.client() as deaf:
            for _ in range(5000):
                try:
                    deaf.send(b'{"do": "view"}', socket.MSG_DONTWAIT)
                except (BlockingIOError, ConnectionError):
                    break
            with bed.client() as link:
                assert ask(link, {"do": "view", "id": 1})["epoch"] == 7
        await bed.until(lambda: bed.guard.view().alive)


async def test_sigterm_waits_for_the_disarming(tmp_path: Path) -> None:
    """While armed SIGTERM is noted and refused; once disarmed the guard ends with 0 and shuts the gate."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        os.kill(bed.pid, signal.SIGTERM)
        await bed.until(lambda: bool(bed.guard.details().get("ending")))
        assert bed.guard.view().epoch == 7
        bed.guard.close_gate(7)
        bed.guard.disarm(7, detached=False)
        assert bed.wait() == 0
        assert bed.gate() == "shut"
        assert not (tmp_path / "s").exists()


async def test_lost_while_armed_kills_everything(tmp_path: Path) -> None:
    """A successor of a guard that was killed while armed kills at once, says so, and can be disarmed."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        await bed.run_service(7)
        bed.end(signal.SIGKILL)
        await bed.until(lambda: not bed.guard.view().alive)
        assert await bed.service_lives()
        bed.spawn()
        await bed.until(lambda: bed.guard.view().alive and bed.guard.view().clean)
        assert not await bed.service_lives()
        assert "lost while armed for epoch 7" in bed.guard.details()["story"]
        assert (bed.guard.view().epoch, bed.guard.view().gate) == (7, Gate.SHUT)
        bed.guard.disarm(7, detached=False)
        await bed.until(lambda: bed.guard.view().epoch is None)


async def test_detached_over_its_restart(tmp_path: Path) -> None:
    """In maintenance the guard may be restarted: services live on, and the gate stays open."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        await bed.run_service(7)
        bed.guard.disarm(7, detached=True)
        await bed.until(lambda: bed.guard.view().epoch is None)
        assert bed.end(signal.SIGTERM) == 0
        bed.spawn()
        await bed.until(lambda: bed.guard.view().alive and bed.guard.view().gate is Gate.OPEN)
        assert await bed.service_lives()
        assert bed.guard.details()["detached_epoch"] == 7


@pytest.mark.parametrize("memory", [b"", b"{", b"[]", b'{"boot_id": "other", "state": "armed"}'])
async def test_a_memory_that_makes_no_sense(tmp_path: Path, memory: bytes) -> None:
    """Garbage, or another boot's memory, makes a guard that is shut and clean once it has looked."""
    (tmp_path / "guard.json").write_bytes(memory)
    async with real_bed(tmp_path) as bed:
        await bed.until(lambda: bed.guard.view().clean)
        assert bed.guard.view().epoch is None


async def test_strays_are_killed_while_shut(tmp_path: Path) -> None:
    """What the guard finds running at its start, without a lease, is killed."""
    async with real_bed(tmp_path) as bed:
        await bed.until(lambda: bed.guard.view().clean)
        bed.end(signal.SIGKILL)
        (tmp_path / "gate").write_text("open 3")
        await bed.run_service(3)
        bed.spawn()
        await bed.until(lambda: bed.guard.view().alive and bed.guard.view().clean)
        assert not await bed.service_lives()
        assert bed.guard.details()["killed"] >= 2


async def test_a_registry_that_makes_no_sense_is_not_clean(tmp_path: Path) -> None:
    """What cannot be understood counts as alive, and the view names it."""
    (tmp_path / "services").mkdir()
    (tmp_path / "services/x.json").write_text("{")
    async with real_bed(tmp_path) as bed:
        await bed.until(lambda: bool(bed.guard.details().get("faults")))
        assert not bed.guard.view().clean
        assert "cannot tell what lives" in bed.guard.details()["faults"][0]
        (tmp_path / "services/x.json").unlink()
        await bed.until(lambda: bed.guard.view().clean)


async def test_a_sync_that_fails_is_no_proof(tmp_path: Path) -> None:
    """Not clean until each of the services' file systems was synced without an error."""
    async with real_bed(tmp_path, "--sync", str(tmp_path / "data")) as bed:
        await bed.until(lambda: bool(bed.guard.details().get("faults")))
        assert "No such file" in bed.guard.details()["faults"][0]
        assert not bed.guard.view().clean
        (tmp_path / "data").mkdir()
        await bed.until(lambda: bed.guard.view().clean)
        assert not bed.guard.details()["faults"]


async def test_one_guard_for_a_run_directory(tmp_path: Path) -> None:
    """A second one is refused with 73 and does not disturb the first."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        second = RealBed(tmp_path)
        second.spawn()
        assert second.wait() == 73
        assert "another guard" in (tmp_path / "guard.log").read_text()
        assert bed.guard.view().alive


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (("--explode", "1"), "unknown option --explode"),
        (("--last-resort", "none"), "given twice"),
        (("--cgroup",), "pairs"),
        (("--watchdog", "/dev/nothing"), "belong together"),
        (("--helper", "/bin/true"), "belong together"),
    ],
)
async def test_bad_settings_are_refused(tmp_path: Path, extra: tuple[str, ...], said: str) -> None:
    """Unknown, doubled, half-given settings end the guard with 64 and the reason."""
    bed = RealBed(tmp_path, *extra)
    bed.spawn()
    assert bed.wait() == 64
    assert said in (tmp_path / "guard.log").read_text()


@pytest.mark.parametrize(("word", "said"), [("reset", "not run by PID 1 as a unit"), ("rest", "'rest'")])
async def test_a_reset_is_for_units_only(tmp_path: Path, word: str, said: str) -> None:
    """Nobody gets a guard that may reset the host by starting it in a shell; a mistyped word gets none."""
    bed = RealBed(tmp_path)
    arguments = bed.arguments()
    arguments[arguments.index("none")] = word
    bed.arguments = lambda: arguments  # type: ignore[method-assign]
    bed.spawn()
    assert bed.wait() == 64
    assert said in (tmp_path / "guard.log").read_text()


async def test_settings_as_one_json_object(tmp_path: Path) -> None:
    """The daemon's unit may hand over all settings as one argument."""
    bed = RealBed(tmp_path)
    given = {**LIMITS._asdict(), "run_dir": str(tmp_path), "socket": bed.path}
    del given["watchdog_timeout_ns"]
    bed.arguments = lambda: [json.dumps(given)]  # type: ignore[method-assign]
    bed.spawn()
    bed.guard.open()
    try:
        await bed.until(lambda: bed.guard.view().clean)
    finally:
        bed.end()
        await bed.guard.close()


async def test_the_helper_releases_for_a_dead_daemon(tmp_path: Path) -> None:
    """All gone at K and nobody holds the daemon's lock: the helper runs once, then the guard disarms."""
    helper = tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\necho $ACMD_EPOCH >>{tmp_path}/released\n")
    helper.chmod(0o700)
    lock = tmp_path / "daemon.lock"
    async with real_bed(tmp_path, "--helper", str(helper), "--lock", str(lock)) as bed:
        await bed.armed()
        await bed.until(lambda: bed.guard.view().epoch is None)
        assert (tmp_path / "released").read_text() == "7\n"
        assert bed.guard.view().clean


async def test_no_helper_while_the_daemon_has_its_lock(tmp_path: Path) -> None:
    """A daemon that lives does its release itself."""
    import fcntl

    lock = tmp_path / "daemon.lock"
    async with real_bed(tmp_path, "--helper", "/bin/true", "--lock", str(lock)) as bed:
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            await bed.armed()
            await bed.until(lambda: bed.guard.view().gate is Gate.SHUT)
            await asyncio.sleep(1.3)
            assert bed.guard.view().epoch == 7


async def test_readiness_is_told_to_pid_1(tmp_path: Path) -> None:
    """READY=1 once the first look was taken, then WATCHDOG=1 from the loop; limit: half the reset margin."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as pid_1:
        pid_1.bind(str(tmp_path / "n"))
        pid_1.settimeout(8)
        bed = RealBed(tmp_path)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "300000"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(GUARD)),
            *bed.arguments(),
            env=environment,
        )
        try:
            assert pid_1.recv(99) == b"READY=1\nWATCHDOG_USEC=250000"
            assert [pid_1.recv(99) for _ in range(4)] == [b"WATCHDOG=1"] * 4
        finally:
            process.terminate()
            assert await process.wait() == 0


async def test_a_link_without_a_guard(tmp_path: Path) -> None:
    """Requests raise LocalFailure with a remedy, the view says not alive, and a guard that comes is found."""
    bed = RealBed(tmp_path)
    link = bed.guard
    with pytest.raises(LocalFailure, match="acmd-guard"):
        link.arm(7, Instant(1, 1))
    assert not link.view().alive
    link.open()
    bed.spawn()
    try:
        await bed.until(lambda: link.view().alive)
    finally:
        bed.end()
        await link.close()


async def test_a_guard_that_hangs_is_not_alive(tmp_path: Path) -> None:
    """A stopped guard is reported as lost within the link's limit, and as back when it answers again."""
    async with real_bed(tmp_path) as bed:
        await bed.until(lambda: bed.guard.view().alive)
        bed.guard.changed.clear()
        os.kill(bed.pid, signal.SIGSTOP)
        await bed.until(lambda: not bed.guard.view().alive)
        await asyncio.wait_for(bed.guard.changed.wait(), 2)
        os.kill(bed.pid, signal.SIGCONT)
        await bed.until(lambda: bed.guard.view().alive)


async def test_a_guard_that_talks_nonsense_is_not_believed(tmp_path: Path) -> None:
    """A view that cannot be understood breaks the link instead of being guessed at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        link = GuardLink(str(tmp_path / "s"), SystemClock(), limit_ns=1000 * MS)
        link.open()
        peer, _ = listener.accept()
        with peer:
            peer.send(b'{"epoch": 1}')
            await asyncio.wait_for(link.changed.wait(), 8)
        assert not link.view().alive
        await link.close()


async def test_a_guard_with_other_deadlines(tmp_path: Path) -> None:
    """A guard that would act at other times than this node's is not alive to it; settings have a mark."""
    right = (LIMITS.renew_ns, LIMITS.kill_ns, LIMITS.reset_ns, LIMITS.lease_ns)
    async with real_bed(tmp_path) as bed:
        for deadlines in (right, (*right[:3], right[3] + 1)):
            link = GuardLink(bed.path, SystemClock(), 1000 * MS, deadlines)
            link.open()
            await bed.until(lambda link=link: bool(link.details()))  # type: ignore[misc]
            assert link.view().alive == (deadlines == right)
            assert link.details()["settings"] == parse(bed.arguments()).fingerprint
            await link.close()


async def test_a_guard_that_watches_less(tmp_path: Path) -> None:
    """To one who has to trust its word for everything, a guard that was not told of all is none."""
    async with real_bed(tmp_path) as bed:
        for units, alive in (((), True), (("app.service",), False)):
            link = GuardLink(bed.path, SystemClock(), 1000 * MS, watched={"unit": units, "sync": ()})
            link.open()
            await bed.until(lambda link=link: bool(link.details()))  # type: ignore[misc]
            assert link.view().alive is alive
            await link.close()


async def test_refusals_reach_people(tmp_path: Path) -> None:
    """The link keeps the last refusal for status, until a request succeeds."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        bed.guard.arm(8, bed.clock.now())
        await bed.until(lambda: bed.guard.refusal() == "armed for epoch 7")
        bed.guard.arm(7, bed.clock.now())
        await bed.until(lambda: not bed.guard.refusal())


async def test_small_and_locked(tmp_path: Path) -> None:
    """Armed, with a client, the guard's proportional set is at most 16 MB."""
    async with real_bed(tmp_path) as bed:
        await bed.armed()
        assert psutil.Process(bed.pid).memory_full_info().pss <= 16 * 1024 * 1024
        if os.geteuid() == 0:
            assert not [note for note in bed.guard.details()["notes"] if "memory" in note]
