"""Every event that acmd logs: its name, level, fields, what it means and what to do.

The one list. `docs/events.md` is generated from it (`python -m acmd.events_page`), a test holds it in step
with the source; the node journal and the hooks take from it what is worth keeping and what is an alarm.
"""

from __future__ import annotations

from acmd.events.around import AROUND
from acmd.events.kind import Event
from acmd.events.node import NODE
from acmd.events.services import SERVICES

EVENTS: dict[str, Event] = {**NODE, **SERVICES, **AROUND}

KEPT = frozenset(name for name, event in EVENTS.items() if event.kept)
ALARMS = frozenset(name for name, event in EVENTS.items() if event.alarm)
HOOK_KINDS = ("role", "failover", "switchover", "alarm")
"""What a hook can ask for beside the names of events that are kept."""
NEVER_HOOKED = frozenset(("hook-failed", "hooks-dropped", "journal-fault"))


def default_level(name: str) -> str:
    """The level of an event whose caller names none."""
    event = EVENTS.get(name)
    return event.level.partition(" ")[0] if event is not None else "info"
