"""The status as one document for machines: the snapshot, its warnings, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acmd.display.findings import warnings_of
from acmd.display.words import NOT_RUNNING_ROLE, NOTE, Finding

FINE, DEGRADED, NO_ACTIVE_NODE, NOT_RUNNING = range(4)


def exit_code(snapshot: Mapping[str, Any], warnings: list[Finding]) -> int:
    """The documented exit code of `acmd status`."""
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return NOT_RUNNING
    if snapshot["active"] is None:
        return NO_ACTIVE_NODE
    return DEGRADED if any(warning.level != NOTE for warning in warnings) else FINE


def document(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """What `acmd status --json` prints; `display.schema` describes it."""
    warnings = warnings_of(snapshot)
    return {
        **snapshot,
        "warnings": [warning._asdict() for warning in warnings],
        "exit_code": exit_code(snapshot, warnings),
    }
