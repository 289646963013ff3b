"""`tasks.console`: whatever becomes of an order, it leaves a trace of who gave it; no flood fills a disk."""

from __future__ import annotations

from acmd.core.timing import NS_PER_S
from acmd.tasks.console.scribe import AT_ONCE, SAME_AGAIN_S
from tests.fakes.clock import FakeClock
from tests.tasks.console_kit import Desk
from tests.tasks.virtual_time import virtual


@virtual
async def test_refused_orders_are_logged(clock: FakeClock) -> None:
    """Who, what, about whom and why refused; a question is no order."""
    desk = Desk(clock)
    await desk.active()
    await desk.refused("switchover", to="zzz", reason="patching")
    assert desk.log.last("order-refused") == {
        "level": "info",
        "what": "switchover",
        "by": "alice",
        "about": "zzz",
        "reason": "patching",
        "because": "there is no node 'zzz' to switch to",
    }
    await desk.refused("service", deed="x\ny", service="web")
    assert desk.log.last("order-refused")["what"] == "service ?"
    await desk.ask("fence-result", node="zzz", id=1)
    await desk.refused("no-such-order")
    assert desk.log.count("order-refused") == 2


@virtual
async def test_a_client_that_asks_until_it_may(clock: FakeClock) -> None:
    """The same refusal of the same order again is logged once a minute; another one at once."""
    desk = Desk(clock)
    await desk.active()
    for _ in range(50):
        await desk.refused("detach")
    assert desk.log.count("order-refused") == 1
    clock.advance(round(SAME_AGAIN_S * NS_PER_S))
    await desk.refused("detach")
    assert desk.log.count("order-refused") == 2
    await desk.refused("switchover", to="zzz")
    await desk.refused("detach")
    assert desk.log.count("order-refused") == 4


@virtual
async def test_orders_that_may_be_in_force(clock: FakeClock) -> None:
    """A storage fault after which nobody knows is logged with who asked."""
    desk = Desk(clock)
    await desk.active()
    desk.bench.store.stall()
    await desk.refused("switchover", to="b")
    assert desk.log.last("order-uncertain") == {
        "level": "warning",
        "what": "switchover",
        "by": "alice",
        "about": "b",
        "because": "timeout: injected",
    }


@virtual
async def test_a_flood_of_orders(clock: FakeClock) -> None:
    """All that are given are logged; a user who gives too many is refused for a while, root is not."""
    desk = Desk(clock)
    await desk.active()
    given = 0
    for _ in range(round(AT_ONCE) + 20):
        given += "ok" in await desk.ask("enable", node="a")
    assert given == AT_ONCE
    assert desk.log.count("order-given") == given
    assert desk.log.last("order-refused")["because"] == "alice has given 100 orders in a short time"
    assert (await desk.console.handle({"do": "enable"}, "bob"))["ok"]
    for _ in range(round(AT_ONCE) + 20):
        assert (await desk.console.handle({"do": "enable"}, "root"))["ok"]
    clock.advance(2 * NS_PER_S)
    assert (await desk.ask("service", deed="pause", service="web")).keys() >= {"error"}
    assert (await desk.ask("enable", node="b"))["ok"]
    assert desk.log.last("order-given")["about"] == "b"
