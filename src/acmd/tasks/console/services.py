"""Orders about one service of this node: stop and start it, restart it, pause and resume its supervision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from acmd import status
from acmd.core.observation import Mode
from acmd.core.orders import Held
from acmd.errors import AcmdError
from acmd.tasks.console.desk import Answer, Desk, Request, quoted, said, text
from acmd.tasks.supervision import Group
from acmd.tasks.unit import NO_FAILURES, Unit

DEEDS = ("start", "stop", "restart", "pause", "resume")


class HeldStore(Protocol):
    """What operators hold outlives the daemon, but not the host's run."""

    def load(self) -> dict[str, Held]:
        """By the service's name; what cannot be understood is left out."""
        ...

    def save(self, held: dict[str, Held]) -> None:
        """Replace atomically. Raises LocalFailure."""
        ...


@dataclass(slots=True)
class Services:
    """Works on supervision's own units. An active-only service is never started against the gate."""

    desk: Desk
    groups: tuple[Group, ...]
    store: HeldStore

    def load(self) -> None:
        """At the start of a daemon: what was held under the one before it. Supervision drops what is void."""
        held = self.store.load()
        for _, unit in self._units():
            unit.held = held.get(unit.service.name)

    def _units(self) -> list[tuple[Group, Unit]]:
        return [(group, unit) for group in self.groups for unit in group.units]

    async def service(self, request: Request, who: str) -> Answer:
        """One deed on one service of this node."""
        deed, name = text(request.get("deed")), text(request.get("service"))
        if deed not in DEEDS:
            raise AcmdError(f"a service cannot be told to {quoted(deed)}", f"one of {', '.join(DEEDS)}")
        group, unit = self._find(name)
        self._check(group, unit, deed)
        if deed in ("stop", "restart") and not said(request, "force"):
            self._check_dependents(unit, deed)
        mark = self.desk.mark(request, who)
        epoch = group.epoch if group.gated and group.epoch is not None else -1
        before = unit.held
        if deed in ("stop", "pause"):
            how = "stopped" if deed == "stop" else "paused"
            unit.held = Held(how, mark.by, mark.at, mark.reason, epoch)
        else:
            unit.held = None
        try:
            self.store.save({one.service.name: one.held for _, one in self._units() if one.held is not None})
        except AcmdError:
            unit.held = before
            raise
        self._set_off(unit, deed)
        group.poke.set()
        return {"ok": True, "service": name, "deed": deed, "node": self.desk.me, "was": unit.status.state}

    def _find(self, name: str) -> tuple[Group, Unit]:
        for group, unit in self._units():
            if unit.service.name == name:
                return group, unit
        known = ", ".join(sorted(unit.service.name for _, unit in self._units())) or "none"
        raise AcmdError(f"there is no service {quoted(name)} on {self.desk.me}", f"services: {known}")

    def _check(self, group: Group, unit: Unit, deed: str) -> None:
        name, held = unit.service.name, unit.held
        if group.mode is Mode.HANDS_OFF:
            raise AcmdError(
                "the whole cluster is disabled: acmd leaves all services as they are",
                "use the service's own tools meanwhile, or `acmd enable --all` first",
            )
        if group.mode is not Mode.RUN:
            state, _, _ = self.desk.latest
            active = status.active_node(state)
            where = f"which is {active}" if active else "and there is none now"
            raise AcmdError(
                f"{name} runs on the active node only, {where}; {self.desk.me} is {state.role.value}",
                f"run it on {active}" if active else "`acmd status` says why no node is active",
            )
        if deed == "resume" and (held is None or held.stopped):
            why = f"it is stopped; `acmd service start {name}`" if held else "it is looked after as usual"
            raise AcmdError(f"{name} is not paused", why)
        if deed == "restart" and held is not None and not held.stopped:
            raise AcmdError(f"{name} is paused: acmd leaves it alone", f"`acmd service resume {name}` first")

    def _check_dependents(self, unit: Unit, deed: str) -> None:
        name = unit.service.name
        need = [
            other.service.name
            for _, other in self._units()
            if name in other.plan.requires and not other.down and other.held is None
        ]
        if need:
            raise AcmdError(
                f"{', '.join(need)} cannot do without {name} and would be stopped too",
                f"`acmd service {deed} {name} --force` if that is meant",
            )

    def _set_off(self, unit: Unit, deed: str) -> None:
        unit.ailing = ""
        if deed == "stop" and unit.doing == "start" and unit.operation is not None:
            unit.operation.cancel()
        if deed in ("start", "restart", "resume"):
            unit.failures = NO_FAILURES
            unit.was_running = unit.up
        if deed == "restart" and unit.up:
            unit.restart = "an operator asked for it"
