"""What operators ask of a running daemon: the snapshot, and orders that are checked before they are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from acmd.core.calls import StorageFault
from acmd.core.observation import Leave
from acmd.errors import AcmdError
from acmd.ports import Clock
from acmd.tasks.board import BoardKeeper
from acmd.tasks.console.desk import Answer, Desk, Log, Request
from acmd.tasks.console.hosts import Hosts
from acmd.tasks.console.maintenance import Maintenance
from acmd.tasks.console.scribe import Allowance, Scribe
from acmd.tasks.console.services import HeldStore, Services
from acmd.tasks.fencing import Fencing
from acmd.tasks.snapshot import Snapshot
from acmd.tasks.supervision import Group

Handler = Callable[[Request, str], Awaitable[Answer]]
QUESTIONS = frozenset({"status", "fence-result"})
"""What is asked without ordering anything."""


@dataclass(slots=True)
class Console:
    """Answers the control socket. `leave` tells the daemon to end."""

    now_known: Snapshot
    board: BoardKeeper
    clock: Clock
    log: Log
    fencing: Fencing
    held: HeldStore
    leave: Callable[[Leave], None]
    allowance: Allowance = field(default_factory=Allowance)
    scribe: Scribe = field(init=False)

    def __post_init__(self) -> None:
        self.scribe = Scribe(self.log)
        Services(self._desk(), self._groups(), self.held).load()

    def _desk(self) -> Desk:
        return Desk(self.now_known, self.board, self.clock, self.log)

    def _groups(self) -> tuple[Group, ...]:
        return (self.now_known.active_services, self.now_known.other_services)

    def _handlers(self) -> dict[str, Handler]:
        desk = self._desk()
        maintenance, hosts = Maintenance(desk, self.leave), Hosts(desk, self.fencing)
        return {
            "switchover": maintenance.switchover,
            "disable": maintenance.disable,
            "enable": maintenance.enable,
            "detach": maintenance.detach,
            "clear-hold-down": maintenance.clear_hold_down,
            "fence": hosts.fence,
            "fence-result": hosts.fence_result,
            "confirm-off": hosts.confirm_off,
            "forget": hosts.forget,
            "override-interlock": hosts.override_interlock,
            "service": Services(desk, self._groups(), self.held).service,
        }

    async def handle(self, request: Request, who: str) -> Answer:
        """Answer one request. What is refused changes nothing and says why."""
        do = request["do"]
        if do == "status":
            return self.now_known.take()
        handler = self._handlers().get(do)
        if handler is None:
            return {"error": f"this daemon cannot do {do!r}", "remedy": "is it an older version?"}
        if do in QUESTIONS:
            return await self._ask(handler, request, who)
        return await self._order(handler, request, who)

    @staticmethod
    async def _ask(handler: Handler, request: Request, who: str) -> Answer:
        try:
            return await handler(request, who)
        except AcmdError as error:
            return {"error": error.what, "remedy": error.remedy}

    async def _order(self, handler: Handler, request: Request, who: str) -> Answer:
        """Whatever becomes of it, it leaves a trace of who gave it."""
        try:
            self.allowance.ask(who, self.clock.now())
            answer = await handler(request, who)
        except AcmdError as error:
            self.scribe.refused(request, who, error.what, self.clock.now())
            return {"error": error.what, "remedy": error.remedy}
        except StorageFault as failure:
            self.scribe.uncertain(request, who, str(failure))
            self.allowance.take(who)
            return {
                "error": f"the shared directory did not take the order: {failure}",
                "remedy": "nothing may have changed; look at `acmd status` once the storage answers",
            }
        except BaseException as problem:  # given up on after a time, or a mistake of acmd's
            self.scribe.uncertain(request, who, repr(problem))
            self.allowance.take(who)
            raise
        self.scribe.given(request, answer, who)
        self.allowance.take(who)
        return answer
