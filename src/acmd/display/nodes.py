"""What is wrong with nodes and their services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.display.words import NOT_RUNNING_ROLE, NOTE, WARN, Finding, ago

_UNDO = {"stopped": "start", "paused": "resume"}


def of_nodes(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    """Silent, unfit, missing or different nodes."""
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return
    ready = []
    for node in snapshot["nodes"]:
        name = node["name"]
        if node["role"] == "unknown":
            seen_s = node["last_seen_s"]
            yield Finding(
                WARN,
                f"{name} was not heard " + (f"for {ago(seen_s)}" if seen_s < 3600 else "lately"),
                f"look whether host {name}, its acmd daemon and its mount of the shared directory are well",
            )
        elif not node["fit"]:
            yield Finding(WARN, f"{name} is not fit: {node['unfit_because']}", f"mend that on {name}")
        elif name != snapshot["active"] and name not in snapshot["maintenance"]["nodes"]:
            ready.append(name)
    if len(snapshot["nodes"]) < 2:
        yield Finding(
            WARN, "no other node is known: nobody can take over", "start acmd on the other node as well"
        )
    elif not ready and snapshot["active"] is not None:
        yield Finding(WARN, f"no node could take over from {snapshot['active']}", "see the other warnings")
    versions = {node["version"] for node in snapshot["nodes"]}
    if len(versions) > 1:
        yield Finding(
            WARN, f"the nodes run different versions: {', '.join(sorted(versions))}", "upgrade them all"
        )


def of_services(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    """Services that do not run where they should, that an operator holds, or whose probes fail."""
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return
    for node in snapshot["nodes"]:
        if node["role"] != "unknown":
            for service in node["services"]:
                yield from _service(node, service)


def _by(service: Mapping[str, Any]) -> str:
    return f" {service['detail']}" if service.get("detail") else " by an operator"


def _service(node: Mapping[str, Any], service: Mapping[str, Any]) -> Iterator[Finding]:
    name, where = service["name"], node["name"]
    wanted = service["runs_on"] == "all" or node["role"] == "active"
    detail = f": {service['detail']}" if service.get("detail") else ""
    if service.get("held"):
        yield Finding(
            WARN if wanted else NOTE,
            f"service {name} on {where} is {service['held']}{_by(service)}",
            f"on {where}: `acmd service {_UNDO.get(service['held'], 'resume')} {name}` gives it back to acmd",
        )
        return
    if service["state"] == "failed" or (wanted and service["state"] in {"stopped", "unknown"}):
        yield Finding(
            WARN if wanted else NOTE,
            f"service {name} on {where} is {service['state']}{detail}",
            f"look at its log on {where}; acmd starts it again within its restart budget",
        )
    for probe in service.get("probes", ()):
        if not probe["ok"] and service["state"] == "running":
            yield Finding(
                WARN,
                f"probe {probe['name']} of service {name} on {where} failed: {probe['detail']}",
                "if it keeps failing, the service is restarted; look at its log",
            )
