"""Which states deserve a warning, with which remedy, and which exit code they give."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.cli.advice import ALARM, NOTE, WARN, ago, exit_code, warnings_of
from tests.unit.cli_daemon import node
from tests.unit.cli_troubles import CASES, HEALTHY, part


def test_a_healthy_cluster_has_no_warning() -> None:
    """All well: nothing to say, exit code 0."""
    assert warnings_of(HEALTHY) == []
    assert exit_code(HEALTHY, []) == 0


@pytest.mark.parametrize(("changes", "level", "what", "remedy"), CASES.values(), ids=CASES.keys())
def test_each_trouble_is_said_with_its_remedy(
    changes: dict[str, Any], level: str, what: str, remedy: str
) -> None:
    """One thing wrong: a warning of the right level names it, and says what to do."""
    found = [w for w in warnings_of(HEALTHY | changes) if what in w.what]
    assert len(found) == 1
    assert found[0].level == level
    assert remedy in found[0].remedy


def test_a_lease_that_is_lost_is_not_about_to_be() -> None:
    """A node that demotes itself does so whether the storage comes back or not."""
    changes = part("lease", remaining_s=-0.4) | {"role": "demoting", "active": None}
    assert not [w for w in warnings_of(HEALTHY | changes) if "about to be lost" in w.what]


def test_what_nobody_needs_to_hear() -> None:
    """Hosts heard again need nobody's word; a watchdog is missed once; who cannot read sees no lateness."""
    silent = (
        part("lease", unfenced=["b", "*"]),
        part("fencing", failed=["b"]),
        part("storage", fault="timeout") | part("lease", age_s=9.0, holder="b"),
    )
    for changes in silent:
        said = [warning.what for warning in warnings_of(HEALTHY | changes)]
        assert not [what for what in said if "the shared directory" not in what]
    missing = part("guard", watchdog="missing", faults=["watchdog /dev/watchdog is not there"])
    assert len(warnings_of(HEALTHY | missing)) == 1


def test_a_former_holder_whom_nobody_knows() -> None:
    """It may be any node that is not heard; on another node the remedy says where to run it."""
    nodes = [node("a", "active"), node("b", "passive"), node("c", "unknown")]
    found = warnings_of(HEALTHY | {"node": "b", "nodes": nodes} | part("lease", unfenced=["*"]))
    (note,) = (one for one in found if one.level == NOTE)
    assert note.what.endswith("are off: any host that held it")
    assert note.remedy.endswith("`acmd confirm-off '*'` on a")


def test_a_node_that_holds_down_could_not_take_over() -> None:
    """It does not count as one that is ready."""
    changes = {"nodes": [node("a", "active"), node("b", "passive", held_down=True)]}
    assert [w for w in warnings_of(HEALTHY | changes) if w.what == "no node could take over from a"]


def test_exit_codes() -> None:
    """0 fine, also with a note; 1 degraded; 2 nobody active; 3 no daemon, whatever else there is."""
    codes = {
        name: exit_code(HEALTHY | changes, warnings_of(HEALTHY | changes))
        for name, (changes, *_) in CASES.items()
    }
    nobody = {name for name, (changes, *_) in CASES.items() if changes.get("active", "a") is None}
    assert {codes.pop(name) for name in nobody} == {2}
    assert codes.pop("no daemon") == 3
    assert {codes.pop(name) for name, (_, level, *_) in CASES.items() if level == NOTE} == {0}
    assert set(codes.values()) == {1}


def test_the_worst_comes_first() -> None:
    """Alarms before warnings before notes."""
    changes = part("guard", last_resort="none", alive=False) | {"active": None}
    assert [w.level for w in warnings_of(HEALTHY | changes)] == [ALARM, WARN, NOTE]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (12.3, "12 s"), (240, "4 min"), (36000, "10 h"), (864000, "10 days")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    """Lengths of time are rounded as people do."""
    assert ago(seconds) == words
