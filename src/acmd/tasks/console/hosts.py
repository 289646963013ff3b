"""Orders about other hosts: fence one, say that one is off, forget one, override the interlock."""

from __future__ import annotations

from dataclasses import dataclass

from acmd import status
from acmd.core import orders
from acmd.core.decision import Reason
from acmd.core.lease import EVERY_HOST, LeaseState
from acmd.core.state import State
from acmd.core.timing import elapsed_for_observer_ns
from acmd.errors import AcmdError
from acmd.tasks.console.desk import Answer, Desk, Request, said, text
from acmd.tasks.fencing import Fencing

WAIT_S = 5.0  # an agent that takes longer is asked after again


@dataclass(slots=True)
class Hosts:
    """`fencing` is what the heartbeat asks, too: one run for each host at a time."""

    desk: Desk
    fencing: Fencing

    # -- fencing ----------------------------------------------------------------------------------

    async def fence(self, request: Request, who: str) -> Answer:
        """Have the agent power a host off; what it confirms counts as if the heartbeat had asked."""
        del who
        host = self._other(text(request.get("node")), "fence itself")
        if host == EVERY_HOST:
            raise AcmdError("an agent powers one host off at a time", "name it; `acmd nodes` lists them")
        state, _, _ = self.desk.latest
        if not self.fencing.available:
            raise AcmdError(
                "no fence agent is configured",
                f"set fencing.agent; to state that {host} is off already use `acmd confirm-off {host}`",
            )
        if host == status.active_node(state) and self._holder_lives(state) and not said(request, "force"):
            raise AcmdError(
                f"{host} is the active node and renews its lease: its services would be cut off",
                "`acmd switchover` hands them over in order; --force fences it all the same",
            )
        self.fencing.by_hand(host)
        return await self.fence_result(request, "")

    async def fence_result(self, request: Request, who: str) -> Answer:
        """How it goes: running, confirmed or failed. Waits a little: a quick agent needs one question."""
        del who
        host = text(request.get("node"))
        await self.fencing.wait(host, WAIT_S)
        return {"ok": True, "node": host, "result": self.fencing.result(host)}

    async def confirm_off(self, request: Request, who: str) -> Answer:
        """An operator's 'that host is off': protocol, step 7. It speaks of this very moment, on this node."""
        del who
        name = text(request.get("node"))
        host = name if name == EVERY_HOST else self._other(name, "be off: it answers you")
        state, _, _ = self.desk.latest
        if host != EVERY_HOST and self.desk.silent_s(host) is None:
            raise AcmdError(
                f"{host} is not off: its node file keeps changing", f"power {host} off first, then say so"
            )
        effect = self._effect_of_off(state, host)
        self.fencing.confirm(host, self.desk.clock.now())
        return {"ok": True, "node": host, "effect": effect}

    def _effect_of_off(self, state: State, host: str) -> str:
        """What the word does here: "listed" or "expired". Raises AcmdError when it would do nothing."""
        nobody = AcmdError(
            f"nobody waits for {host} to be off: it is neither the lease's silent holder nor among those "
            "whose end is unconfirmed",
            "`acmd status` shows both",
        )
        if state.lease is not None:
            if not _listed(state.lease.unfenced, host):
                raise nobody
            return "listed"
        seen = state.seen
        record = seen.record if seen is not None else None
        if record is None:
            raise nobody
        if record.holder == host and record.state is LeaseState.DETACHED:
            raise AcmdError(
                f"the lease of {host} is detached: it ends by an order only",
                "`acmd enable --all --holder-is-dead` if it is off for good",
            )
        if record.holder == host and record.state is LeaseState.HELD:
            if self._holder_lives(state):
                raise AcmdError(
                    f"{host} is not off: its lease was renewed a moment ago", f"power {host} off first"
                )
            return "expired"
        if not _listed(record.unfenced, host):
            raise nobody
        if record.state is not LeaseState.RELEASED and self.desk.silent_s(record.holder) is None:
            raise AcmdError(
                f"the list with {host} is kept by {record.holder}, the active node",
                f"run `acmd confirm-off {host}` on {record.holder}",
            )
        return "listed"

    def _holder_lives(self, state: State) -> bool:
        """Whether the observed lease has changed within three heartbeats."""
        seen = state.seen
        if state.lease is not None or seen is None:
            return False
        still_ns = elapsed_for_observer_ns(seen.first_seen, self.desk.clock.now())
        return still_ns < 3 * state.me.timing.heartbeat_ns

    def _other(self, name: str, cannot: str) -> str:
        """A host that is not this one, and that the cluster has heard of. Raises AcmdError."""
        state, _, _ = self.desk.latest
        if not name:
            raise AcmdError("which node?", "name it")
        if name == state.me.node:
            raise AcmdError(f"{name} is this node and cannot {cannot}", "run it on another node")
        record = state.seen.record if state.seen is not None else None
        unfenced = {*(record.unfenced if record else ()), *(state.lease.unfenced if state.lease else ())}
        if name in unfenced or (record is not None and record.holder == name):
            return name
        return self.desk.known_node(name)

    # -- others -----------------------------------------------------------------------------------

    async def forget(self, request: Request, who: str) -> Answer:
        """Take a node that is gone for good out of the cluster: its file, and what was ordered for it."""
        desk = self.desk
        name = self._other(text(request.get("node")), "forget itself")
        state, _, _ = desk.latest
        silent_s = desk.silent_s(name)
        if silent_s is None:
            raise AcmdError(
                f"{name} is alive: its node file keeps changing",
                f"stop acmd on {name} and disable its unit first",
            )
        record = state.seen.record if state.seen is not None else None
        held = record is not None and record.state is not LeaseState.RELEASED  # also past its expiry
        if state.lease is None and record is not None and held and record.holder == name:
            raise AcmdError(f"{name} holds the lease", "wait until another node has taken over")
        unfenced = state.lease.unfenced if state.lease is not None else record.unfenced if record else ()
        if name in unfenced:
            raise AcmdError(
                f"nobody has confirmed that {name} is off",
                f"`acmd confirm-off {name}` on the active node first",
            )
        await desk.board.forget(desk.known_node(name))
        mark = desk.mark(request, who)
        await desk.board.post(lambda found: orders.forget_node(found, mark, name))
        return {"ok": True, "node": name, "silent_s": round(silent_s, 1)}

    async def override_interlock(self, request: Request, who: str) -> Answer:
        """The next takeover goes on although an interlock blocks; void in any later epoch."""
        desk = self.desk
        state, _, decision = desk.latest
        if decision.reason is not Reason.INTERLOCK or state.seen is None:
            raise AcmdError(
                "no interlock keeps this node from taking over at this moment",
                "`acmd status` says what does, if anything",
            )
        epoch, mark = state.seen.epoch, desk.mark(request, who)
        await desk.board.post(lambda found: orders.override_interlock(found, mark, epoch))
        return {"ok": True, "epoch": epoch}


def _listed(unfenced: tuple[str, ...], host: str) -> bool:
    return host in unfenced or EVERY_HOST in unfenced
