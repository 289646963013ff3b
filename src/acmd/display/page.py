"""A snapshot as sentences and rows: what the plain, the rich and the web page show alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from acmd.display.findings import warnings_of
from acmd.display.words import NOT_RUNNING_ROLE, ago, fault_in_words, moment

COLUMNS = ("node", "role", "fit", "heard", "address", "version")
UNPLANNED = ("failover", "takeover", "release")
SERVICE_COLUMNS = ("service", "node", "runs on", "state", "for", "restarts", "last probe")


def lines(snapshot: dict[str, Any]) -> Iterator[str]:
    """The plain page, line by line."""
    for warning in warnings_of(snapshot):
        yield f"{warning.level:<5} {warning.what}"
        if warning.remedy:
            yield f"      -> {warning.remedy}"
    for label, sentence in facts(snapshot):
        yield f"{label:<9} {sentence}"
    yield from _table(COLUMNS, node_rows(snapshot))
    rows = list(service_rows(snapshot))
    if rows:
        yield from _table(SERVICE_COLUMNS, rows)


def _table(columns: tuple[str, ...], found: Iterable[tuple[str, ...]]) -> Iterator[str]:
    rows = [columns, *found]
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns))]
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
        yield "fencing", _fencing(snapshot.get("fencing") or {})
        yield "storage", _storage(snapshot)
    handovers = snapshot.get("handovers", ())
    for handover in handovers[:1]:
        yield "change", handover_in_words(handover)
    unplanned = [one for one in handovers if one["how"] in UNPLANNED]
    for handover in unplanned[:1] if unplanned[:1] != handovers[:1] else ():
        yield "failover", handover_in_words(handover)


def _active(snapshot: dict[str, Any]) -> str:
    if snapshot["active"] is None:
        return "not known" if snapshot["storage"]["fault"] else "nobody"
    since = (snapshot["lease"] or {}).get("claimed_at")
    known = f", since {moment(since)}" if since else ""
    if snapshot["role"] == NOT_RUNNING_ROLE:
        named = f"{snapshot['active']} by the record of epoch {snapshot['epoch']}{known}{_because(snapshot)}"
        return f"{named}; ask there whether it lives"
    return f"{snapshot['active']}, epoch {snapshot['epoch']}{known}{_because(snapshot)}"


def _because(snapshot: dict[str, Any]) -> str:
    """How the active node came to be so, where this daemon saw it."""
    for handover in snapshot.get("handovers", ())[:1]:
        if handover["to"] == snapshot["active"] and handover["epoch"] == snapshot["epoch"]:
            return f" ({handover['how']} from {handover['from']})"
    return ""


def handover_in_words(handover: Mapping[str, Any]) -> str:
    """A hand-over as a sentence."""
    if handover["how"] == "restart":
        text = f"{handover['to']} claimed the lease again, epoch {handover['epoch']}"
    else:
        text = f"{handover['how']} from {handover['from']} to {handover['to']}, epoch {handover['epoch']}"
    reason = (
        f" ({handover['reason']})" if handover["reason"] and handover["reason"] != handover["how"] else ""
    )
    return f"{text}, {ago(handover['age_s'])} ago{reason}"


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
    if snapshot["storage"]["fault"]:
        return f"{text} when it was read last; what became of it since is not known here"
    if lease["expires_in_s"] is not None and lease["expires_in_s"] <= 0:
        return f"{text}: expired"
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


def _fencing(fencing: Mapping[str, Any]) -> str:
    policy = fencing.get("policy", "off")
    agent = "an agent is configured" if fencing.get("agent") else "no agent"
    text = f"policy {policy}, {agent}"
    for key, words in (("running", "under way"), ("failed", "failed")):
        if fencing.get(key):
            text += f"; {words}: {', '.join(fencing[key])}"
    return text


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
        yield node["name"], node["role"], fit, heard, node["address"] or "-", node["version"]


def service_rows(snapshot: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """One row for each service of each node that was heard lately."""
    for node in snapshot["nodes"]:
        if node["role"] == "unknown":
            continue
        for service in node["services"]:
            since_s = service.get("since_s")
            yield (
                service["name"],
                node["name"],
                service["runs_on"],
                f"{service['state']}, {service['held']} by hand" if service.get("held") else service["state"],
                "-" if since_s is None else ago(since_s),
                str(service.get("restarts", 0)),
                _probes(service.get("probes", ())),
            )


def _probes(probes: Iterable[Mapping[str, Any]]) -> str:
    return (
        ", ".join(
            f"{probe['name']} {'ok' if probe['ok'] else 'failed'} {ago(probe['age_s'])} ago"
            for probe in probes
        )
        or "-"
    )
