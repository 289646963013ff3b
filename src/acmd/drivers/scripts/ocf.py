"""A service of kind `ocf`: a resource agent of the ClusterLabs standard. Implements `ports.Service`."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from acmd.drivers.scripts import addresses, metadata
from acmd.drivers.scripts.action import LEFT, Monitor, Place
from acmd.drivers.scripts.held import Held
from acmd.drivers.scripts.metadata import AgentError, Metadata
from acmd.drivers.scripts.program import REFUSED, Ended
from acmd.ports import ServiceStatus

METADATA_LIMIT_S = 20.0
DEFAULT_TIMEOUT_S = 20.0
DEFAULT_INTERVAL_S = 10.0
FRESH_S = 0.2  # a look at a stopped service is not repeated sooner
ADDRESS_AGENTS = ("IPaddr2", "IPaddr")
SEEN_BY_THE_GUARD = (*ADDRESS_AGENTS, "IPv6addr")

SUCCESS, NOT_RUNNING, NOT_INSTALLED = 0, 7, 5
RUNNING = {0: "", 8: "promoted", 190: "running, but degraded", 191: "promoted, but degraded"}
CODES = {
    1: "it reports an error",
    2: "it was given arguments that it does not take",
    3: "it does not know the action",
    4: "it lacks permissions",
    5: "what it needs is not installed here",
    6: "it is not configured as it must be",
    7: "it is not running",
    9: "it failed in its promoted role",
}


@dataclass(frozen=True, slots=True)
class OcfAgent:
    """An agent `ocf:PROVIDER:KIND` and its parameters. Limits of 0 are those of its meta-data."""

    name: str
    provider: str
    kind: str
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)  # some agents take passwords
    runs_on: str = "active"
    start_limit_s: float = 0.0
    stop_limit_s: float = 0.0
    monitor_limit_s: float = 0.0
    monitor_interval_s: float = 0.0
    place: Place = field(default_factory=Place)
    root: str = "/usr/lib/ocf"
    services_dir: str = ""  # of the run directory, for the guard; "" where it has no business

    @property
    def path(self) -> str:
        """The agent's program."""
        return f"{self.root}/resource.d/{self.provider}/{self.kind}"

    def environment(self, epoch: int = -1, limit_s: float = 0.0) -> dict[str, str]:
        """What the standard gives to an agent, and what agents of Pacemaker's time expect."""
        return {
            "OCF_ROOT": self.root,
            "OCF_RA_VERSION_MAJOR": "1",
            "OCF_RA_VERSION_MINOR": "0",
            "OCF_RESOURCE_INSTANCE": self.name,
            "OCF_RESOURCE_TYPE": self.kind,
            "OCF_RESOURCE_PROVIDER": self.provider,
            "OCF_RESKEY_CRM_meta_timeout": str(int(limit_s * 1000)),
            "HA_logfacility": "local2",
            **({"ACMD_EPOCH": str(epoch)} if epoch >= 0 else {}),
            **{f"OCF_RESKEY_{name}": value for name, value in self.parameters.items()},
        }


async def describe(agent: OcfAgent) -> Metadata:
    """Ask the agent for its meta-data. Raises AgentError, which names the agent."""
    name = f"ocf:{agent.provider}:{agent.kind}"
    if not all(
        re.fullmatch(r"[A-Za-z0-9_.-]+", word) and word[0] != "." for word in (agent.provider, agent.kind)
    ):
        raise AgentError(f"{name} is no name of a resource agent", "It is written ocf:heartbeat:IPaddr2.")
    if not os.access(agent.path, os.X_OK):
        raise AgentError(
            f"{name}: {agent.path} is no program", "Install the package that has it, as resource-agents."
        )
    ended = await Place().run((agent.path, "meta-data"), agent.environment(), METADATA_LIMIT_S, start=False)
    if ended.code != SUCCESS:
        raise AgentError(f"{name} does not give its meta-data: {_words(ended)}", "Call it by hand.")
    try:
        return metadata.parse(ended.out)
    except AgentError as error:
        raise AgentError(f"{name}: {error.what}", error.remedy) from None


class OcfService:
    """One resource. What runs is seen by the agent's monitor, and by the control group of its processes."""

    def __init__(self, agent: OcfAgent, described: Metadata) -> None:
        problems = described.problems(agent.parameters)
        if problems:
            raise AgentError(f"service {agent.name}: {'; '.join(problems)}", "Correct its parameters.")
        self.name = agent.name
        self.changed = asyncio.Event()
        self._agent = agent
        self._described = described
        self._doing = ""
        self._note = ""
        self._starts = 0
        self._monitor = Monitor(agent.name, agent.runs_on, lambda: asyncio.ensure_future(self._look()))
        self.set_limits(
            agent.start_limit_s, agent.stop_limit_s, agent.monitor_limit_s, agent.monitor_interval_s
        )
        self._address = agent.parameters.get("ip", "") if agent.kind in ADDRESS_AGENTS else ""
        # What else an agent holds (a mount, an export) only its monitor can tell, and no kill ends it.
        unseen = bool(agent.services_dir) and agent.kind not in SEEN_BY_THE_GUARD
        self._held = Held(agent.services_dir, agent.name) if unseen else None
        self._cut = self._held is not None and self._held.cut()  # a start did not end by itself
        if self._address and not addresses.valid(self._address):
            raise AgentError(f"service {agent.name}: 'ip' is no address", "Write it as 10.0.0.9 or fd00::9.")

    def set_limits(self, start_s: float, stop_s: float, monitor_s: float, interval_s: float) -> None:
        """Take over other limits, from the next action on. 0: as the agent's meta-data say."""
        self._agent = replace(
            self._agent,
            start_limit_s=start_s,
            stop_limit_s=stop_s,
            monitor_limit_s=monitor_s,
            monitor_interval_s=interval_s,
        )
        self._interval_s = interval_s or self._described.monitor_interval_s or DEFAULT_INTERVAL_S

    def limit_s(self, action: str) -> float:
        """How long start, stop or monitor may take: as configured, else as the agent says."""
        agent = self._agent
        own_s = {"start": agent.start_limit_s, "stop": agent.stop_limit_s, "monitor": agent.monitor_limit_s}
        return own_s[action] or self._described.timeouts_s.get(action, 0.0) or DEFAULT_TIMEOUT_S

    # -- looking ------------------------------------------------------------------------------------

    async def observe(self) -> ServiceStatus:
        """What the agent's monitor says, at most its interval old while it runs. Never raises."""
        self.changed.clear()
        if self._doing:
            return ServiceStatus(self.name, self._agent.runs_on, self._doing, processes=True, jobs=True)
        return self._agent.place.checked(await self._monitor.look(self._interval_s, FRESH_S))

    async def _look(self) -> ServiceStatus:
        starts = self._starts
        living = await self._agent.place.settled()  # what was just killed may bring it up before it dies
        status = self._judged(await self._run("monitor"))
        living = living or await self._agent.place.settled()
        if self._cut and self._held is not None and not status.processes:
            status.state, status.processes = "failed", True
            status.detail = "its start was cut short: only a stop that succeeds says that nothing comes of it"
        if living and not status.processes:
            status.detail = LEFT
        elif self._address and status.state == "unknown" and not addresses.present(self._address):
            # The kernel's own word is better than that of an agent which cannot be run.
            status.processes = False
        status.processes = status.processes or living
        if self._held is not None and status.state == "running" and not self._held.there():
            self._held.take()  # adopted from a daemon that made no mark, or started by hand
        elif self._held is not None and not status.processes and starts == self._starts:
            self._held.give_back()
        return status

    def _judged(self, ended: Ended) -> ServiceStatus:
        status = ServiceStatus(
            self.name, self._agent.runs_on, "unknown", processes=True, detail=_words(ended)
        )
        code = ended.code
        if code in RUNNING:
            status.state, status.detail = "running", RUNNING[code]
        elif code == NOT_RUNNING:
            status.state, status.processes, status.detail = "stopped", False, self._note
        elif code == NOT_INSTALLED:
            status.state, status.processes = "failed", self._held is not None and self._held.there()
        elif code in CODES:
            # A failed resource may hold what it held: it counts as there until a stop succeeded.
            status.state = "failed"
        return status

    # -- acting -------------------------------------------------------------------------------------

    async def start(self, epoch: int) -> bool:
        """Start, then ask the monitor whether it runs. A failed resource is stopped first."""
        self._doing, self._note = "starting", ""
        self._starts += 1
        failed = self._monitor.last is not None and self._monitor.last.state == "failed"
        self._monitor.forget()
        seen, began = None, 0.0
        try:
            if failed:
                await self._run("stop")
            if self._held is not None and (problem := self._held.take(starting=True)):
                self._note = f"it is not started: {problem}"
                return False
            self._cut = True
            ended = await self._run("start", epoch)
            self._cut = ended.code is None
            if self._held is not None and not self._cut:
                self._held.take()
            if ended.code == SUCCESS:
                began = asyncio.get_running_loop().time()
                ended = await self._run("monitor", epoch)
            if ended.code not in RUNNING:
                self._note = f"its start failed: {_words(ended)}"
                return False
            seen = self._judged(ended)
            return True
        finally:
            self._ended(seen, began)

    async def stop(self) -> bool:
        """Stop, then ask the monitor whether it is gone. False when not, or when processes are left."""
        self._doing, self._note = "stopping", ""
        self._monitor.forget()
        seen, began = None, 0.0
        try:
            ended = await self._run("stop")
            if ended.code not in {SUCCESS, NOT_INSTALLED}:
                self._note = f"its stop failed: {_words(ended)}"
            elif ended.code == SUCCESS:
                self._cut = False
            began = asyncio.get_running_loop().time()
            seen = await self._look()
        finally:
            self._ended(seen, began)
        if seen.processes:
            return False
        self._agent.place.remove()
        return True

    async def kill(self) -> None:
        """SIGKILL to its control group; a virtual address is taken from the kernel, with no agent asked."""
        self._monitor.doubt()
        self._agent.place.kill()
        if self._address:
            addresses.remove(self._address)
        self.changed.set()

    def _ended(self, seen: ServiceStatus | None, began: float) -> None:
        """`seen`: what the action found at its end. A slow monitor should not have to find it again."""
        self._doing = ""
        if seen is None:
            self._monitor.forget()
        else:
            self._monitor.keep(seen, began)
        self.changed.set()

    async def _run(self, action: str, epoch: int = -1) -> Ended:
        agent, limit_s = self._agent, self.limit_s(action)
        environment = agent.environment(epoch, limit_s)
        if action == "monitor":
            return await agent.place.look((agent.path, action), environment, limit_s)
        return await agent.place.run((agent.path, action), environment, limit_s, start=action == "start")


def _words(ended: Ended) -> str:
    """What an exit came to, with the agent's own last line."""
    if ended.code is None:
        meaning = "it did not end within its limit"
    elif ended.code == REFUSED:
        meaning = "the gate is not open"
    elif ended.code < 0:
        meaning = f"it was killed by signal {-ended.code}"
    else:
        meaning = CODES.get(ended.code, f"exit code {ended.code}, which the standard does not know")
    lines = [line for line in ended.err.strip().splitlines() if line.strip()]
    return f"{meaning} ({lines[-1].strip()[:200]})" if lines else meaning
