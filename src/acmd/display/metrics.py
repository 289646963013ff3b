"""A snapshot as metrics in Prometheus' text format. `METRICS` is the list that docs/metrics.md is held to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from acmd.display.findings import warnings_of

KIND = "text/plain; version=0.0.4; charset=utf-8"
ROLES = (
    "starting",
    "passive",
    "claiming",
    "promoting",
    "active",
    "giving-up",
    "demoting",
    "killing",
    "detached",
    "reattaching",
    "stopped",
)
LEVELS = ("ALARM", "WARN", "NOTE")


class Metric(NamedTuple):
    """Type and meaning; the unit is the last word of a name, where there is one."""

    kind: str
    meaning: str


METRICS: dict[str, Metric] = {
    "acmd_info": Metric("gauge", "1; labels say cluster, node and version."),
    "acmd_active": Metric("gauge", "1 while this node is active and its lease is renewed in time, else 0."),
    "acmd_role": Metric("gauge", "1 for the role that this node has, 0 for every other."),
    "acmd_role_seconds": Metric("gauge", "How long this node has had its role."),
    "acmd_epoch": Metric("gauge", "The highest epoch that this node knows of; it grows with each change."),
    "acmd_lease_age_seconds": Metric("gauge", "Since the lease was renewed, or was seen to be."),
    "acmd_lease_remaining_seconds": Metric("gauge", "Until the holder has to give up unless it renews."),
    "acmd_lease_expires_seconds": Metric("gauge", "Until another node may take over."),
    "acmd_handovers_seen": Metric("gauge", "Changes of the holder kept in memory, by how they happened."),
    "acmd_guard_up": Metric("gauge", "1 while the dead man's switch answers."),
    "acmd_guard_armed": Metric("gauge", "1 while it is armed."),
    "acmd_watchdog_missing": Metric("gauge", "1 when the watchdog that was asked for does not work."),
    "acmd_storage_up": Metric("gauge", "1 while the shared directory works."),
    "acmd_storage_abandoned_workers": Metric("gauge", "Storage calls that hang beyond their limit."),
    "acmd_maintenance": Metric("gauge", '1 while a node, or the cluster (node=""), is disabled.'),
    "acmd_interlock_blocked": Metric("gauge", "1 while an interlock forbids a takeover."),
    "acmd_hold_down_seconds": Metric("gauge", "For how long this node stays out of elections."),
    "acmd_fencing_failed": Metric("gauge", "Hosts that the fence agent could not confirm off."),
    "acmd_node_up": Metric("gauge", "1 for a node that was heard lately."),
    "acmd_node_fit": Metric("gauge", "1 for a node that says it could take over."),
    "acmd_node_seen_seconds": Metric("gauge", "Since a node was heard."),
    "acmd_service_up": Metric("gauge", "1 for a service of this node that runs."),
    "acmd_service_state_seconds": Metric("gauge", "Since it is in its state."),
    "acmd_service_restarts_total": Metric("counter", "Its failures since this epoch began here."),
    "acmd_service_last_stop_seconds": Metric("gauge", "How long its last stop took here."),
    "acmd_service_longest_stop_seconds": Metric("gauge", "The longest of its last eight stops here."),
    "acmd_service_held": Metric("gauge", "1 while an operator keeps it stopped or paused."),
    "acmd_probe_ok": Metric("gauge", "1 when the newest reading of a probe was good."),
    "acmd_warnings": Metric("gauge", "Warnings of `acmd status`, by level."),
    "acmd_http_requests_total": Metric("counter", "Requests that this server has answered."),
}


class Sample(NamedTuple):
    """One value of one metric."""

    name: str
    value: float | None  # None: not known, left out
    labels: Mapping[str, str] = {}


def metrics(snapshot: Mapping[str, Any], serves: bool, requests: int) -> str:
    """The whole page. `serves`: whether this node is active at this moment."""
    found: dict[str, list[str]] = {name: [] for name in METRICS}
    for sample in (*_own(snapshot, serves), *_state(snapshot), *_nodes(snapshot), *_services(snapshot)):
        if sample.value is not None:
            found[sample.name].append(f"{sample.name}{_labels(sample.labels)} {sample.value:g}")
    found["acmd_http_requests_total"].append(f"acmd_http_requests_total {requests}")
    lines = []
    for name, samples in found.items():
        if samples:
            lines += [
                f"# HELP {name} {METRICS[name].meaning}",
                f"# TYPE {name} {METRICS[name].kind}",
                *samples,
            ]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _own(snapshot: Mapping[str, Any], serves: bool) -> Iterator[Sample]:
    names = {"cluster": snapshot["cluster"]["name"], "node": snapshot["node"]}
    yield Sample("acmd_info", 1, {**names, "version": snapshot["version"]})
    yield Sample("acmd_active", serves)
    for role in ROLES:
        yield Sample("acmd_role", role == snapshot["role"], {"role": role})
    yield Sample("acmd_role_seconds", snapshot["role_since_s"])
    yield Sample("acmd_epoch", snapshot["epoch"])
    lease = snapshot["lease"] or {}
    yield Sample("acmd_lease_age_seconds", lease.get("age_s"))
    yield Sample("acmd_lease_remaining_seconds", lease.get("remaining_s"))
    yield Sample("acmd_lease_expires_seconds", lease.get("expires_in_s"))
    seen = [handover["how"] for handover in snapshot["handovers"]]
    for how in ("failover", "switchover", "release", "takeover", "restart"):
        yield Sample("acmd_handovers_seen", seen.count(how), {"how": how})


def _state(snapshot: Mapping[str, Any]) -> Iterator[Sample]:
    guard, storage, maintenance = snapshot["guard"], snapshot["storage"], snapshot["maintenance"]
    yield Sample("acmd_guard_up", bool(guard["alive"]))
    yield Sample("acmd_guard_armed", bool(guard["armed"]))
    yield Sample("acmd_watchdog_missing", guard["watchdog"] not in {"ok", "none"})
    yield Sample("acmd_storage_up", not storage["fault"])
    yield Sample("acmd_storage_abandoned_workers", storage["abandoned_workers"])
    yield Sample("acmd_maintenance", maintenance["all"] is not None, {"node": ""})
    for node in snapshot["nodes"]:
        yield Sample("acmd_maintenance", node["name"] in maintenance["nodes"], {"node": node["name"]})
    yield Sample("acmd_interlock_blocked", snapshot["interlock"]["state"] == "blocked")
    hold_down = snapshot["hold_down"]
    yield Sample("acmd_hold_down_seconds", hold_down["remaining_s"] if hold_down else 0)
    yield Sample("acmd_fencing_failed", len(snapshot["fencing"]["failed"]))
    levels = [warning.level for warning in warnings_of(snapshot)]
    for level in LEVELS:
        yield Sample("acmd_warnings", levels.count(level), {"level": level})


def _nodes(snapshot: Mapping[str, Any]) -> Iterator[Sample]:
    for node in snapshot["nodes"]:
        labels = {"node": node["name"]}
        yield Sample("acmd_node_up", node["role"] != "unknown", labels)
        yield Sample("acmd_node_fit", node["fit"] and node["role"] != "unknown", labels)
        yield Sample("acmd_node_seen_seconds", node["last_seen_s"], labels)


def _services(snapshot: Mapping[str, Any]) -> Iterator[Sample]:
    own = (node["services"] for node in snapshot["nodes"] if node["name"] == snapshot["node"])
    for service in next(own, ()):
        labels = {"service": service["name"], "runs_on": service["runs_on"]}
        yield Sample("acmd_service_up", service["state"] == "running", labels)
        yield Sample("acmd_service_state_seconds", service["since_s"], labels)
        yield Sample("acmd_service_restarts_total", service["restarts"], labels)
        yield Sample("acmd_service_last_stop_seconds", service["last_stop_s"], labels)
        yield Sample("acmd_service_longest_stop_seconds", service["longest_stop_s"], labels)
        yield Sample("acmd_service_held", bool(service["held"]), labels)
        for probe in service["probes"]:
            yield Sample("acmd_probe_ok", probe["ok"], {"service": service["name"], "probe": probe["name"]})
