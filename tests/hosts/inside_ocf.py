# ruff: noqa: ASYNC110, ASYNC221, ASYNC240 - waits by looking; files and programs are local and quick
"""OCF agents and init scripts, Debian's own and nonsensical ones; runs inside of a host."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from acmd.drivers.scripts import addresses
from acmd.drivers.scripts.action import Place
from acmd.drivers.scripts.metadata import AgentError
from acmd.drivers.scripts.ocf import OcfAgent, OcfService, describe
from acmd.drivers.scripts.sysv import SysvScript, SysvService
from acmd.drivers.systemd import facts
from acmd.drivers.systemd.groups import pids
from tests.hosts.inside_units import alive, connected, service, systemctl, until

pytestmark = pytest.mark.asyncio

GROUP = "/sys/fs/cgroup/t-scripts"
ROOT = Path("/run/t-ocf")
IP = "10.99.0.200"
META = """<resource-agent name="Odd"><parameters/><actions>
<action name="start" timeout="1s"/><action name="stop" timeout="1s"/><action name="monitor" timeout="1s"/>
</actions></resource-agent>"""


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    shutil.rmtree(ROOT, ignore_errors=True)
    group = Path(GROUP)
    if group.exists():
        (group / "cgroup.kill").write_text("1")
        for _ in range(200):
            if "populated 0" in (group / "cgroup.events").read_text():
                break
            time.sleep(0.01)
        group.rmdir()
    subprocess.run(["ip", "address", "del", f"{IP}/24", "dev", "host0"], capture_output=True)


def odd(script: str, start_limit_s: float = 0.5, stop_limit_s: float = 0.5) -> OcfAgent:
    """An agent made of shell: $1 is the action; the state file is $STATE."""
    path = ROOT / "resource.d" / "test" / "Odd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!/bin/sh\nSTATE=/run/t-ocf/state\n[ $1 = meta-data ] && {{ cat {ROOT}/meta; exit 0; }}\n{script}\n"
    )
    path.chmod(0o755)
    (ROOT / "meta").write_text(META)
    return OcfAgent(
        "odd", "test", "Odd", {}, "active", start_limit_s, stop_limit_s, 0.5, 0.2, Place(GROUP), str(ROOT)
    )


PROPER = """case $1 in
start) touch $STATE; setsid sleep infinity >/dev/null 2>&1 & exit 0;;
stop) rm -f $STATE; for p in $(cat /sys/fs/cgroup/t-scripts/cgroup.procs); do [ $p = $$ ] || kill $p; done
    sleep 0.05; exit 0;;
monitor) [ -e $STATE ] && exit 0; exit 7;;
esac"""


async def made(agent: OcfAgent) -> OcfService:
    return OcfService(agent, await describe(agent))


async def seen(it: OcfService | SysvService, state: str, limit_s: float = 5.0) -> str:
    """Observe until this state; returns the detail."""
    began = time.monotonic()
    while (status := await it.observe()).state != state:
        assert time.monotonic() - began < limit_s, status
        await asyncio.sleep(0.02)
    return status.detail


async def test_dummy() -> None:
    """Debian's Dummy is described, started, monitored, stopped, and its state is its own."""
    it = await made(OcfAgent("dummy", "heartbeat", "Dummy", {"fake": "x"}, place=Place(GROUP)))
    await seen(it, "stopped")
    assert await it.start(4)
    status = await it.observe()
    assert (status.state, status.processes, status.jobs) == ("running", True, False)
    assert list(Path("/run").rglob("Dummy-dummy.state"))
    assert await it.stop()
    status = await it.observe()
    assert (status.state, status.processes, status.jobs) == ("stopped", False, False)
    assert not Path(GROUP).exists()


async def test_what_it_may_hold_is_marked() -> None:
    """From before the start until the monitor says that it is gone; nothing is started without the mark."""
    mark = ROOT / "services/odd.held"
    holds = f"case $1 in start) [ -e {mark} ] && touch $STATE;; stop) rm -f $STATE;; esac\n{PROPER}"
    it = await made(replace(odd(holds), services_dir=str(mark.parent)))
    await seen(it, "stopped")
    assert not mark.exists()
    assert await it.start(4)
    assert mark.exists()
    assert await it.stop()
    assert not mark.exists()
    shutil.rmtree(mark.parent)
    mark.parent.write_text("no directory")
    assert not await it.start(5)
    assert "cannot be made" in await seen(it, "stopped")


async def test_all_of_debians_agents_can_be_described() -> None:
    """Every agent of Debian's package gives meta-data that is understood, or an error with a reason."""
    kinds = sorted(path.name for path in Path("/usr/lib/ocf/resource.d/heartbeat").iterdir())
    described = 0
    for kind in kinds:
        try:
            found = await describe(OcfAgent("x", "heartbeat", kind))
        except AgentError as error:
            print(kind, error.what.replace("\n", " ")[:150])
        else:
            assert found.timeouts_s["start"] > 0
            described += 1
    print(described, "of", len(kinds), "agents described")
    assert described > 100


async def test_parameters_of_a_real_agent() -> None:
    """Wrong parameters of IPaddr2 are refused before anything runs."""
    with pytest.raises(AgentError, match="has no parameter 'address'"):
        await made(OcfAgent("vip", "heartbeat", "IPaddr2", {"address": IP}))
    with pytest.raises(AgentError, match="needs the parameter 'ip'"):
        await made(OcfAgent("vip", "heartbeat", "IPaddr2", {}))
    with pytest.raises(AgentError, match="'ip' is no address"):
        await made(OcfAgent("vip", "heartbeat", "IPaddr2", {"ip": "nowhere"}))
    for name in ("../../bin/sh", "nothing"):
        with pytest.raises(AgentError):
            await made(OcfAgent("vip", "heartbeat", name, {}))


def vip() -> OcfAgent:
    return OcfAgent(
        "vip", "heartbeat", "IPaddr2", {"ip": IP, "cidr_netmask": "24", "nic": "host0"},
        monitor_interval_s=0.2, place=Place(GROUP),
    )  # fmt: skip


async def test_a_virtual_address() -> None:
    """IPaddr2 brings the address up and takes it down; the kernel is asked directly as well."""
    it = await made(vip())
    assert not addresses.present(IP)
    assert await it.start(1), (await it.observe()).detail
    assert addresses.present(IP)
    await seen(it, "running")
    subprocess.run(["ip", "address", "del", f"{IP}/24", "dev", "host0"], check=True)
    await seen(it, "stopped")
    assert await it.start(1)
    assert await it.stop()
    assert not addresses.present(IP)


async def test_an_address_goes_though_nothing_can_be_stopped() -> None:
    """When the agent hangs, a kill takes the address from the kernel at once, and that is seen."""
    described = await describe(vip())
    assert await OcfService(vip(), described).start(1)
    agent = Path("/usr/lib/ocf/resource.d/heartbeat/IPaddr2")
    kept = agent.read_bytes()
    try:
        agent.write_text("#!/bin/sh\nexec sleep 1000\n")
        hanging = OcfService(
            OcfAgent(
                "vip", "heartbeat", "IPaddr2", vip().parameters, "active", 1, 0.3, 0.3, 0.2, Place(GROUP)
            ),
            described,
        )
        assert not await hanging.stop()
        assert addresses.present(IP)
        began = time.monotonic()
        await hanging.kill()
        took = time.monotonic() - began
        assert not addresses.present(IP)
        print(f"address gone after {took * 1000:.1f} ms")
        assert took < 0.1
        while (await hanging.observe()).processes:
            await asyncio.sleep(0.05)
    finally:
        agent.write_bytes(kept)


async def test_removing_an_address_that_nobody_has() -> None:
    """Nothing is removed and nothing fails; other addresses stay."""
    before = subprocess.run(["ip", "-o", "address"], capture_output=True, text=True).stdout
    assert addresses.remove("10.99.0.222") == 0
    assert addresses.remove("fd00::dead") == 0
    assert subprocess.run(["ip", "-o", "address"], capture_output=True, text=True).stdout == before


async def test_processes_of_an_agent() -> None:
    """What an agent's start leaves behind runs in the control group, is stopped by it, or killed with it."""
    it = await made(odd(PROPER))
    assert await it.start(1)
    (pid,) = pids([GROUP])
    assert (await it.observe()).state == "running"
    assert await it.stop()
    assert not alive(pid)
    assert await it.start(1)
    (pid,) = pids([GROUP])
    await it.kill()
    await until(lambda: not alive(pid))
    (ROOT / "state").unlink()
    await seen(it, "stopped")


@pytest.mark.parametrize(
    ("script", "state", "processes", "said"),
    [
        ("exit 99", "unknown", True, "exit code 99, which the standard does not know"),
        ("kill -9 $$", "unknown", True, "it was killed by signal 9"),
        ("sleep 1000", "unknown", True, "it did not end within its limit"),
        ("echo broken pipe >&2; exit 1", "failed", True, "it reports an error (broken pipe)"),
        ("exit 2", "failed", True, "arguments"),
        ("exit 5", "failed", False, "what it needs is not installed here"),
        ("exit 6", "failed", True, "not configured"),
        ("exit 7", "stopped", False, ""),
        ("exit 8", "running", True, "promoted"),
        ("exit 9", "failed", True, "failed in its promoted role"),
        ("exit 190", "running", True, "running, but degraded"),
    ],
)
async def test_every_answer_has_a_meaning(script: str, state: str, processes: bool, said: str) -> None:
    """Each exit code of a monitor, and what is none, comes to a state; the unknown counts as there."""
    it = await made(odd(script))
    status = await it.observe()
    while "not answered yet" in status.detail:
        assert (status.processes, status.jobs) == (True, True)
        status = await it.observe()
    assert (status.state, status.processes) == (state, processes)
    assert said in status.detail


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "[ $1 = start ] && { echo no licence >&2; exit 1; }; exit 7",
            "its start failed: it reports an error (no licence)",
        ),
        ("[ $1 = start ] && sleep 1000; exit 7", "its start failed: it did not end within its limit"),
        ("[ $1 = start ] && exit 0; exit 7", "its start failed: it is not running"),
    ],
)
async def test_starts_that_fail(script: str, said: str) -> None:
    """A start counts only when the monitor agrees; the reason is shown."""
    it = await made(odd(script))
    assert not await it.start(1)
    assert await seen(it, "stopped") == said
    assert not pids([GROUP])


async def test_stops_that_fail() -> None:
    """A stop that lies is found out by the monitor and by the control group; a kill ends what is left."""
    liar = await made(odd("[ $1 = monitor ] && exit 0; exit 0"))
    assert await liar.start(1)
    assert not await liar.stop()
    it = await made(
        odd("case $1 in start) setsid sleep infinity >/dev/null 2>&1 & ;; monitor) exit 7;; esac; exit 0")
    )
    await it.start(1)
    assert not await it.stop()
    while (status := await it.observe()).detail != "it is down, but processes were left in its control group":
        await asyncio.sleep(0.02)
    assert status.processes
    await it.kill()
    while (await it.observe()).processes:
        await asyncio.sleep(0.02)


async def test_a_slow_monitor_holds_nobody_up() -> None:
    """A look ends within half a second though the monitor takes longer; its answer is there later."""
    agent = odd("[ $1 = monitor ] && sleep 0.8; exit 7")
    slow = OcfAgent(agent.name, "test", "Odd", {}, "active", 1, 1, 5, 0.2, Place(GROUP), str(ROOT))
    it = await made(slow)
    began = time.monotonic()
    status = await it.observe()
    assert time.monotonic() - began < 0.7
    assert (status.state, status.processes, status.jobs) == ("unknown", True, True)
    await seen(it, "stopped")


async def test_a_cancelled_start_is_killed() -> None:
    """Cancelling a start kills the agent's process group."""
    it = await made(odd("[ $1 = start ] && sleep 1000; exit 7", start_limit_s=60))
    starting = asyncio.create_task(it.start(1))
    await until(lambda: bool(pids([GROUP])))
    assert (await it.observe()).state == "starting"
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await until(lambda: not pids([GROUP]))
    await seen(it, "stopped")


async def test_the_gate_refuses_a_start() -> None:
    """With the gate's command saying no, an agent's start does not run, monitor and stop do."""
    agent = odd("echo $1 >> /run/t-ocf/ran; exit 7")
    closed = OcfAgent(
        "odd", "test", "Odd", {}, "active", 1, 1, 1, 0.2, Place(GROUP, ("/bin/false",)), str(ROOT)
    )
    assert agent.kind == closed.kind
    it = await made(closed)
    assert not await it.start(1)
    assert await seen(it, "stopped") == "its start failed: the gate is not open"
    assert await it.stop()
    assert "start" not in (ROOT / "ran").read_text().split()


@pytest.mark.parametrize("meta", ["", "usage: Odd {start}", "<resource-agent name='Odd'/>"])
async def test_agents_that_describe_themselves_badly(meta: str) -> None:
    """An agent without usable meta-data is refused by name."""
    agent = odd("exit 0")
    (ROOT / "meta").write_text(meta)
    with pytest.raises(AgentError, match="ocf:test:Odd: its meta-data"):
        await describe(agent)


# ---------------------------------------------------------------- init scripts

SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides: t-sysv
# Required-Start:
# Required-Stop:
# Default-Start:
# Default-Stop: 0 1 6
# Short-Description: a test
### END INIT INFO
P=/run/t-sysv.pid
case $1 in
start) setsid sleep infinity >/dev/null 2>&1 & echo $! > $P;;
stop) [ -e $P ] && kill $(cat $P); rm -f $P;;
status) [ -e /run/t-sysv.code ] && exit $(cat /run/t-sysv.code)
    [ -e $P ] || exit 3; kill -0 $(cat $P) 2>/dev/null && exit 0; exit 1;;
esac
exit 0
"""


@pytest.fixture
def script() -> Iterator[SysvScript]:
    path = Path("/etc/init.d/t-sysv")
    path.write_text(SCRIPT)
    path.chmod(0o755)
    systemctl("daemon-reload")
    yield SysvScript("it", str(path), place=Place(GROUP))
    systemctl("stop", "t-sysv.service", check=False)
    path.unlink()
    for rest in ("/run/t-sysv.pid", "/run/t-sysv.code"):
        Path(rest).unlink(missing_ok=True)
    systemctl("daemon-reload")


async def test_an_init_script_through_its_generated_unit(script: SysvScript) -> None:
    """The unit starts and stops it; that it died is seen by the script's status, not by the unit."""
    async with connected() as bus:
        unit = service(bus, "t-sysv.service")
        assert (await facts("t-sysv.service", bus)).is_sysv
        assert not (await facts("cron.service", bus)).is_sysv
        it = SysvService(script, unit)
        assert (await it.observe()).state == "stopped"
        assert await it.start(1)
        assert (await it.observe()).state == "running"
        pid = int(Path("/run/t-sysv.pid").read_text())
        subprocess.run(["kill", "-9", str(pid)], check=True)
        await until(lambda: not alive(pid))
        assert (await unit.observe()).state == "running", "the generated unit is active for ever"
        assert "pid file is left" in await seen(it, "failed")
        assert await it.start(1), "a start works though the unit calls itself active"
        assert await it.stop()
        status = await it.observe()
        assert (status.state, status.processes, status.jobs) == ("stopped", False, False)


async def test_an_init_script_alone(script: SysvScript) -> None:
    """Without a unit the script is run in a control group; what it leaves is found and killed there."""
    it = SysvService(script)
    await seen(it, "stopped")
    assert await it.start(1)
    assert len(pids([GROUP])) == 1
    assert await it.stop()
    assert await it.start(1)
    (pid,) = pids([GROUP])
    await it.kill()
    await until(lambda: not alive(pid))
    await seen(it, "failed")
    assert await it.stop()


@pytest.mark.parametrize(
    ("code", "state", "processes"),
    [(0, "running", True), (1, "failed", False), (2, "failed", False), (3, "stopped", False),
     (4, "unknown", True), (150, "unknown", True)],
)  # fmt: skip
async def test_status_codes(script: SysvScript, code: int, state: str, processes: bool) -> None:
    """Each LSB status code has its meaning; unknown ones count as there."""
    Path("/run/t-sysv.code").write_text(str(code))
    status = await SysvService(script).observe()
    assert (status.state, status.processes) == (state, processes)
