"""What there is to say of an event, and the kinds of events."""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """One kind of event. `kept`: it goes into the node journal. `alarm`: it is one for the hooks, too."""

    level: str
    fields: str
    meaning: str
    remedy: str = ""
    kept: bool = True
    alarm: bool = False


def minor(level: str, fields: str, meaning: str, remedy: str = "") -> Event:
    """An event that the log has and the journal does not."""
    return Event(level, fields, meaning, remedy, kept=False)


def alarm(level: str, fields: str, meaning: str, remedy: str) -> Event:
    """An event that somebody should look at."""
    return Event(level, fields, meaning, remedy, alarm=True)
