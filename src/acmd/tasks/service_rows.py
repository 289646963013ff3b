"""A service as a node says it in its file; `status.service_part` is what a status makes of that."""

from __future__ import annotations

from typing import Any

from acmd.core.timing import NS_PER_S, Instant, elapsed_for_observer_ns
from acmd.tasks.stopping import StopTimes
from acmd.tasks.unit import Unit

DETAIL_LIMIT = 200
UNATTENDED = "acmd starts nothing while the whole cluster is disabled"


def service_row(unit: Unit, runs_on: str, now: Instant, stops: StopTimes) -> dict[str, Any]:
    """One service of this node; what there is nothing to say of is left out."""
    row: dict[str, Any] = {
        "name": unit.service.name,
        "state": unit.status.state,
        "runs_on": runs_on,
        "restarts": unit.failures.total,
    }
    if unit.since is not None:
        row["since_s"] = _age_s(unit.since, now)
    name = unit.service.name
    lengths = {"last_stop_s": stops.last_s(name), "longest_stop_s": stops.longest_s(name)}
    row.update({key: length_s for key, length_s in lengths.items() if length_s is not None})
    if unit.held is not None:
        row["held"] = unit.held.how
    detail = unit.ailing or unit.barred or unit.status.detail
    if unit.unattended and unit.down:
        detail = f"{detail}; {UNATTENDED}" if detail else UNATTENDED
    if unit.held is not None:
        detail = f"by {unit.held.by}" + (f": {unit.held.reason}" if unit.held.reason else "")
    if detail:
        row["detail"] = detail[:DETAIL_LIMIT]
    if unit.probed:
        row["probes"] = [
            {
                "name": name,
                "ok": probed.ok,
                "detail": probed.detail[:DETAIL_LIMIT],
                "age_s": _age_s(probed.at, now),
            }
            for name, probed in sorted(unit.probed.items())
        ]
    return row


def _age_s(since: Instant, now: Instant) -> float:
    return round(elapsed_for_observer_ns(since, now) / NS_PER_S, 3)
