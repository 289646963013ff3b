"""Roles and the table of legal changes between them; a state that nobody else can change."""

from __future__ import annotations

import pytest

from acmd.core.state import LEGAL, Role, State, check_transition, initial_state
from acmd.errors import IllegalTransition
from tests.unit.core_kit import ME, at, lease

PAIRS = [(old, new) for old in Role for new in Role]


@pytest.mark.parametrize(("old", "new"), PAIRS, ids=str)
def test_the_table_decides_each_change_of_role(old: Role, new: Role) -> None:
    """A change of role that the table does not have is a bug and raises; nothing else does."""
    if new in LEGAL[old]:
        check_transition(old, new)
    else:
        with pytest.raises(IllegalTransition, match=f"{old} -> {new}"):
            check_transition(old, new)


def test_every_role_has_a_row_and_can_be_reached() -> None:
    """No role is missing from the table, and each but the first is somebody's next."""
    assert set(LEGAL) == set(Role)
    assert set().union(*LEGAL.values()) == set(Role) - {Role.STARTING}


def test_what_has_ended_never_comes_back_to_life() -> None:
    """'At R it demotes itself, irrevocably for this epoch': from there only killing and passive follow."""
    reachable, todo = set(), [Role.DEMOTING]
    while todo:
        for new in LEGAL[todo.pop()]:
            if new is not Role.PASSIVE and new not in reachable:
                reachable.add(new)
                todo.append(new)
    assert reachable == {Role.KILLING}


def test_a_stopped_daemon_does_nothing_more() -> None:
    """STOPPED is the end."""
    assert LEGAL[Role.STOPPED] == frozenset()


def test_a_new_daemon_knows_nothing_but_the_highest_epoch() -> None:
    """Only /var/lib/acmd/ speaks before the first observation."""
    state = initial_state(ME, at(3), highest_epoch=41)
    assert (state.role, state.role_since, state.highest_epoch) == (Role.STARTING, at(3), 41)
    assert (state.lease, state.seen, state.claim, state.hold_down_since) == (None, None, None, None)


def test_a_clone_is_equal_and_independent() -> None:
    """What a decision does to its clone does not touch the state it came from."""
    state = initial_state(ME, at(0))
    clone = state.clone()
    assert clone.key() == state.key()
    clone.lease, clone.role = lease(), Role.ACTIVE
    assert (state.lease, state.role) == (None, Role.STARTING)
    assert clone.key() != state.key()


def test_every_field_has_a_first_value() -> None:
    """A field that `initial_state` forgot would be missed only in the role that reads it."""
    state = initial_state(ME, at(0))
    assert all(hasattr(state, name) for name in State.__annotations__)
