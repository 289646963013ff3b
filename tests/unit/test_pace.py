"""`pace`: which events are the same, and how often such are told."""

from __future__ import annotations

from acmd.pace import KNOWN, OF_A_SUBJECT, OF_AN_EVENT, SLOW, Pace, subject

BURST = int(OF_A_SUBJECT.burst)


def test_the_pace_of_an_event() -> None:
    """A burst, then one a second; what is left out is counted; another event has its own."""
    pace = Pace({})
    assert all(pace.ask("x", {}, 0.0) for _ in range(BURST))
    assert [pace.ask("x", {}, 0.5) for _ in range(3)] == [False] * 3
    assert pace.ask("y", {}, 0.5)
    assert pace.ask("x", {}, 1.0)
    assert not pace.ask("x", {}, 1.1)
    assert (pace.take("x"), pace.take("x"), pace.take("y")) == (4, 0, 0)


def test_another_subject() -> None:
    """One service's flood hides no other's; ever new subjects are paced together."""
    pace = Pace({})
    for _ in range(BURST + 1):
        pace.ask("x", {"service": "web", "detail": "any"}, 0.0)
    assert pace.ask("x", {"service": "db"}, 0.0)
    told = sum(pace.ask("x", {"service": str(number)}, 0.0) for number in range(10 * KNOWN))
    assert told == OF_AN_EVENT.burst - BURST - 1
    assert len(pace._left) <= KNOWN + 2


def test_a_rate_of_its_own() -> None:
    """By who and what alone, whatever else a person makes up; another person is not held up."""
    pace = Pace({"order-refused": SLOW}, frozenset(("order-given",)))
    words = {"what": "fence", "by": "mallory"}
    told = sum(pace.ask("order-refused", {**words, "about": str(number)}, 0.0) for number in range(100))
    assert told == SLOW.burst
    assert pace.ask("order-refused", {**words, "by": "alice"}, 0.0)
    assert not pace.ask("order-refused", words, 59.0)
    assert pace.ask("order-refused", words, 61.0)
    assert all(pace.ask("order-given", words, 0.0) for _ in range(1000))


def test_a_clock_that_is_set_back() -> None:
    """Nobody has less for that."""
    pace = Pace({})
    assert pace.ask("x", {}, 1000.0)
    assert all(pace.ask("x", {}, 10.0) for _ in range(BURST - 1))


def test_subjects() -> None:
    """The role counts in a change of role alone."""
    assert subject("role", {"role": "active", "epoch": 3}) == "active"
    assert subject("service-ended", {"role": "active", "service": "web"}) == "web"
