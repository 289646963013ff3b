"""Each story in `stories/` holds, line by line; at no instant services answer on two hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.play import play
from tests.scenarios.world import TwoActive

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_story(story: Path) -> None:
    """The story holds."""
    play(story.read_text(encoding="utf-8"))


def test_there_are_stories() -> None:
    """A moved directory must not make this file green."""
    assert len(STORIES) >= 12


def test_a_story_plays_the_same_each_time() -> None:
    """There is no chance in it: two runs end in the same states."""
    text = "nodes a b\nwithin 2 s a active\ncut a\nwithin 16 s b active epoch 2\n"
    first, second = play(text), play(text)
    assert [host.state.key() for host in first.hosts.values() if host.state] == [
        host.state.key() for host in second.hosts.values() if host.state
    ]


def test_a_line_that_does_not_hold_is_named() -> None:
    """The number of the line, its text, and where everybody stood."""
    with pytest.raises(AssertionError, match="does not hold: b active") as failure:
        play("nodes a b\n\nwithin 2 s a active\nb active\n")
    assert failure.value.__notes__ == ["line 4: b active"]


def test_two_active_hosts_are_seen() -> None:
    """The check of S1 is alive: services that answer on two hosts end the story."""
    world = play("nodes a b\nwithin 2 s a active\n")
    world.hosts["b"].alive = True
    world.hosts["b"].switch.gate = "open"
    with pytest.raises(TwoActive):
        world.tick()
