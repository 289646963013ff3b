"""The demo's checker: it must notice two nodes that answer, in whatever order that comes to light."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmd.cli.demo.client import Overlap, Record


def test_one_after_the_other_is_fine() -> None:
    """Epochs that follow one another, on whatever node, are no overlap."""
    record = Record()
    assert [record.add(*a) for a in [("a", 1, 10), ("a", 1, 20), ("b", 2, 21), ("b", 2, 30)]] == [
        True,
        False,
        True,
        False,
    ]
    assert record.answers == 4


@pytest.mark.parametrize(
    "answers",
    [
        [("a", 1, 10), ("b", 2, 20), ("a", 1, 21)],  # the old one answers on
        [("a", 1, 10), ("a", 1, 30), ("b", 2, 20)],  # found out later
        [("b", 2, 20), ("a", 1, 30)],
        [("b", 2, 20), ("a", 1, 20)],  # the same instant
        [("a", 1, 10), ("b", 1, 20)],  # one epoch, two holders
    ],
)
def test_two_that_answer_are_noticed(answers: list[tuple[str, int, int]]) -> None:
    """Late answers, answers that come to light late, the same instant, and an epoch of two nodes."""
    record = Record()

    def add_all() -> None:
        for answer in answers:
            record.add(*answer)

    with pytest.raises(Overlap):
        add_all()


@given(st.permutations(range(12)), st.integers(min_value=1, max_value=11))
def test_the_order_of_hearing_does_not_matter(order: list[int], change: int) -> None:
    """Answers of two epochs in turn are accepted in any order; with one swapped, refused in any order."""
    good = Record()
    for at in order:
        good.add("a" if at < change else "b", 1 if at < change else 2, at)
    bad = Record()

    def add_all() -> None:
        for at in order:
            late = at in {0, 11}  # the first by the second epoch, the last by the first one
            second = (at >= change) != late
            bad.add("b" if second else "a", 2 if second else 1, at)

    with pytest.raises(Overlap):
        add_all()
