"""acmd itself: its units, its guard and watchdog, and whether services stop within the time that there is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from acmd.checks.finding import Check, Finding, Fix, all_or, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.checks.watchdog import watchdog
from acmd.config.model import Config
from acmd.core.timing import NS_PER_S
from acmd.drivers.stop_times import EACH as STOPS_KEPT

PROPERTIES = (
    "LoadState",
    "UnitFileState",
    "FragmentPath",
    "DropInPaths",
    "ActiveState",
    "NeedDaemonReload",
)
TOO_SLOW = "take a profile with more time (patient), raise timing.stop_budget_s, or make it stop faster"


def units_of(config: Config) -> tuple[str, ...]:
    """The units of this cluster: plain ones for the default configuration, else those of the template."""
    name = config.file.rpartition("/")[2].removesuffix(".toml")
    suffix = "" if name == "acmd" else f"@{name}"
    guard = (f"acmd-guard{suffix}.service",) if config.guard.mode == "unit" else ()
    return (f"acmd{suffix}.service", *guard)


def _edited(subject: Subject) -> list[str]:
    """Unit files that are not what their package brought, by the package manager's digests."""
    said = ""
    for command in (("dpkg", "--verify", "acmd"), ("rpm", "-V", "acmd")):
        said += subject.run(*command, limit_s=30).output  # ends with 1 when it has something to say
    # `??5?????? c /path`: the third place is the content, a `c` marks what people are meant to change.
    found = re.findall(r"^..5\S* +(/usr/lib/systemd/system/acmd\S*)$", said, re.MULTILINE)
    return [os.path.basename(path) for path in found]


def units(subject: Subject) -> Iterator[Finding]:
    """Enabled, and as they were delivered."""
    edited = _edited(subject)
    for unit in units_of(subject.settings):
        shown = subject.unit(unit, *PROPERTIES)
        if shown.get("LoadState") == "masked":
            yield ko(
                f"{unit} is masked: nothing can start it",
                f"`systemctl unmask {unit}`",
                Fix(("systemctl", "unmask", unit)),
            )
        elif shown.get("LoadState") != "loaded":
            yield ko(f"{unit} is not there", "install acmd's package, then `systemctl daemon-reload`")
        else:
            found = [*_starts(unit, shown), *_changed(unit, shown, edited)]
            yield from all_or(found, f"{unit} is enabled and as delivered")


def _starts(unit: str, shown: dict[str, str]) -> Iterator[Finding]:
    if shown.get("UnitFileState") not in ("enabled", "static", "indirect"):
        yield ko(
            f"{unit} is not enabled: after a reboot this node stays out",
            f"`systemctl enable {unit}`",
            Fix(("systemctl", "enable", unit)),
        )
    if shown.get("ActiveState") != "active" and not unit.startswith("acmd-guard"):
        yield warn(f"{unit} does not run", f"`systemctl start {unit}`")


def _changed(unit: str, shown: dict[str, str], edited: list[str]) -> Iterator[Finding]:
    path = shown.get("FragmentPath", "")
    if shown.get("NeedDaemonReload") == "yes":
        reload = Fix(("systemctl", "daemon-reload"))
        yield warn(f"{unit} was changed, and systemd has not seen it", "`systemctl daemon-reload`", reload)
    if path.startswith("/etc/systemd/system/"):
        yield warn(
            f"{unit} is replaced by {path}",
            f"`rm {path} && systemctl daemon-reload` where the package has its own; change single options by "
            "a drop-in",
        )
    elif re.sub("@.*[.]", "@.", unit) in edited:
        yield warn(
            f"{unit} is not what the package brought: an upgrade takes the change away",
            "move the change into a drop-in (systemctl edit makes one) and install the package again",
        )
    local = [name for name in shown.get("DropInPaths", "").split() if name.startswith("/etc/")]
    if local:
        yield warn(
            f"{unit} is changed by {', '.join(local)}",
            f"nothing, if that is meant so; else `systemctl revert {unit}`",
        )


def guard(subject: Subject) -> Iterator[Finding]:
    """Without its guard a node cannot be promoted."""
    if not subject.running:
        yield warn(
            "the daemon does not run, so the guard was not asked",
            f"`systemctl start {units_of(subject.settings)[0]}`",
        )
        return
    says = subject.snapshot["guard"]
    if not says["alive"]:
        unit = next((unit for unit in units_of(subject.settings) if unit.startswith("acmd-guard")), "")
        yield ko(
            "the guard does not answer: this node cannot be promoted",
            f"`journalctl -n 20 -u {unit}` says why; `systemctl start {unit}` once that is mended"
            if unit
            else "the daemon starts it (guard.mode = embedded); its log says why it cannot",
        )
        return
    yield ok("the guard answers")
    for note in says.get("notes", ()):
        yield warn(f"guard: {note}", "see docs/guard.md for what it can do without")
    if says["last_resort"] == "none":
        yield ko(
            "last resort: none. Services that cannot be killed would run on after the lease has ended",
            'set guard.last_resort = "reset"',
        )
    yield from watchdog(subject)


def fencing(subject: Subject) -> Iterator[Finding]:
    """An agent that is not there confirms nothing."""
    agent = subject.settings.fencing.agent
    if not agent:
        return
    if subject.run("test", "-x", agent[0]).fine:
        yield ok(f"fence agent {agent[0]} can be run; policy {subject.settings.fencing.policy}")
    else:
        yield ko(f"fence agent {agent[0]} cannot be run", "install it, or correct fencing.agent")


def stop_budget(subject: Subject) -> Iterator[Finding]:
    """A service that needs longer to stop than there is time is killed at K instead."""
    budget_s = subject.settings.timing.stop_budget_ns / NS_PER_S
    longest_s = _longest_stops_s(subject)
    for service in subject.settings.services:
        if service.runs_on != "active":
            continue
        took_s = longest_s.get(service.name)
        if took_s is None:
            yield warn(
                f"{service.name}: how long it takes to stop was not measured yet; there are {budget_s:g} s",
                "`acmd switchover` there and back measures it",
            )
        elif took_s > budget_s:
            yield warn(
                f"{service.name} took {took_s:.1f} s to stop (the longest of its last {STOPS_KEPT} stops); "
                f"when the lease is lost it is killed after {budget_s:g} s",
                TOO_SLOW,
            )
        else:
            yield ok(f"{service.name} took {took_s:.1f} s to stop at most, of {budget_s:g} s")
    path = _longest_chain(subject.settings, longest_s)
    total_s = sum(longest_s[name] for name in path)
    if len(path) > 1 and total_s > budget_s and max(longest_s[name] for name in path) <= budget_s:
        yield warn(
            f"{', then '.join(path)} take {total_s:.1f} s to stop one after the other; what is left after "
            f"{budget_s:g} s is killed when the lease is lost",
            TOO_SLOW,
        )


def _longest_stops_s(subject: Subject) -> dict[str, float]:
    """The longest of the last stops of each service on this node, as far as measured."""
    return {
        service["name"]: service["longest_stop_s"]
        for node in subject.snapshot.get("nodes", ())
        for service in node["services"]
        if node["name"] == subject.settings.node.name and service.get("longest_stop_s") is not None
    }


def _longest_chain(config: Config, took_s: dict[str, float]) -> list[str]:
    """The services that wait for one another when all stop and take longest together, the first to go first.

    A service stops once those that start after it are gone.
    """
    active = {entry.name: entry for entry in config.services if entry.runs_on == "active"}
    best: dict[str, list[str]] = {}

    def ending_in(name: str) -> list[str]:
        if name not in best:
            later = (other for other, entry in active.items() if name in config.started_before(entry))
            before = max((ending_in(other) for other in later), key=length_s, default=[])
            best[name] = [*before, *([name] if name in took_s else [])]
        return best[name]

    def length_s(path: list[str]) -> float:
        return sum(took_s[name] for name in path)

    return max((ending_in(name) for name in active), key=length_s, default=[])


CHECKS = (
    Check("units", "daemon", "acmd's units are there, enabled, and as delivered.", units),
    Check(
        "guard", "daemon", "The guard answers, has a last resort, and a watchdog where one is wanted.", guard
    ),
    Check("fence-agent", "daemon", "The fence agent can be run.", fencing),
    Check(
        "stop-budget", "daemon", "Services stop within the time that a lost lease leaves them.", stop_budget
    ),
)
