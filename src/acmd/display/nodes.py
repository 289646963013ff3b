"""What is wrong with nodes and their services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.display.words import NOT_RUNNING_ROLE, NOTE, WARN, Finding, ago

BY_THE_GUARD = ("its guard does not answer", "the watchdog that it requires is missing")
"""Why a node is not fit, where it has another warning about the same."""
_UNDO = {"stopped": "start", "paused": "resume"}


def of_nodes(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    """Silent, unfit, missing or different nodes."""
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return
    ready, disabled = [], snapshot["maintenance"]["nodes"]
    for node in snapshot["nodes"]:
        name = node["name"]
        if node["role"] == "unknown":
            seen_s = node["last_seen_s"]
            since = f"for {ago(seen_s)}" if seen_s < 3600 else "lately"
            yield Finding(
                WARN,
                f"{name} was not heard {since}",
                f"look whether host {name}, its acmd daemon and its mount of the shared directory are well; "
                f"if it is gone for good, `acmd forget {name}`",
            )
        elif not node["fit"]:
            if not (name == snapshot["node"] and node["unfit_because"] in BY_THE_GUARD):
                yield Finding(
                    WARN,
                    f"{name} is not fit to run the services: {node['unfit_because']}",
                    f"mend that on {name}: `acmd check` there says more",
                )
        else:
            yield from _remarks(node)
            if not (name == snapshot["active"] or disabled.get(name) or node.get("held_down")):
                ready.append(name)
    if len(snapshot["nodes"]) < 2:
        yield Finding(
            WARN, "no other node is known: nobody can take over", "start acmd on the other node as well"
        )
    elif not ready and snapshot["active"] is not None:
        yield Finding(
            WARN, f"no node could take over from {snapshot['active']}", "the other warnings say why not"
        )
    if len({node["version"] for node in snapshot["nodes"]}) > 1:
        listed = ", ".join(f"{node['name']} {node['version']}" for node in snapshot["nodes"])
        yield Finding(
            WARN,
            f"the nodes run different versions: {listed}",
            "upgrade them all: docs/howto/upgrade.md; forget those that are gone for good",
        )


def _remarks(node: Mapping[str, Any]) -> Iterator[Finding]:
    """What a fit node finds remarkable of itself; its interlock speaks up where it blocks."""
    remarks = [text for text in node["unfit_because"].split("; ") if text]
    said = "; ".join(text for text in remarks if not text.startswith("interlock: "))
    if said:
        yield Finding(WARN, f"{node['name']} remarks: {said}", f"`acmd logs` on {node['name']} says more")


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
            f"look at its log on {where}; acmd starts it again, and a critical one whose restart budget is "
            "spent is handed over where another node may take it"
            if wanted
            else f"nothing now: it is not to run there; see its log on {where} before {where} takes over",
        )
    for probe in service.get("probes", ()):
        if not probe["ok"] and service["state"] == "running":
            yield Finding(
                WARN,
                f"probe {probe['name']} of service {name} on {where} failed: {probe['detail']}",
                f"if it keeps failing, the service is restarted; look at its log on {where}",
            )
