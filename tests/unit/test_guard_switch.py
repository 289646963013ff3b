"""The dead man's switch, decision by decision: when it opens, closes, shuts, kills, resets and feeds."""

from __future__ import annotations

import pytest

from acmd.guard.switch import (
    CLOSING,
    IDLE_NS,
    OPEN,
    POLL_NS,
    SHUT,
    UNKNOWN,
    Action,
    Do,
    Limits,
    SetGate,
    Sight,
    Switch,
)

S = 1_000_000_000
LIMITS = Limits(renew_ns=6 * S, kill_ns=9 * S, reset_ns=10 * S, lease_ns=12 * S)
WATCHED = LIMITS._replace(watchdog_timeout_ns=2 * S)
HARMLESS = LIMITS._replace(last_resort="none")
GONE = Sight(processes=False, jobs=False, drained=True)
ALIVE = Sight(processes=True, jobs=False, drained=False)
QUEUED = Sight(processes=False, jobs=True, drained=True)
DIRTY = Sight(processes=False, jobs=False, drained=False)


def at(seconds: float) -> tuple[int, int]:
    return round(seconds * S), round(seconds * S)


def clean_switch(limits: Limits = LIMITS) -> Switch:
    switch = Switch(limits)
    switch.tick(at(0), GONE)
    switch.tick(at(0), GONE)
    return switch


def armed_switch(limits: Limits = LIMITS, epoch: int = 7) -> Switch:
    switch = clean_switch(limits)
    assert switch.arm(epoch, at(0), at(0)) == ""
    assert switch.tick(at(0), GONE)[0] == SetGate(OPEN)
    return switch


def without_feed(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    return tuple(action for action in actions if action is not Do.FEED)


# -- start ----------------------------------------------------------------------------------------


def test_starts_shut_and_unclean() -> None:
    """From the start on the gate is shut, what lives is killed; arming waits until all was seen gone."""
    switch = Switch(LIMITS)
    assert (switch.gate, switch.clean, switch.epoch, switch.closing) == (SHUT, False, None, False)
    assert switch.tick(at(0), ALIVE) == (SetGate(SHUT), Do.KILL)
    assert "not yet seen gone" in switch.arm(1, at(0), at(0))
    assert switch.tick(at(1), ALIVE) == (Do.KILL,)
    assert switch.tick(at(1), DIRTY) == (Do.SYNC,)
    assert not switch.clean
    assert switch.tick(at(1), GONE) == ()
    assert switch.clean
    assert switch.arm(1, at(1), at(1)) == ""


def test_first_sight_proves_nothing() -> None:
    """A sight taken before the gate was put into its place does not count as clean."""
    switch = Switch(LIMITS)
    assert switch.tick(at(0), GONE) == (SetGate(SHUT), Do.KILL)
    assert not switch.clean
    assert switch.arm(1, at(0), at(0)) != ""


def test_what_appears_while_shut_is_killed_again() -> None:
    """A stray under a shut gate, or a job for one, is killed on every tick, and forbids arming meanwhile."""
    switch = clean_switch()
    assert switch.clean
    assert switch.tick(at(1), ALIVE) == (Do.KILL,)
    assert not switch.clean
    assert switch.tick(at(2), QUEUED) == (Do.KILL,)
    assert switch.tick(at(3), UNKNOWN) == (Do.KILL,)
    assert switch.arm(1, at(3), at(3)) != ""


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (LIMITS._replace(last_resort="rest"), "'rest'"),
        (LIMITS._replace(kill_ns=11 * S), "renew <= kill <= reset <= lease"),
        (LIMITS._replace(watchdog_timeout_ns=12 * S), "watchdog"),
        (WATCHED._replace(last_resort="none"), "watchdog resets the host"),
    ],
)
def test_bad_limits_are_refused(limits: Limits, word: str) -> None:
    """Limits that could not keep their promise raise, with the reason; a mistyped last resort too."""
    with pytest.raises(ValueError, match=word):
        Switch(limits)


# -- arming and the deadline ----------------------------------------------------------------------


def test_arming_moves_the_deadline_never_back() -> None:
    """A newer renewal moves the deadline; an older one is taken without effect."""
    switch = armed_switch()
    assert switch.arm(7, at(2), at(3)) == ""
    assert switch.issued == at(2)
    assert switch.arm(7, at(1), at(3)) == ""
    assert switch.issued == at(2)


def test_refused_arming() -> None:
    """Another epoch, an expired renewal and one from the future are refused and change nothing."""
    switch = armed_switch()
    assert "armed for epoch 7" in switch.arm(8, at(1), at(1))
    assert "older than the renew deadline" in switch.arm(7, at(0), at(6))
    assert "future" in switch.arm(7, (2 * S, 0), at(1))
    assert "future" in switch.arm(7, (0, 2 * S), at(1))
    assert (switch.epoch, switch.issued, switch.gate) == (7, at(0), OPEN)


def test_arming_an_expired_claim_is_refused() -> None:
    """A new epoch whose claim was issued R ago is not armed."""
    switch = clean_switch()
    assert "older than the renew deadline" in switch.arm(1, at(0), at(6))
    assert switch.epoch is None


def test_r_is_irrevocable_even_before_its_tick() -> None:
    """Once R passed by the switch's own clock no later renewal extends, whether or not it ticked since."""
    switch = armed_switch()
    assert "renew deadline has passed" in switch.arm(7, at(5), at(6))
    assert switch.issued == at(0)


def test_either_clock_ends_the_lease() -> None:
    """The larger of the two clocks counts: a suspend shows in one of them only."""
    for now in ((6 * S, 0), (0, 6 * S)):
        switch = armed_switch()
        assert switch.tick(now, ALIVE) == (SetGate(CLOSING),)


def test_an_ended_epoch_is_never_armed_again() -> None:
    """After a disarm, that epoch and all before it are refused for ever."""
    switch = armed_switch(epoch=7)
    assert switch.close(7) == ""
    switch.tick(at(1), GONE)
    switch.tick(at(1), GONE)
    assert switch.disarm(7, detached=False) == ""
    assert "epoch 7 has ended" in switch.arm(7, at(1), at(1))
    assert "epoch 7 has ended" in switch.arm(6, at(1), at(1))
    assert switch.arm(8, at(1), at(1)) == ""


# -- the ladder -----------------------------------------------------------------------------------


def test_ladder_of_an_unattended_lease() -> None:
    """R closes, K shuts and kills, D - reset_margin resets, each at its time and not before."""
    switch = armed_switch()
    assert switch.tick(at(5.99), ALIVE) == ()
    assert switch.tick(at(6), ALIVE) == (SetGate(CLOSING),)
    assert switch.closing
    assert switch.tick(at(8.99), ALIVE) == ()
    assert switch.tick(at(9), ALIVE) == (SetGate(SHUT), Do.KILL)
    assert switch.tick(at(9.99), ALIVE) == (Do.KILL,)
    assert switch.tick(at(10), ALIVE) == (Do.KILL, Do.RESET)
    assert switch.overdue
    assert switch.tick(at(11), ALIVE) == (Do.KILL, Do.RESET)


def test_a_pause_over_everything_does_all_at_once() -> None:
    """A machine that wakes after the reset deadline with an open gate shuts, kills and resets in one tick."""
    switch = armed_switch()
    assert switch.tick(at(60), GONE) == (SetGate(SHUT), Do.KILL, Do.RESET)


@pytest.mark.parametrize("sight", [QUEUED, DIRTY, UNKNOWN])
def test_a_missing_proof_resets(sight: Sight) -> None:
    """A queued job, undrained writes, or no knowledge at the reset deadline reset the host too."""
    switch = armed_switch()
    switch.tick(at(9), sight)
    assert Do.RESET in switch.tick(at(10), sight)


def test_proof_of_all_gone_prevents_the_reset() -> None:
    """With all gone and drained the switch stays armed, spent and clean, and neither kills nor resets."""
    switch = armed_switch()
    switch.tick(at(6), DIRTY)
    assert switch.tick(at(7), DIRTY) == (Do.SYNC,)
    assert not switch.spent
    assert switch.tick(at(8), GONE) == ()
    assert switch.spent
    assert switch.clean
    assert switch.tick(at(9), GONE) == (SetGate(SHUT), Do.KILL)
    assert switch.tick(at(60), GONE) == ()
    assert switch.epoch == 7
    assert "shut" in switch.arm(7, at(59), at(60))
    assert switch.disarm(7, detached=False) == ""
    assert (switch.epoch, switch.clean) == (None, True)


def test_last_resort_none_says_so_and_goes_on_killing() -> None:
    """Without a last rung the switch never asks for a reset; it kills on and reports itself overdue."""
    switch = armed_switch(HARMLESS)
    switch.tick(at(9), ALIVE)
    assert switch.tick(at(60), ALIVE) == (Do.KILL,)
    assert switch.overdue
    switch.tick(at(61), GONE)
    assert not switch.overdue


def test_a_sight_from_before_the_closing_does_not_count() -> None:
    """The tick that closes the gate does not take its own sight for proof: a start may have slipped in."""
    switch = armed_switch()
    assert switch.tick(at(6), GONE) == (SetGate(CLOSING),)
    assert switch.disarm(7, detached=False) != ""
    switch.tick(at(6), GONE)
    assert switch.disarm(7, detached=False) == ""


def test_an_open_gate_never_looks_clean() -> None:
    """While armed and open the switch is not clean, though nothing has been started yet."""
    switch = armed_switch()
    switch.tick(at(1), GONE)
    assert not switch.clean
    assert "not seen gone" in switch.disarm(7, detached=False)


# -- giving up ------------------------------------------------------------------------------------


def test_closing_keeps_the_deadline_moving() -> None:
    """While services stop on purpose renewals extend the deadline, and the gate stays closing."""
    switch = armed_switch()
    assert switch.close(7) == ""
    assert switch.tick(at(1), ALIVE) == (SetGate(CLOSING),)
    assert switch.arm(7, at(5), at(5)) == ""
    assert switch.tick(at(10), ALIVE) == ()
    assert switch.gate == CLOSING
    assert switch.close(7) == ""


def test_shut_goes_straight_to_k() -> None:
    """`shut` kills at once, extends nothing afterwards, and close does not soften it."""
    switch = armed_switch()
    assert switch.shut(7) == ""
    assert switch.tick(at(1), ALIVE) == (SetGate(SHUT), Do.KILL)
    assert switch.close(7) == ""
    assert switch.gate == SHUT
    assert "shut" in switch.arm(7, at(1), at(1))
    assert switch.issued == at(0)


def test_requests_for_another_epoch() -> None:
    """An armed switch refuses them; a disarmed one has nothing left to do."""
    switch = armed_switch()
    for refusal in (switch.close(6), switch.shut(6), switch.disarm(6, False), switch.disarm(8, True)):
        assert "armed for epoch 7" in refusal
    idle = clean_switch()
    assert [idle.close(6), idle.shut(6), idle.disarm(6, False)] == ["", "", ""]
    assert idle.clean


# -- detached -------------------------------------------------------------------------------------


def test_detaching_leaves_services_alone() -> None:
    """Disarmed by `detached`, the gate stays open, nothing is killed or reset, however long."""
    switch = armed_switch()
    assert switch.disarm(7, detached=True) == ""
    assert (switch.epoch, switch.detached, switch.detached_epoch) == (None, True, 7)
    assert switch.tick(at(1000), ALIVE) == ()
    assert switch.gate == OPEN
    assert not switch.clean
    assert switch.disarm(7, detached=True) == ""
    assert "epoch 7 is detached" in switch.disarm(8, detached=True)


def test_closing_gate_opens_again_by_detaching() -> None:
    """After R, before K: a `detached` that was acknowledged in time still ends the demotion."""
    switch = armed_switch()
    switch.tick(at(6), ALIVE)
    assert switch.disarm(7, detached=True) == ""
    assert switch.tick(at(20), ALIVE) == (SetGate(OPEN),)


def test_what_k_began_is_finished() -> None:
    """Once shut, detaching is refused until all is gone."""
    switch = armed_switch()
    switch.tick(at(9), ALIVE)
    assert "finished first" in switch.disarm(7, detached=True)
    switch.tick(at(9), GONE)
    assert switch.disarm(7, detached=True) == ""


def test_rearming_a_detached_epoch() -> None:
    """The same epoch is armed again though its services run; another one is not."""
    switch = armed_switch()
    switch.disarm(7, detached=True)
    assert switch.close(7) == ""
    assert switch.tick(at(50), ALIVE) == (SetGate(CLOSING),)
    assert "epoch 7 is detached" in switch.arm(8, at(50), at(50))
    assert "older" in switch.arm(7, at(0), at(50))
    assert switch.arm(7, at(50), at(50)) == ""
    assert (switch.epoch, switch.detached, switch.gate) == (7, False, OPEN)
    switch.tick(at(50), ALIVE)
    assert switch.tick(at(59), ALIVE) == (SetGate(SHUT), Do.KILL)


def test_shut_ends_a_detached_epoch() -> None:
    """Another node took over a detached epoch by an operator's word: what still runs here is killed."""
    switch = armed_switch()
    switch.disarm(7, detached=True)
    assert "epoch 7 is detached" in switch.shut(8)
    assert switch.shut(7) == ""
    assert switch.tick(at(100), ALIVE) == (SetGate(SHUT), Do.KILL)
    assert not switch.detached
    assert "has ended" in switch.disarm(7, detached=True)


def test_a_detached_epoch_under_which_nothing_lives_ends() -> None:
    """Leaving `detached` for good is refused while something runs, and shuts the gate when nothing does."""
    switch = armed_switch()
    switch.disarm(7, detached=True)
    switch.tick(at(1), ALIVE)
    assert "not seen gone" in switch.disarm(7, detached=False)
    switch.tick(at(2), DIRTY)
    assert switch.disarm(7, detached=False) == ""
    assert switch.tick(at(2), DIRTY) == (SetGate(SHUT), Do.KILL)
    assert switch.tick(at(2), DIRTY) == (Do.SYNC,)
    switch.tick(at(3), GONE)
    assert switch.clean


def test_a_fresh_switch_learns_of_a_detached_epoch() -> None:
    """A newly acknowledged `detached` told to a fresh switch stops it from killing strays."""
    switch = Switch(LIMITS)
    switch.tick(at(0), ALIVE)
    assert switch.disarm(7, detached=True) == ""
    assert switch.tick(at(0), ALIVE) == (SetGate(OPEN),)


# -- a restart of the switch ----------------------------------------------------------------------


def test_lost_while_armed_resets_at_once() -> None:
    """The successor of a switch that ended while armed resets the host without waiting."""
    switch = Switch(WATCHED)
    switch.lost_while_armed(7, at(0))
    assert switch.tick(at(1), GONE) == (SetGate(SHUT), Do.KILL, Do.RESET)
    assert Do.RESET in switch.tick(at(2), GONE)


def test_lost_while_armed_without_a_last_resort_kills_at_once() -> None:
    """With last_resort none the successor kills all, extends nothing, and is disarmed when all is gone."""
    switch = Switch(HARMLESS)
    switch.lost_while_armed(7, at(0))
    assert switch.tick(at(1), ALIVE) == (SetGate(SHUT), Do.KILL)
    assert "shut" in switch.arm(7, at(1), at(1))
    switch.tick(at(2), GONE)
    assert switch.spent
    assert switch.disarm(7, detached=False) == ""
    assert switch.clean


def test_a_detached_switch_stays_detached_over_its_restart() -> None:
    """In maintenance the successor opens the gate again and touches nothing."""
    switch = Switch(LIMITS)
    switch.was_detached(7)
    assert switch.tick(at(0), ALIVE) == (SetGate(OPEN),)
    assert switch.arm(7, at(0), at(0)) == ""


# -- watchdog -------------------------------------------------------------------------------------


def test_watchdog_is_fed_only_while_it_fires_before_d() -> None:
    """Armed: fed only while now + timeout <= D, so that it fires by D when nobody else acts."""
    switch = armed_switch(WATCHED)
    assert Do.FEED in switch.tick(at(5), ALIVE)
    switch.tick(at(9), ALIVE)
    limits = WATCHED._replace(reset_ns=12 * S)
    late = armed_switch(limits)
    assert Do.FEED in late.tick(at(10), ALIVE)
    assert Do.FEED not in late.tick(at(10.001), ALIVE)
    assert Do.FEED not in switch.tick(at(10), ALIVE)


def test_watchdog_is_fed_while_nothing_is_armed() -> None:
    """A watchdog that cannot be disarmed must not end a host with nothing to lose: idle, detached, spent."""
    assert Do.FEED in clean_switch(WATCHED).tick(at(100), ALIVE)
    switch = armed_switch(WATCHED)
    switch.tick(at(9), GONE)
    assert Do.FEED in switch.tick(at(100), GONE)
    detached = armed_switch(WATCHED)
    detached.disarm(7, detached=True)
    assert Do.FEED in detached.tick(at(100), ALIVE)


def test_no_watchdog_is_never_fed() -> None:
    """Without a watchdog there is nothing to feed."""
    assert Do.FEED not in clean_switch().tick(at(1), GONE)


# -- waking ---------------------------------------------------------------------------------------


def test_wakes_in_time_for_what_is_next() -> None:
    """The next tick is never later than R, K or the reset deadline; frequent while something has to go."""
    assert clean_switch().wake_in_ns(at(0)) == IDLE_NS
    assert Switch(LIMITS).wake_in_ns(at(0)) == POLL_NS
    switch = armed_switch()
    assert 4 * S < switch.wake_in_ns(at(0)) < 6 * S
    assert switch.wake_in_ns(at(5.99)) == 10_000_000
    assert switch.wake_in_ns(at(7)) == 0
    switch.tick(at(6), ALIVE)
    assert switch.wake_in_ns(at(6)) == POLL_NS
    assert switch.wake_in_ns(at(8.99)) == 10_000_000
    switch.tick(at(9), ALIVE)
    assert switch.wake_in_ns(at(9.99)) == 10_000_000
    assert switch.wake_in_ns(at(11)) == POLL_NS


def test_wakes_for_the_watchdog() -> None:
    """With a watchdog the switch ticks at least four times within its timeout."""
    assert clean_switch(WATCHED).wake_in_ns(at(0)) == 500_000_000
    assert armed_switch(WATCHED).wake_in_ns(at(0)) <= 500_000_000


def test_deadline_cannot_be_asked_for_while_disarmed() -> None:
    """An armed switch without a deadline is a broken invariant, and raises."""
    switch = clean_switch()
    switch.epoch = 3
    with pytest.raises(RuntimeError):
        switch.tick(at(0), GONE)
