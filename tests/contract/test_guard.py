"""What every guard does (`ports.Guard`): the fake, and the real process over its socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from acmd.core.observation import Gate
from tests.contract.guard_kit import LIMITS, MS, Bed, FakeBed, long_ago, real_bed

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(params=["fake", "real"])
async def bed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bed]:
    if request.param == "fake":
        yield FakeBed()
        return
    async with real_bed(tmp_path) as real:
        yield real


async def ready(bed: Bed) -> None:
    await bed.until(lambda: bed.guard.view().alive and bed.guard.view().clean)


async def armed(bed: Bed, epoch: int = 7) -> None:
    await ready(bed)
    bed.guard.arm(epoch, bed.clock.now())
    await bed.until(lambda: bed.guard.view().gate is Gate.OPEN)


async def test_starts_disarmed_and_shut(bed: Bed) -> None:
    """Before anything is asked: disarmed, shut, and clean once it has looked."""
    await ready(bed)
    view = bed.guard.view()
    assert (view.epoch, view.issued, view.gate, view.watchdog_ok) == (None, None, Gate.SHUT, True)
    assert bed.guard.changed.is_set()


async def test_arming_opens_and_moves(bed: Bed) -> None:
    """Arming opens the gate; a later renewal moves the deadline; an older one does not move it back."""
    await armed(bed)
    first = bed.guard.view()
    assert first.epoch == 7
    assert not first.clean
    assert first.issued is not None
    await bed.spend(5 * MS)
    later = bed.clock.now()
    bed.guard.arm(7, later)
    bed.guard.arm(7, first.issued)
    await bed.until(lambda: bed.guard.view().issued == later)


async def test_an_expired_renewal_does_not_arm(bed: Bed) -> None:
    """A claim that is older than R when it reaches the guard is not armed."""
    await ready(bed)
    bed.guard.arm(7, long_ago(bed.clock, LIMITS.renew_ns))
    await bed.spend(20 * MS)
    assert bed.guard.view().epoch is None


async def test_without_renewals_it_closes_kills_and_stays_armed(bed: Bed) -> None:
    """R closes the gate, K shuts it and kills; then it is clean, and armed until it is disarmed."""
    await armed(bed)
    await bed.run_service(7)
    issued = bed.guard.view().issued
    await bed.spend(LIMITS.renew_ns)
    await bed.until(lambda: bed.guard.view().gate is not Gate.OPEN)
    bed.guard.arm(7, bed.clock.now())
    await bed.spend(LIMITS.kill_ns - LIMITS.renew_ns)
    await bed.until(lambda: bed.guard.view().gate is Gate.SHUT)
    await bed.until(lambda: bed.guard.view().clean)
    assert not await bed.service_lives()
    assert (bed.guard.view().epoch, bed.guard.view().issued) == (7, issued)
    bed.guard.disarm(7, detached=False)
    await bed.until(lambda: bed.guard.view().epoch is None)
    assert bed.guard.view().clean


async def test_shutting_kills_at_once(bed: Bed) -> None:
    """Superseded: the gate is shut and what runs is killed long before K."""
    await armed(bed)
    await bed.run_service(7)
    bed.guard.shut_gate(7)
    await bed.until(lambda: bed.guard.view().gate is Gate.SHUT and bed.guard.view().clean)
    assert not await bed.service_lives()


async def test_closing_leaves_running_services_alone(bed: Bed) -> None:
    """On giving up the gate closes, services go on to stop gracefully, and renewals extend meanwhile."""
    await armed(bed)
    await bed.run_service(7)
    bed.guard.close_gate(7)
    await bed.until(lambda: bed.guard.view().gate is Gate.CLOSING)
    await bed.spend(20 * MS)
    now = bed.clock.now()
    bed.guard.arm(7, now)
    await bed.until(lambda: bed.guard.view().issued == now)
    assert bed.guard.view().gate is Gate.CLOSING
    assert await bed.service_lives()


async def test_disarming_is_refused_while_services_live(bed: Bed) -> None:
    """Disarm without `detached` needs everything gone."""
    await armed(bed)
    await bed.run_service(7)
    bed.guard.close_gate(7)
    bed.guard.disarm(7, detached=False)
    await bed.until(lambda: bed.guard.view().gate is Gate.CLOSING)
    await bed.spend(20 * MS)
    assert bed.guard.view().epoch == 7


async def test_detached_services_live_on_and_are_armed_again(bed: Bed) -> None:
    """Detached: no deadline, nothing killed, the gate open; the same epoch can be armed over them."""
    await armed(bed)
    await bed.run_service(7)
    bed.guard.disarm(7, detached=True)
    await bed.until(lambda: bed.guard.view().epoch is None)
    await bed.spend(LIMITS.reset_ns)
    assert await bed.service_lives()
    assert bed.guard.view().gate is Gate.OPEN
    bed.guard.arm(7, bed.clock.now())
    await bed.until(lambda: bed.guard.view().epoch == 7)
    assert await bed.service_lives()


async def test_a_giving_up_in_order(bed: Bed) -> None:
    """Close, nothing lives, disarm; then the next epoch can be armed, and the old one not again."""
    await armed(bed)
    bed.guard.close_gate(7)
    await bed.until(lambda: bed.guard.view().clean)
    bed.guard.disarm(7, detached=False)
    await bed.until(lambda: bed.guard.view().epoch is None)
    bed.guard.arm(7, bed.clock.now())
    bed.guard.arm(8, bed.clock.now())
    await bed.until(lambda: bed.guard.view().epoch == 8)
