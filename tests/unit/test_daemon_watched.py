"""`daemon.watched`: what an armed guard of an older configuration does not know."""

from __future__ import annotations

from typing import Any

from acmd.daemon.watched import Watched, needs
from tests.unit.configs import loaded

CONFIG = """
[cluster]
directory = "/srv/acmd"
[node]
name = "a"
[[service]]
name = "app"
kind = "systemd"
unit = "app.service"
data_directories = ["/srv/app"]
"""
MORE = """
[[service]]
name = "db"
kind = "systemd"
unit = "db.service"
data_directories = ["/srv/db"]
"""


def told(text: str, epoch: int | None = 7) -> dict[str, Any]:
    """A guard's view, that was started with this configuration."""
    return {"epoch": epoch, "watched": needs(loaded(text).config)}


def watched(view: dict[str, Any]) -> Watched:
    """With both services configured."""
    return Watched(loaded(CONFIG + MORE).config, lambda: view)


def test_a_unit_that_came_later_is_barred() -> None:
    """The one that the guard was told of is not."""
    found = watched(told(CONFIG))
    assert found.bar("app") == ""
    assert "could not kill it" in found.bar("db")


def test_a_guard_that_knows_all_or_is_not_armed_bars_nothing() -> None:
    """What is not armed is replaced, and what is armed then is looked at again."""
    for view in (told(CONFIG + MORE), told(CONFIG, epoch=None), {}):
        found = watched(view)
        assert (found.bar("app"), found.bar("db")) == ("", "")


def test_other_directories_bar_no_start() -> None:
    """A restart of what runs under this guard already must not be refused for them."""
    found = watched(told((CONFIG + MORE).replace("/srv/db", "/srv/elsewhere")))
    assert found.bar("db") == ""


def test_a_guard_that_does_not_say_what_it_watches() -> None:
    """An older program was armed for what runs: nothing of that may be refused a restart after an upgrade."""
    assert watched({"epoch": 7}).bar("app") == ""
