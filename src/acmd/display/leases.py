"""What is wrong with the lease, its holder, and the hosts that held it before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.display.words import ALARM, LEAVING, NOT_RUNNING_ROLE, NOTE, WARN, Finding, ago

ANY_HOST = "*"
LATE_BEATS = 2.5


def of_lease(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    """A renewal that is late, a holder that does not serve, former holders whose end nobody confirmed."""
    lease = snapshot["lease"]
    if lease is None:
        return
    held = lease["state"] == "held" and lease["age_s"] is not None and snapshot.get("timing") is not None
    if held and lease["holder"] == snapshot["node"]:
        yield from _own(snapshot, lease)
    elif held and not snapshot["storage"]["fault"]:  # else it is this node that cannot read
        yield from _late(snapshot, lease, f"the storage is slow, or {lease['holder']} is in trouble: ")
    yield from _holder(snapshot, lease)
    hosts = [host for host in lease["unfenced"] if _missing(snapshot, host)]
    if hosts:
        names = ", ".join("any host that held it" if host == ANY_HOST else host for host in hosts)
        on = "" if lease["holder"] == snapshot["node"] else f" on {lease['holder']}"
        yield Finding(
            NOTE,
            f"nobody has confirmed that these former holders of the lease are off: {names}",
            f"bring them back, or once you see that they are off: `acmd confirm-off {_quoted(hosts[0])}`{on}",
        )


def _missing(snapshot: Mapping[str, Any], host: str) -> bool:
    """Whether it may still be up with its services: one that is heard says itself what runs on it."""
    if host != ANY_HOST:
        return _role(snapshot, host) == "unknown"
    others = [node["name"] for node in snapshot["nodes"] if node["name"] != snapshot["node"]]
    return not others or any(_role(snapshot, name) == "unknown" for name in others)


def _quoted(host: str) -> str:
    return f"'{host}'" if host == ANY_HOST else host


def _own(snapshot: Mapping[str, Any], lease: Mapping[str, Any]) -> Iterator[Finding]:
    if snapshot["role"] in LEAVING:
        return  # past the renew deadline nothing can be done any more: another warning says so
    if lease["remaining_s"] < snapshot["timing"]["renew_deadline_s"] / 2 and snapshot["role"] == "active":
        yield Finding(
            ALARM,
            f"the own lease is about to be lost: services stop in {ago(max(0.0, lease['remaining_s']))} "
            "unless it is renewed",
            "make room in this host's run directory now: `df -h /run`"
            if snapshot["storage"]["fault"] == "local"
            else "the shared directory does not take the renewal; look at its mount and the file server now",
        )
    else:
        yield from _late(snapshot, lease, "the storage is slow, or this host is; ")


def _late(snapshot: Mapping[str, Any], lease: Mapping[str, Any], why: str) -> Iterator[Finding]:
    beat_s, age_s = snapshot["timing"]["heartbeat_s"], lease["age_s"]
    if age_s <= LATE_BEATS * beat_s:
        return
    own = lease["holder"] == snapshot["node"]
    yield Finding(
        WARN,
        f"the lease of {lease['holder']} was last renewed {ago(age_s)} ago (every {beat_s:g} s is usual)",
        f"{why}`acmd check --group storage`" if own else f"{why}look at `acmd status` there",
    )


def _holder(snapshot: Mapping[str, Any], lease: Mapping[str, Any]) -> Iterator[Finding]:
    holder, role = lease["holder"], _role(snapshot, lease["holder"])
    if not holder or holder == snapshot["node"] or snapshot["role"] == NOT_RUNNING_ROLE:
        return
    if lease["state"] == "detached" and role == "unknown":
        yield Finding(
            ALARM,
            f"the lease is detached and its holder {holder} is not heard: nobody will take over",
            f"bring {holder} back; only if it is surely off for good: `acmd enable --all --holder-is-dead`",
        )
    if lease["state"] == "held" and snapshot["active"] == holder and role in {*LEAVING, "promoting"}:
        doing = LEAVING.get(role, "has not started its services yet")
        yield Finding(
            WARN,
            f"{holder} holds the lease, and {doing}",
            f"wait a moment; `acmd status` on {holder} says why",
        )


def _role(snapshot: Mapping[str, Any], name: str) -> str:
    """What a node says that it is; unknown for one that is not heard."""
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return "unknown"
    if name == snapshot["node"]:
        return str(snapshot["role"])
    return next((str(node["role"]) for node in snapshot["nodes"] if node["name"] == name), "unknown")


def of_fencing(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    """Hosts that an agent is asked to switch off, and those that it could not confirm to be off."""
    fencing = snapshot.get("fencing") or {}
    for host in fencing.get("running", ()):
        yield Finding(WARN, f"{host} is being fenced", "wait for the fence agent's word")
    waits = snapshot["reason_code"] == "fencing"
    for host in fencing.get("failed", ()):
        if waits or _role(snapshot, host) == "unknown":  # one that is heard again needs nobody's word
            yield Finding(
                ALARM if snapshot["active"] is None else WARN,
                f"the fence agent could not confirm that {host} is off",
                f"make sure by hand that {host} is off, then `acmd confirm-off {host}`; "
                "`acmd logs` has what the agent said",
            )
