"""What every service does (`ports.Service`), shown by the fake and by programs; then what programs try."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import pytest_asyncio

from acmd.drivers.command import Command, CommandService
from acmd.guard import cgroups
from acmd.ports import Service, ServiceStatus
from tests.fakes.service import FakeService

pytestmark = pytest.mark.asyncio

PATIENCE_S = 10.0
CGROUPS = Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")
# Each is run by `python -c`; PIDS is a file to which a program adds its own and its children's ids.
NOTE = """
import os, signal, sys, time
def note():
    open(os.environ['PIDS'], 'a').write(f'{os.getpid()}\\n')
note()
"""
DEAF = NOTE + "signal.signal(15, signal.SIG_IGN)\nopen(os.environ['PIDS'] + '.deaf','w')\ntime.sleep(600)\n"
ESCAPING = (
    NOTE
    + """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(15, signal.SIG_IGN)
        note()
        time.sleep(600)
    os._exit(0)
if os.fork() == 0:
    os.setsid()
    os.execve('/bin/sh', ['sh', '-c', 'echo $$ >>' + os.environ['PIDS'] + '; exec sleep 600'], {})
while len(open(os.environ['PIDS']).read().split()) < 3:
    time.sleep(0.01)
open(os.environ['PIDS'] + '.ready','w')
"""
)


class Programs:
    """Makes services of real programs, and ends what they leave."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pids_file = directory / "pids"
        self.made: list[CommandService] = []
        self.group = ""
        (directory / "gate").write_text("open 7")

    def service(self, *argv: str, **options: Any) -> CommandService:
        """A service; without arguments one that sleeps."""
        options.setdefault("log", str(self.directory / "log"))
        options.setdefault("cgroup_parent", self.group)
        options.setdefault("stop_limit_s", 0.5)
        options.setdefault("environment", {"PIDS": str(self.pids_file)})
        command = Command("web", argv or ("sleep", "600"), str(self.directory), "a", **options)
        self.made.append(CommandService(command))
        return self.made[-1]

    def python(self, program: str, **options: Any) -> CommandService:
        """A service that runs this Python text."""
        return self.service(sys.executable, "-I", "-S", "-c", program, **options)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait; fail when it does not come."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end
            await asyncio.sleep(0.01)

    def alive(self) -> list[int]:
        """Which of the noted processes live."""
        noted = [int(line) for line in self.pids_file.read_text().split()]
        return [pid for pid in noted if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]

    def entry(self) -> dict[str, Any]:
        """The registry's entry."""
        found: dict[str, Any] = json.loads((self.directory / "services/web.json").read_text())
        return found

    async def clean_up(self) -> None:
        """Nothing stays."""
        for service in self.made:
            await service.kill()
        for service in self.made:
            await settled(service, lambda status: not status.processes)
            service.close()


async def settled(service: Service, holds: Callable[[ServiceStatus], bool]) -> ServiceStatus:
    """Observe until it holds; fail when it does not."""
    end = time.monotonic() + PATIENCE_S
    while True:
        status = await service.observe()
        if holds(status):
            return status
        assert time.monotonic() < end, status
        await asyncio.sleep(0.01)


@pytest_asyncio.fixture(params=["session", "cgroup"])
async def programs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Programs]:
    made = Programs(tmp_path)
    if request.param == "cgroup":
        parent = next((path for path in CGROUPS if (path / "cgroup.procs").exists()), None)
        if parent is None or not os.access(parent, os.W_OK):
            pytest.skip("no cgroup v2 to write to")
        made.group = str(parent / f"acmd-test-{uuid4().hex}")
        os.mkdir(made.group)
    yield made
    await made.clean_up()
    if made.group:
        left = [name for name in os.listdir(made.group) if name == "web"]
        for name in left:
            os.rmdir(f"{made.group}/{name}")
        os.rmdir(made.group)
        assert not left, "a control group was left behind"


@pytest_asyncio.fixture(params=["fake", "real"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    if request.param == "fake":
        yield FakeService("web")
        return
    made = Programs(tmp_path)
    yield made.service()
    await made.clean_up()


# -- every service --------------------------------------------------------------------------------


async def test_starts_and_stops(service: Service) -> None:
    """Stopped, started, running, stopped: `observe` says so, and `changed` is set on the way."""
    assert (await service.observe()).state == "stopped"
    assert await service.start(7)
    status = await service.observe()
    assert (status.name, status.runs_on, status.state) == ("web", "active", "running")
    assert (status.processes, status.jobs) == (True, False)
    assert service.changed.is_set()
    assert await service.stop()
    status = await settled(service, lambda status: not status.processes)
    assert (status.state, status.jobs) == ("stopped", False)


async def test_starting_twice(service: Service) -> None:
    """Under the same epoch a second start finds it running; under another one it is refused."""
    assert await service.start(7)
    assert await service.start(7)
    assert not await service.start(8)
    assert (await service.observe()).state == "running"


async def test_kill_ends_it(service: Service) -> None:
    """After a kill nothing of it lives, and it can be started again."""
    assert await service.start(7)
    await service.kill()
    assert (await settled(service, lambda status: not status.processes)).state == "stopped"
    assert await service.start(7)
    assert (await service.observe()).restarts == 1


async def test_ending_what_does_not_run(service: Service) -> None:
    """Stop and kill of a stopped service do nothing and succeed."""
    assert await service.stop()
    await service.kill()
    assert (await service.observe()).state == "stopped"


# -- programs -------------------------------------------------------------------------------------


async def test_environment_of_the_program(programs: Programs) -> None:
    """It gets epoch, node and its own name, keeps PATH, and no word of acmd's own manager."""
    os.environ["NOTIFY_SOCKET"] = "/nowhere"
    try:
        service = programs.service("sh", "-c", "env; exec sleep 600")
        assert await service.start(7)
    finally:
        del os.environ["NOTIFY_SOCKET"]
    log = programs.directory / "log"
    await programs.until(lambda: "ACMD_SERVICE=web" in log.read_text())
    said = dict(line.partition("=")[::2] for line in log.read_text().splitlines())
    assert (said["ACMD_EPOCH"], said["ACMD_NODE"], said["PATH"]) == ("7", "a", os.environ["PATH"])
    assert "NOTIFY_SOCKET" not in said
    assert await service.stop()


async def test_an_exit_is_heard_at_once(programs: Programs) -> None:
    """The end of the program sets `changed`, and its status is told."""
    service = programs.service("sh", "-c", "sleep 0.2; exit 3")
    assert await service.start(7)
    service.changed.clear()
    await asyncio.wait_for(service.changed.wait(), PATIENCE_S)
    status = await settled(service, lambda status: not status.processes)
    assert (status.state, status.detail) == ("failed", "exited with status 3")


async def test_a_killed_program_is_told_as_such(programs: Programs) -> None:
    """Somebody's SIGKILL shows in the detail."""
    service = programs.service()
    assert await service.start(7)
    os.kill(programs.entry()["main"], signal.SIGKILL)
    status = await settled(service, lambda status: not status.processes)
    assert (status.state, status.detail) == ("failed", "killed by SIGKILL")


@pytest.mark.parametrize("argv", [("/no/such/program",), ("/etc/passwd",), ("/",)])
async def test_what_cannot_be_executed(programs: Programs, argv: tuple[str, ...]) -> None:
    """A start that fails says why, leaves nothing, and can be tried again."""
    service = programs.service(*argv)
    assert not await service.start(7)
    status = await settled(service, lambda status: not status.processes)
    assert status.state == "failed"
    assert argv[0] in status.detail
    assert not await service.start(7)


async def test_where_it_cannot_run(programs: Programs) -> None:
    """A working directory or log that is not there fails the start, by name."""
    assert not await programs.service(cwd="/no/such/place").start(7)
    service = programs.service(log="/no/such/place/log")
    assert not await service.start(7)
    assert "/no/such/place/log" in (await service.observe()).detail


async def test_too_long_an_order(programs: Programs) -> None:
    """An order that would block the daemon is refused with its size."""
    service = programs.service(environment={"X": "x" * 60_000})
    assert not await service.start(7)
    assert "more than 60000" in (await service.observe()).detail


async def test_what_was_stopped_has_not_failed_to_the_next_daemon(programs: Programs) -> None:
    """That it was told to end outlives who told it: an upgrade of a passive node shows no failure."""
    service = programs.service()
    assert await service.start(7)
    assert await service.stop()
    await settled(service, lambda status: not status.processes)
    assert (await programs.service().observe()).state == "stopped"


async def test_a_program_deaf_to_sigterm(programs: Programs) -> None:
    """Stop gives up at its limit and says so; kill ends it."""
    service = programs.python(DEAF)
    assert await service.start(7)
    await programs.until((programs.directory / "pids.deaf").exists)
    assert not await service.stop()
    assert (await service.observe()).state == "stopping"
    await service.kill()
    await settled(service, lambda status: not status.processes)
    assert not programs.alive()


async def test_children_that_escape_are_killed(programs: Programs) -> None:
    """Children in sessions of their own, orphaned, without the mark: kill finds every one."""
    service = programs.python(ESCAPING + "time.sleep(600)\n")
    assert await service.start(7)
    await programs.until((programs.directory / "pids.ready").exists)
    assert len(programs.alive()) == 3
    await service.kill()
    await settled(service, lambda status: not status.processes)
    await programs.until(lambda: not programs.alive())


async def test_children_left_by_the_program_are_ended(programs: Programs) -> None:
    """When the program ends, the runner ends what it left, deaf children at the stop limit."""
    service = programs.python(ESCAPING + "sys.exit(4)\n")
    assert await service.start(7)
    status = await settled(service, lambda status: not status.processes)
    assert status.detail == "exited with status 4"
    assert not programs.alive()


async def test_kill_without_a_runner(programs: Programs) -> None:
    """The runner was killed: the program dies with it, and its escaped children are found all the same."""
    service = programs.python(ESCAPING + "time.sleep(600)\n")
    assert await service.start(7)
    await programs.until((programs.directory / "pids.ready").exists)
    await service.kill()
    first = programs.entry()
    await settled(service, lambda status: not status.processes)
    assert await service.start(7)
    await programs.until(lambda: len(programs.alive()) == 3)
    await service.observe()
    entry = programs.entry()
    assert entry["mark"] != first["mark"]
    os.kill(entry["pid"], signal.SIGKILL)
    await programs.until(
        lambda: not psutil.pid_exists(entry["main"]) or entry["main"] not in programs.alive()
    )
    assert (await service.observe()).processes
    await service.kill()
    status = await settled(service, lambda status: not status.processes)
    assert status.detail == "its runner was killed"
    left = programs.alive()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    # Without a control group, a child that left the session and threw its mark away needs the runner.
    assert len(left) == (0 if programs.group else 1)


async def test_no_zombies(programs: Programs) -> None:
    """Runners are reaped as they end."""
    own = psutil.Process()
    before = {child.pid for child in own.children()}  # zombies among them are other tests'
    service = programs.service("true")
    for _ in range(3):
        await service.start(7)
        await settled(service, lambda status: not status.processes)

    def zombies() -> list[int]:
        return [c.pid for c in own.children() if c.pid not in before and c.status() == psutil.STATUS_ZOMBIE]

    await programs.until(lambda: not zombies())


# -- the gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gate", ["", "shut", "closing", "open 6", "open 7 1 1", "open x", "open 7 1", "open"]
)
async def test_the_gate_refuses(tmp_path: Path, gate: str) -> None:
    """No start but under an open gate of this very epoch before its deadline; nonsense is shut."""
    programs = Programs(tmp_path)
    (tmp_path / "gate").write_text(gate)
    service = programs.service()
    assert not await service.start(7)
    status = await settled(service, lambda status: not status.processes)
    assert status.state == "failed"
    assert "gate" in status.detail
    assert programs.entry()["done"] is True


async def test_no_gate_is_a_shut_gate(tmp_path: Path) -> None:
    """Without a guard there is no gate, and nothing starts."""
    programs = Programs(tmp_path)
    (tmp_path / "gate").unlink()
    service = programs.service()
    assert not await service.start(7)
    assert "not there" in (await service.observe()).detail


async def test_services_for_all_nodes_need_no_gate(tmp_path: Path) -> None:
    """`runs_on = "all"` starts on a passive node."""
    programs = Programs(tmp_path)
    (tmp_path / "gate").write_text("shut")
    service = programs.service(runs_on="all")
    try:
        assert await service.start(-1)
        assert (await service.observe()).runs_on == "all"
    finally:
        await programs.clean_up()


async def test_the_gate_is_asked_after_the_registration(tmp_path: Path) -> None:
    """A runner that hangs before the gate is seen by whoever closes it."""
    programs = Programs(tmp_path)
    (tmp_path / "gate").unlink()
    os.mkfifo(tmp_path / "gate")
    service = programs.service(start_limit_s=1.0)
    start = asyncio.ensure_future(service.start(7))
    await programs.until((tmp_path / "services/web.json").exists)
    status = await service.observe()
    assert (status.state, status.processes, status.jobs) == ("starting", True, True)
    assert not await start
    assert "did not answer" in (await settled(service, lambda status: not status.processes)).detail


# -- over a restart of the daemon -----------------------------------------------------------------


async def test_the_next_daemon_adopts(programs: Programs) -> None:
    """A new driver finds the running service by the registry, hears its end, and can stop it."""
    first = programs.service()
    assert await first.start(7)
    first.close()
    second = programs.service()
    status = await second.observe()
    assert (status.state, status.pids) == ("running", (programs.entry()["main"],))
    assert await second.start(7)
    assert await second.stop()
    assert (await second.observe()).state == "stopped"


async def test_an_end_while_no_daemon_ran(programs: Programs) -> None:
    """The runner keeps the exit status for the daemon that comes."""
    first = programs.service("sh", "-c", "sleep 0.1; exit 5")
    assert await first.start(7)
    first.close()
    await programs.until(lambda: programs.entry()["done"])
    status = await settled(programs.service(), lambda status: not status.processes)
    assert (status.state, status.detail) == ("failed", "exited with status 5")


@pytest.mark.parametrize("entry", [b"", b"{", b"[]", b"{}", b'{"name": 7}', b"\xff" * 9])
async def test_a_registry_that_makes_no_sense(tmp_path: Path, entry: bytes) -> None:
    """What cannot be known counts as alive, by name, and nothing is started over it."""
    programs = Programs(tmp_path)
    (tmp_path / "services").mkdir()
    (tmp_path / "services/web.json").write_bytes(entry)
    service = programs.service()
    status = await service.observe()
    assert (status.processes, status.jobs) == (True, True)
    assert "web.json" in status.detail
    assert not await service.start(7)
    assert not await service.stop()
    await service.kill()


async def test_another_process_with_that_id_is_left_alone(tmp_path: Path) -> None:
    """An entry whose id now belongs to somebody else: gone, and nobody is killed."""
    programs = Programs(tmp_path)
    service = programs.service()
    assert await service.start(7)
    await service.stop()
    entry = programs.entry() | {"done": False, "pid": os.getpid(), "main": os.getpid(), "exit": None}
    (tmp_path / "services/web.json").write_text(json.dumps(entry))
    await service.kill()
    assert not (await service.observe()).processes


def _group_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


async def test_every_process_is_in_the_group(programs: Programs) -> None:
    """With a control group, runner and program are in it, and it is gone when they are."""
    if not programs.group:
        pytest.skip("no control group")
    service = programs.service()
    assert await service.start(7)
    assert set(cgroups.pids(programs.group)) == {programs.entry()["pid"], programs.entry()["main"]}
    assert cgroups.populated(programs.group)
    assert "acmd-test-" in _group_of(programs.entry()["main"])
    assert await service.stop()
    await settled(service, lambda status: not os.path.isdir(f"{programs.group}/web"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as somebody else: not shown here")
async def test_a_user_of_its_own(programs: Programs) -> None:
    """A service with a user runs as that user, with that user's groups and home, and can still be killed."""
    service = programs.service(user="nobody")
    assert await service.start(7)
    process = psutil.Process((await service.observe()).pids[0])
    assert process.username() == "nobody"
    assert process.environ()["HOME"] == "/nonexistent"
    await service.kill()
    assert await service.stop()


async def test_a_user_that_does_not_exist(programs: Programs) -> None:
    """A user that this host does not have: the start fails and says so."""
    service = programs.service(user="no-such-user")
    assert not await service.start(7)
    assert "no user 'no-such-user'" in (await service.observe()).detail


async def test_looks_during_a_restart(programs: Programs) -> None:
    """A run that ended is looked at while the next one starts: its control group is by then the next
    one's, and stays.
    """
    service = programs.service("sleep", "600")
    for _ in range(3):
        assert await service.start(7)
        await service.kill()
        await settled(service, lambda status: not status.processes)
        again = asyncio.create_task(service.start(7))
        while not again.done():
            await service.observe()
            await asyncio.sleep(0.001)
        assert await again
        await service.kill()
        await settled(service, lambda status: not status.processes)
