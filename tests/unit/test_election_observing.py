"""'Observing and taking over', steps 1 to 3: what counts as unchanged, what as expired."""

from __future__ import annotations

import pytest

from acmd.core.calls import Call, Fault, Kind, Listing, ReadBack
from acmd.core.decision import NoteEpoch
from acmd.core.lease import LeaseState
from acmd.core.observation import Fenced, Intent, Outcome, SwitchoverRequest
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S, Instant
from tests.unit.core_kit import CLUSTER_FILE, EPOCH, ME, TIMING, Node, at, failed, first, kinds, raw, watcher

W = 14.7


def look(node: Node, t: float, ended: float | None = None) -> list[Kind]:
    """One cycle: the listing at `t`; the read begins at `t` and completes at `ended`."""
    if Kind.LIST not in [call.kind for call in node.pending]:
        node.turn(t)
    node.turn(t, node.honest(node.take(Kind.LIST), t))
    decision = node.turn(ended or t, node.honest(node.take(Kind.READ), t, ended))
    return kinds(decision.effects)


def poll(node: Node, start: float, stop: float) -> None:
    """A cycle each second."""
    t = start
    while t < stop:
        node.settle(t)
        t += 1.0


def test_lists_first_and_then_reads_the_highest_epoch() -> None:
    """'Find the highest epoch (fresh directory listing at the start ...)'."""
    node = watcher(raw(5), raw(6), raw(7))
    assert kinds(node.turn(0).effects) == [Kind.LIST]
    decision = node.turn(0, node.honest(node.take(Kind.LIST), 0))
    assert kinds(decision.effects) == [Kind.READ]
    assert node.pending[0].epoch == 7


def test_the_highest_epoch_is_kept() -> None:
    """The highest epoch ever seen goes to /var/lib/acmd/, once."""
    node = watcher(raw())
    assert NoteEpoch(EPOCH) in node.settle(0)
    assert first(node.settle(1), NoteEpoch) == -1


def test_first_seen_is_when_the_read_completed() -> None:
    """'`first_seen`, when the first read that gave them **completed**' (not: began)."""
    node = watcher(raw())
    look(node, 0, 1.5)
    assert node.state.seen is not None
    assert node.state.seen.first_seen == at(1.5)
    assert node.state.seen.confirmed_at is None


def test_expired_by_a_read_that_began_at_w() -> None:
    """'a read that **began** at `first_seen + W` or later ... gives the same bytes': then, not before."""
    node = watcher(raw())
    poll(node, 0, 14.7)
    assert node.role() is Role.PASSIVE
    look(node, 14.7)
    assert node.role() is Role.CLAIMING


def test_a_read_that_began_before_w_and_ended_after_it_confirms_nothing() -> None:
    """The confirmation is judged by the read's beginning, not by its completion."""
    node = watcher(raw())
    poll(node, 0, 14.0)
    node.turn(14.6)
    node.turn(14.6, node.honest(node.take(Kind.LIST), 14.6))
    read = node.take(Kind.READ)
    decision = node.turn(14.8, node.honest(read, 14.65, 14.8))
    assert node.role() is Role.PASSIVE
    assert kinds(decision.effects) == [Kind.LIST], "W has passed meanwhile: it is looked again at once"


def test_the_confirming_read_is_scheduled_for_that_moment() -> None:
    """'(scheduled for that moment, not for the next poll)'."""
    node = watcher(raw())
    poll(node, 0, 14.5)
    decision = node.turn(14.5)
    assert decision.wake_in_ns == pytest.approx(0.2 * NS_PER_S)
    assert kinds(node.turn(14.69).effects) == []
    assert kinds(node.turn(14.7).effects) == [Kind.LIST]


def test_any_change_starts_again() -> None:
    """'Any change starts again'."""
    node = watcher(raw())
    poll(node, 0, 10)
    node.disk[EPOCH] = raw(sequence=4)
    poll(node, 10, 24)
    assert node.role() is Role.PASSIVE
    look(node, 24.7)
    assert node.role() is Role.CLAIMING


def test_a_new_epoch_starts_again() -> None:
    """'and no higher epoch exists'."""
    node = watcher(raw())
    poll(node, 0, 14.5)
    node.disk[8] = raw(8, "c")
    look(node, 14.7)
    assert node.role() is Role.PASSIVE
    assert node.state.seen is not None
    assert node.state.seen.epoch == 8


@pytest.mark.parametrize(("pause", "restarts"), [(6.0, False), (6.1, True)])
def test_two_reads_more_than_r_apart_start_again(pause: float, *, restarts: bool) -> None:
    """'Any change starts again; so do two successful reads more than R apart'."""
    node = watcher(raw())
    node.settle(0)
    node.settle(pause)
    assert node.state.seen is not None
    assert (node.state.seen.first_seen == at(pause)) is restarts


def test_a_failed_read_neither_changes_nor_confirms() -> None:
    """'A read that fails ... neither changes nor confirms'."""
    node = watcher(raw())
    poll(node, 0, 14.0)
    node.turn(14.7)
    node.turn(14.7, node.honest(node.take(Kind.LIST), 14.7))
    node.turn(14.7, failed(node.take(Kind.READ), 14.7))
    assert node.role() is Role.PASSIVE
    assert node.state.storage_fault == Fault.IO
    assert node.state.seen is not None
    assert node.state.seen.first_seen == at(0)
    look(node, 15.7)
    assert node.role() is Role.CLAIMING, "the next good read confirms"


@pytest.mark.parametrize("slow", ["boot", "raw"])
def test_an_observer_counts_the_smaller_clock(slow: str) -> None:
    """'an observer the smaller' of CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW."""
    node = watcher(raw())
    poll(node, 0, 14.0)
    seen = node.state.seen
    assert seen is not None
    late, early = 15 * NS_PER_S, 14 * NS_PER_S
    now = Instant(early, late) if slow == "boot" else Instant(late, early)
    node.turn(14.5)
    node.turn(14.5, node.honest(node.take(Kind.LIST), 14.5))
    read = node.take(Kind.READ)
    node.turn(15, Outcome(read, now, now, ReadBack(raw(), EPOCH + 100, CLUSTER_FILE)))
    assert node.role() is Role.PASSIVE


@pytest.mark.parametrize(("duration_ms", "wait_s"), [(12_000, 14.7), (4_500, 14.7), (110_000, 134.444444445)])
def test_w_uses_the_larger_duration(duration_ms: int, wait_s: float) -> None:
    """'W uses the larger of the configured D and the record's'."""
    node = watcher(raw(duration_ms=duration_ms))
    node.settle(0)
    assert node.state.seen is not None
    assert node.state.seen.wait_ns == pytest.approx(wait_s * NS_PER_S, abs=1)


def test_released_ends_at_once() -> None:
    """'*Ended at once*: the record says `released`'."""
    node = watcher(raw(state=LeaseState.RELEASED))
    look(node, 0)
    assert node.role() is Role.CLAIMING


def test_a_fence_agents_word_ends_at_once() -> None:
    """'or a fence agent confirmed the holder's host off or reset after `first_seen`'."""
    node = watcher(raw())
    node.settle(0)
    node.settle(1, fenced=(Fenced("b", at(0.5)),))
    assert node.role() is not Role.PASSIVE


@pytest.mark.parametrize("fenced", [Fenced("b", at(-1)), Fenced("c", at(0.5))])
def test_an_older_word_or_another_hosts_ends_nothing(fenced: Fenced) -> None:
    """A confirmation from before `first_seen`, or of another host, says nothing about this holder."""
    node = watcher(raw())
    node.settle(0)
    node.settle(1, fenced=(fenced,))
    assert node.role() is Role.PASSIVE


def test_no_lease_file_must_last_w() -> None:
    """'No lease file at all is an observation like any other and must last W'."""
    node = watcher()
    poll(node, 0, 14.7)
    assert node.role() is Role.PASSIVE
    node.turn(14.7)
    node.turn(14.7, node.honest(node.take(Kind.LIST), 14.7))
    assert node.state.claim is not None
    assert node.state.claim.epoch == 0


def test_an_older_directory_is_observed_for_w_and_passed_by() -> None:
    """'Records below the highest epoch remembered ...: warn, observe W, claim remembered + 1'."""
    node = watcher(raw(state=LeaseState.RELEASED))
    node.state.highest_epoch = 20
    node.settle(0, fenced=(Fenced("b", at(0)),))
    poll(node, 1, 14.7)
    assert node.role() is Role.PASSIVE, "nothing in it ends at once"
    look(node, 14.7)
    assert node.state.claim is not None
    assert node.state.claim.epoch == 21


def test_a_named_target_polls_each_tenth_of_a_second() -> None:
    """'a named target polls every 0.1 s for at most W'."""
    request = Intent(switchover=SwitchoverRequest(EPOCH, "a"))
    node = watcher(raw())
    node.settle(0, intent=request)
    assert kinds(node.settle(0.1)) == [Kind.LIST, Kind.READ]
    assert kinds(node.settle(0.15)) == []
    node.disk[EPOCH] = raw(sequence=99)
    node.settle(15)
    assert kinds(node.settle(15.1)) == [], "W has passed: the heartbeat again"
    assert kinds(node.settle(16)) == [Kind.LIST, Kind.READ]


@pytest.mark.parametrize("request_", [SwitchoverRequest(EPOCH, "c"), SwitchoverRequest(EPOCH - 1, "a")])
def test_others_do_not_poll_faster(request_: SwitchoverRequest) -> None:
    """A request for another node, or void in this epoch, changes no pace."""
    node = watcher(raw())
    node.settle(0, intent=Intent(switchover=request_))
    assert kinds(node.settle(0.2)) == []


def test_one_look_at_a_time() -> None:
    """'One call of a class in flight': nothing more is asked before it has ended, or was given up."""
    node = watcher(raw())
    node.turn(0)
    assert kinds(node.turn(5).effects) == []
    decision = node.turn(5, failed(node.take(Kind.LIST), 5, Fault.TIMEOUT))
    assert kinds(decision.effects) == [Kind.LIST]


def test_an_answer_that_comes_late_is_not_news() -> None:
    """A look that was given up confirms nothing when it returns after all."""
    node = watcher(raw())
    node.turn(0)
    lost = node.take(Kind.LIST)
    node.turn(5, failed(lost, 5, Fault.TIMEOUT))
    late = Outcome(lost, at(0), at(6), Listing((EPOCH,), CLUSTER_FILE), late=True)
    assert kinds(node.turn(6, late).effects) == []
    assert node.state.seen is None


def test_the_wall_clock_decides_nothing() -> None:
    """'Offsets and steps do not matter': two years forth and back change no decision."""
    plain, stepping = watcher(raw()), watcher(raw())
    for t in range(15):
        plain.settle(t)
        stepping.settle(t, wall_time=(t % 2) * 63_000_000)
        assert stepping.state.key() == plain.state.key()


def test_a_call_from_another_role_is_not_absorbed() -> None:
    """What was asked for in another role does not count in this one."""
    node = watcher(raw())
    node.turn(0)
    call = node.take(Kind.LIST)
    node.state.void_before = call.number + 1
    node.turn(0.5, node.honest(call, 0.5))
    assert node.state.listing == ()
    unknown = Call(999, Kind.LIST)
    node.turn(0.6, Outcome(unknown, at(0.6), at(0.6), Listing((EPOCH,), CLUSTER_FILE)))
    assert node.state.listing == ()


def test_timing_of_these_tests() -> None:
    """The numbers above are the standard profile's."""
    assert TIMING.takeover_wait_ns == round(W * NS_PER_S)
    assert ME.timing is TIMING
