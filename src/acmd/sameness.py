"""Which events are the same one over again: for the pace of the log and the journal, and for the hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACTS = frozenset(("order-given", "order-refused", "order-uncertain"))
"""What a person did: never the same as what was done before."""
SUBJECTS = (
    "role", "service", "probe", "host", "check", "fit", "fault", "number", "what", "key", "about", "unit",
    "node", "address", "to", "part", "of", "command",
)  # fmt: skip
"""Fields that make two events of one name different ones."""


def subject(name: str, fields: Mapping[str, Any]) -> str:
    """What of its fields tells an event from another of its name. The role does for changes of role alone."""
    keys = SUBJECTS if name == "role" else SUBJECTS[1:]
    return " ".join(str(fields[key]) for key in keys if fields.get(key) is not None)
