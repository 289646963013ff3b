"""The status as sentences and rows: what the plain and the rich page show alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from acmd.cli.advice import NOT_RUNNING_ROLE, ago, fault_in_words, warnings_of

COLUMNS = ("node", "role", "fit", "heard", "address", "version", "services")


def lines(snapshot: dict[str, Any]) -> Iterator[str]:
    """The plain page, line by line."""
    for warning in warnings_of(snapshot):
        yield f"{warning.level:<5} {warning.what}"
        if warning.remedy:
            yield f"      -> {warning.remedy}"
    for label, sentence in facts(snapshot):
        yield f"{label:<9} {sentence}"
    rows = [COLUMNS, *node_rows(snapshot)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def facts(snapshot: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and sentence of each line above the nodes."""
    cluster = snapshot["cluster"]
    known = f" ({cluster['id']})" if cluster["id"] else ""
    yield "cluster", f"{cluster['name']}{known} in {cluster['directory']}"
    yield "active", _active(snapshot)
    since = snapshot.get("role_since_s")
    length = f" for {ago(since)}" if since is not None else ""
    reason = f": {snapshot['reason']}" if snapshot["reason"] else ""
    yield "here", f"{snapshot['node']} is {snapshot['role']}{length}{reason}"
    yield "lease", _lease(snapshot)
    if snapshot["role"] != NOT_RUNNING_ROLE:
        yield "guard", _guard(snapshot["guard"])
        yield "storage", _storage(snapshot)


def _active(snapshot: dict[str, Any]) -> str:
    if snapshot["active"] is None:
        return "not known" if snapshot["storage"]["fault"] else "nobody"
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return f"{snapshot['active']} by the record of epoch {snapshot['epoch']}; ask there whether it lives"
    return f"{snapshot['active']}, epoch {snapshot['epoch']}"


def _lease(snapshot: dict[str, Any]) -> str:
    lease = snapshot["lease"]
    if lease is None:
        return "none was seen"
    holder = lease["holder"] or "nobody"
    if lease["state"] == "released":
        return f"epoch {snapshot['epoch']} was released by {holder}"
    if lease["state"] == "detached":
        return f"epoch {snapshot['epoch']} of {holder} is detached: it does not expire"
    if lease["age_s"] is None:
        return f"epoch {snapshot['epoch']} of {holder}, sequence {lease['sequence']}"
    text = f"of {holder}, sequence {lease['sequence']}, renewed {ago(lease['age_s'])} ago"
    if holder == snapshot["node"]:
        return f"{text}; unless renewed, services stop in {left(lease['remaining_s'])}"
    return f"{text}; unless renewed, it counts as expired in {left(lease['expires_in_s'])}"


def left(seconds: float | None) -> str:
    """What is left of a time; never negative, since the moment itself is acted upon elsewhere."""
    return "no time" if seconds is None or seconds <= 0 else ago(seconds)


def _guard(guard: dict[str, Any]) -> str:
    if not guard["alive"]:
        return "does not answer"
    state = f"armed for epoch {guard['epoch']}" if guard["armed"] else "not armed"
    if guard["deadline_in_s"] is not None:
        state += f", kills in {left(guard['deadline_in_s'])} unless the lease is renewed"
    watchdog = guard["watchdog"]
    return f"{state}; gate {guard['gate']}; last resort {guard['last_resort']}; watchdog {watchdog}"


def _storage(snapshot: dict[str, Any]) -> str:
    fault = snapshot["storage"]["fault"]
    return f"does not work: {fault_in_words(fault)}" if fault else "answers"


def node_rows(snapshot: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """One row a node."""
    for node in snapshot["nodes"]:
        own = node["name"] == snapshot["node"] and snapshot["role"] != NOT_RUNNING_ROLE
        seen_s = node["last_seen_s"]
        heard = (
            "here" if own else "-" if seen_s is None else f"{ago(seen_s)} ago" if seen_s < 3600 else "never"
        )
        disabled = node["name"] in snapshot["maintenance"]["nodes"]
        fit = "disabled" if disabled else "yes" if node["fit"] else "no"
        services = " ".join(f"{service['name']}:{service['state']}" for service in node["services"]) or "-"
        role = node["role"]
        yield node["name"], role, fit, heard, node["address"] or "-", node["version"], services
