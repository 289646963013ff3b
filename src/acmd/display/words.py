"""The words that all displays share: levels of warnings, lengths of time, faults of the storage."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

ALARM: Final = "ALARM"
"""Nothing serves, or something may serve twice."""
WARN: Final = "WARN"
"""It works, with less protection than it should have."""
NOTE: Final = "NOTE"
"""Chosen so, and worth remembering; the cluster counts as fine."""

NOT_RUNNING_ROLE = "not-running"
LEAVING: Final = {
    "giving-up": "gives the active role up and stops its services",
    "demoting": "has lost the lease and stops its services",
    "killing": "kills what is left of its services",
}
"""Roles of a node on its way out, in words."""
_FAULTS = {
    "timeout": "it does not answer",
    "busy": "it does not answer, earlier calls still hang",
    "worker-lost": "the process that was to use it died",
    "local": "this node's own run directory or processes fail first",
    "io-error": "input/output error",
    "stale": "stale file handle",
    "no-space": "it is full",
    "read-only": "it is read-only",
    "denied": "permission denied",
    "missing": "a file is missing",
    "no-cluster-file": "cluster.json is not there; is it mounted?",
}


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    level: str
    what: str
    remedy: str = ""


def ago(seconds: float) -> str:
    """A length of time as people say it: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 days`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 180:
        return f"{seconds:.0f} s"
    if seconds < 3 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 72 * 3600 else f"{seconds / 86400:.0f} days"


def marked(mark: Mapping[str, Any]) -> str:
    """Who, when and why of an operator's order."""
    until = mark.get("until") or 0
    end = f" until {moment(until)}" if until else ""
    return f"by {mark['by']} at {moment(mark['at'])}{end}" + (f": {mark['reason']}" if mark["reason"] else "")


def moment(wall_time: float) -> str:
    """A time of the wall clock, in this host's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall_time))


def fault_in_words(fault: str) -> str:
    """A storage fault as people say it; what has no words of its own stays as it is."""
    return _FAULTS.get(fault, fault)
