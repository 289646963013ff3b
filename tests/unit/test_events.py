"""`events`: the one list, in step with the source and with its page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from acmd.events import ALARMS, EVENTS, KEPT, NEVER_HOOKED, default_level
from acmd.events_page import page
from acmd.log import LEVELS

ROOT = Path(__file__).parents[2]
LOGS = {"log", "_log"}


def logged() -> Iterator[tuple[str, set[str], set[str], set[str]]]:
    """Where, names, levels given, fields given of each `log("name", ...)` in the source."""
    for path in sorted((ROOT / "src/acmd").rglob("*.py")):
        if "demo" in path.parts:
            continue
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            function = call.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if name not in LOGS:
                continue
            given = {word.arg: word.value for word in call.keywords if word.arg is not None}
            levels = _texts(given.pop("level")) if "level" in given else set()
            if events := _texts(call.args[0]):
                where = f"{path.relative_to(ROOT)}:{call.lineno}"
                yield where, events, levels & LEVELS.keys(), set(given)


def _texts(node: ast.expr) -> set[str]:
    """The strings that an expression can come to: a constant, or either side of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return _texts(node.body) | _texts(node.orelse)
    return set()


def test_every_event_of_the_source_is_listed() -> None:
    """With the levels and the fields that it is logged with."""
    found = list(logged())
    assert len(found) > 40
    for where, events, levels, fields in found:
        assert events <= EVENTS.keys(), f"{where}: {events - EVENTS.keys()} is missing in src/acmd/events"
        listed = {level for event in events for level in EVENTS[event].level.split(" or ")}
        assert levels <= listed, f"{where}: {events}: {levels}"
        for event in events:
            assert fields <= set(EVENTS[event].fields.split()), f"{where}: {event}: {fields}"


def test_nothing_is_listed_that_is_not_logged() -> None:
    """A name that the source no longer has would make people wait for it."""
    source = "".join(
        path.read_text() for path in (ROOT / "src/acmd").rglob("*.py") if path.parent.name != "events"
    )
    for event in EVENTS:
        assert f'"{event}"' in source, event


def test_the_page_is_up_to_date() -> None:
    """`docs/events.md` is what `python -m acmd.events_page` writes."""
    assert (ROOT / "docs/events.md").read_text() == page()


def test_the_list_itself() -> None:
    """Levels exist; an alarm is kept and says what to do; every line means something."""
    for name, event in EVENTS.items():
        assert set(event.level.split(" or ")) <= LEVELS.keys(), name
        assert event.meaning.endswith("."), name
        assert not event.alarm or (event.remedy and event.kept), name
        assert "|" not in "".join(map(str, event)), name
    assert ALARMS <= KEPT
    assert EVENTS.keys() >= NEVER_HOOKED
    assert default_level("fitness") == "warning"
    assert default_level("not-listed") == "info"
