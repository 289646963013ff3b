"""`tasks.health`: what load balancers are told, by the clock of the moment they ask."""

from __future__ import annotations

from acmd.core.decision import Reason
from acmd.core.observation import GuardView, Intent, Observation
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S
from acmd.tasks import health
from tests.fakes.clock import FakeClock
from tests.tasks.console_kit import Desk
from tests.tasks.virtual_time import virtual
from tests.unit.core_kit import armed

R_S = 6


@virtual
async def test_active_ends_with_the_renew_deadline(clock: FakeClock) -> None:
    """Just before R the answer is yes; at R it is no, though nothing was decided since."""
    desk = Desk(clock)
    assert health.active(desk.snapshot) == (False, "starting")
    desk.show(desk.state(Role.ACTIVE))
    assert health.active(desk.snapshot).ok
    clock.advance(R_S * NS_PER_S - 1)
    assert health.active(desk.snapshot).ok
    clock.advance(1)
    assert health.active(desk.snapshot) == (False, "the lease was not renewed in time")


@virtual
async def test_active_by_role(clock: FakeClock) -> None:
    """A node that gives up, or has not got that far, is not active; one whose epoch was detached is."""
    desk = Desk(clock)
    for role in (Role.PROMOTING, Role.GIVING_UP, Role.DEMOTING, Role.KILLING):
        desk.show(desk.state(role))
        assert health.active(desk.snapshot) == (False, role.value)
    desk.show(desk.state(Role.DETACHED))
    clock.advance(100 * NS_PER_S)
    assert health.active(desk.snapshot).ok


@virtual
async def test_health(clock: FakeClock) -> None:
    """Without a guard, or with a heartbeat that stands still, a node is not well."""
    desk = Desk(clock)
    assert not health.health(desk.snapshot).ok
    desk.show(desk.state())
    assert health.health(desk.snapshot).ok
    clock.advance(4 * NS_PER_S + 1)
    assert health.health(desk.snapshot) == (False, "the heartbeat stands still")
    desk.show(desk.state(), obs=Observation(guard=GuardView(alive=False)))
    assert health.health(desk.snapshot) == (False, "the guard does not answer")


@virtual
async def test_ready_and_passive(clock: FakeClock) -> None:
    """Ready is who is, or could become, active; passive is who is ready and is not."""
    desk = Desk(clock)
    desk.show(desk.state())
    assert health.ready(desk.snapshot) == health.passive(desk.snapshot) == (True, "passive")
    desk.wishes.fit = False
    assert health.passive(desk.snapshot) == (False, "not fit")
    desk.wishes.fit = True
    obs = Observation(guard=GuardView(alive=True), intent=Intent(disabled_here=True))
    desk.show(desk.state(), Reason.DISABLED, obs)
    assert health.ready(desk.snapshot) == (False, "disabled")
    state = desk.state()
    state.hold_down_since = clock.now()
    desk.show(state)
    assert health.ready(desk.snapshot) == (False, "held down after failures")
    desk.show(desk.state(Role.ACTIVE))
    assert health.ready(desk.snapshot) == (True, "active")
    assert health.passive(desk.snapshot) == (False, "active")


@virtual
async def test_node(clock: FakeClock) -> None:
    """The services of every node, whichever node is active."""
    desk = Desk(clock)
    desk.show(desk.state(Role.ACTIVE), obs=Observation(guard=armed()))
    assert health.node(desk.snapshot).ok
    desk.snapshot.other_services.units.append(desk.snapshot.active_services.units[0])
    assert health.node(desk.snapshot).ok
    desk.snapshot.other_services.units[0].status.state = "failed"
    assert health.node(desk.snapshot) == (False, "a service is down")
