"""`tasks.failback` under virtual time: one ordinary order, after the delay, and no ping-pong."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Fault, Link
from acmd.core.orders import Orders, disable_all, disable_node, switch_over
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S
from acmd.tasks.failback import Failback
from tests.fakes.clock import FakeClock
from tests.tasks.board_kit import node_file
from tests.tasks.console_kit import MARK, Desk
from tests.tasks.virtual_time import virtual
from tests.unit.core_kit import EPOCH, lease

DELAY_S = 60


class Bench:
    """Node a is active; b is preferred and is heard with each step of a second."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.keeper = desk.bench.keeper
        self.task = Failback("b", DELAY_S * NS_PER_S, desk.snapshot, self.keeper, desk.clock, desk.log)
        self.beat = 0
        desk.show(desk.state(Role.ACTIVE))

    async def pass_s(self, seconds: int, *, silent: bool = False, **peer: Any) -> None:
        """Second after second."""
        for _ in range(seconds):
            self.desk.clock.advance(NS_PER_S)
            if not silent:
                self.beat += 1
                self.keeper._beats = 1
                self.desk.bench.put_node(node_file("b", self.beat, **peer))
                await self.keeper._read_nodes()
            await self.task.look()

    def asked(self) -> int:
        """The epoch for which a switchover was ordered; -1: none was."""
        return self.keeper.orders.switchover_epoch if self.keeper.orders is not None else -1


@virtual
async def test_after_the_delay(clock: FakeClock) -> None:
    """Once in an epoch, signed, to the preferred node; in the next one the delay begins anew."""
    bench = Bench(Desk(clock))
    await bench.pass_s(DELAY_S)
    assert bench.asked() == -1
    await bench.pass_s(2)
    assert bench.asked() == EPOCH
    orders = bench.keeper.orders
    assert orders is not None
    assert (orders.switchover_to, orders.by) == ("b", "acmd, failback")
    await bench.pass_s(200)
    assert bench.keeper.number == 0
    later = bench.desk.state(Role.ACTIVE)
    later.lease = lease(epoch=EPOCH + 2)
    bench.desk.show(later)
    await bench.pass_s(DELAY_S - 1)
    assert bench.asked() == EPOCH
    await bench.pass_s(3)
    assert bench.asked() == EPOCH + 2


@pytest.mark.parametrize(
    "peer",
    [{"fit": False}, {"held_down": True}, {"role": "starting"}, {"disabled": True}],
    ids=lambda peer: next(iter(peer)),
)
def test_a_node_that_is_not_ready(peer: dict[str, Any]) -> None:
    """It gets nothing, and the delay begins anew once it is ready."""

    @virtual
    async def run(clock: FakeClock) -> None:
        bench = Bench(Desk(clock))
        await bench.pass_s(DELAY_S - 5)
        await bench.pass_s(1, **peer)
        await bench.pass_s(DELAY_S)
        assert bench.asked() == -1
        await bench.pass_s(3)
        assert bench.asked() == EPOCH

    run()


@virtual
async def test_a_silent_node(clock: FakeClock) -> None:
    """Found once and never heard again: not ready."""
    bench = Bench(Desk(clock))
    await bench.pass_s(200, silent=True)
    await bench.pass_s(30)
    await bench.pass_s(200, silent=True)
    assert bench.asked() == -1


@virtual
async def test_only_the_active_node_hands_over(clock: FakeClock) -> None:
    """A passive one orders nothing, nor does one that knows nothing yet."""
    bench = Bench(Desk(clock))
    bench.desk.show(bench.desk.state())
    await bench.pass_s(2 * DELAY_S)
    assert bench.asked() == -1


@pytest.mark.parametrize("given", ["all", "node", "elsewhere"])
def test_operators_go_first(given: str) -> None:
    """Maintenance, or a switchover that was ordered for this epoch already, is left as it is."""

    @virtual
    async def run(clock: FakeClock) -> None:
        bench = Bench(Desk(clock))
        made = {
            "all": disable_all(Orders(), MARK),
            "node": disable_node(Orders(), "b", MARK),
            "elsewhere": switch_over(Orders(), MARK, EPOCH, "c"),
        }[given]
        await bench.pass_s(DELAY_S)
        bench.desk.bench.put_orders(0, made)
        await bench.pass_s(20)
        assert bench.keeper.number == 0
        assert bench.keeper.orders == made
        await bench.pass_s(2 * DELAY_S)
        assert bench.keeper.number == 0

    run()


@virtual
async def test_storage_that_takes_no_order(clock: FakeClock) -> None:
    """Said, and tried again after another delay."""
    bench = Bench(Desk(clock))
    bench.desk.bench.directory.fail = {Link: Fault.NO_SPACE}
    await bench.pass_s(DELAY_S + 2)
    assert bench.desk.log.count("failback-not-ordered") == 1
    bench.desk.bench.directory.fail = {}
    await bench.pass_s(DELAY_S + 2)
    assert bench.asked() == EPOCH
