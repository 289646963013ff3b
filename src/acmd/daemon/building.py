"""From configuration to the things that a daemon is built of."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from acmd.config.agreement import PROBE_LIMITS, SERVICE_LIMITS
from acmd.config.model import Config, ServiceSettings
from acmd.core.state import FencingPolicy, Self
from acmd.core.timing import NS_PER_S
from acmd.daemon.guarding import release_settings, virtual_addresses
from acmd.daemon.services import (
    gate_of,
    plan,
    secrets_of,
    service,
    services_group,
    set_limits,
    stop_limit_s,
    units_of,
    written,
)
from acmd.drivers.cluster_directory import ClusterFile
from acmd.drivers.drain import FileSystemDrain
from acmd.drivers.fence_agent import CommandFenceAgent
from acmd.drivers.guard_link import GuardLink
from acmd.drivers.systemd import SystemdBus
from acmd.errors import AcmdError
from acmd.ports import Clock, ServiceStatus
from acmd.tasks.fencing import RETRY_NS, Fencing
from acmd.tasks.supervision import Group, Unit

GUARD_LIMIT_NS = NS_PER_S // 2


def stop_limits_s(config: Config, group: Group) -> list[float]:
    """How long the stop of each service may take."""
    entries = {entry.name: entry for entry in config.services}
    return [stop_limit_s(unit.service, entries[unit.service.name]) for unit in group.units]


def identity(config: Config, cluster: ClusterFile, stops_s: float) -> Self:
    """Who this node is, for one start of the daemon. `stops_s`: how long stopping one by one may take."""
    return Self(
        node=config.node.name,
        cluster_id=cluster.cluster_id,
        cluster_file=cluster.raw,
        machine_id=_first_line("/etc/machine-id"),
        boot_id=_first_line("/proc/sys/kernel/random/boot_id").replace("-", ""),
        incarnation=secrets.token_urlsafe(16),
        timing=config.timing,
        address=config.node.address,
        fencing=FencingPolicy(config.fencing.policy),
        fence_limit_ns=2 * round(config.fencing.timeout_s * NS_PER_S) + RETRY_NS,
        suspect_after_ns=round(config.fencing.suspect_after_s * NS_PER_S),
        hold_down_ns=round(config.hold_down.first_s * NS_PER_S),
        longest_hold_down_ns=round(config.hold_down.longest_s * NS_PER_S),
        adoption_limit=config.adoption_limit,
        give_up_limit_ns=give_up_limit_ns(config, stops_s),
    )


def give_up_limit_ns(config: Config, stops_s: float) -> int:
    """For how long a node that gives up goes on renewing.

    What was killed may take its budget to go, and its proof of landing a lease duration to come.
    """
    timing = config.timing
    return (
        round(stops_s * NS_PER_S) + timing.stop_budget_ns + timing.kill_budget_ns + timing.lease_duration_ns
    )


async def group(
    config: Config,
    runs_on: str,
    clock: Clock,
    changed: Any,
    log: Callable[..., None],
    bus: SystemdBus,
    before_start: Callable[[int], None],
) -> Group:
    """The services that run on the active node, or on all. Raises AcmdError."""
    entries = [entry for entry in config.services if entry.runs_on == runs_on]
    # A proof that comes late is as good: on giving up the lease is renewed meanwhile, and after R the guard
    # has limits of its own. Cut short it would only begin again, and on slow hosts never end.
    drain = FileSystemDrain(written(config), config.timing.lease_duration_ns / NS_PER_S)
    units = [
        Unit(
            await service(config, entry, bus, before_start),
            plan(config, entry),
            ServiceStatus(entry.name, runs_on),
        )
        for entry in entries
    ]
    return Group(
        units, clock, changed, config.timing.renew_deadline_ns, drain, log, gated=runs_on == "active"
    )


def fencing_of(config: Config, clock: Clock, changed: Any, log: Callable[..., None]) -> Fencing:
    """The configured agent, if any, behind what asks for it."""
    wish, agent = config.fencing, None
    if wish.agent:
        parameters = {**wish.parameters, **secrets_of("fencing", wish.parameter_files)}
        agent = CommandFenceAgent(wish.agent, wish.timeout_s, log, parameters, wish.action)
    return Fencing(agent, clock, changed, log)


def reload_services(config: Config, groups: Iterable[Group]) -> None:
    """Take over limits and budgets of services whose other settings are unchanged."""
    entries = {entry.name: entry for entry in config.services}
    for unit in (unit for part in groups for unit in part.units):
        entry = entries[unit.service.name]
        unit.plan = plan(config, entry)
        set_limits(unit.service, entry)


def with_reloadable(old: Config, new: Config) -> Config:
    """The old configuration with what a reload may change taken from the new one."""
    fresh = {entry.name: entry for entry in new.services}
    kept = tuple(
        _refreshed(entry, fresh[entry.name]) if entry.name in fresh else entry for entry in old.services
    )
    return replace(old, log=replace(old.log, level=new.log.level), services=kept)


def _refreshed(entry: ServiceSettings, new: ServiceSettings) -> ServiceSettings:
    fresh = {probe.name: probe for probe in new.probes}
    probes = tuple(
        replace(probe, **{key: getattr(fresh[probe.name], key) for key in PROBE_LIMITS})
        if probe.name in fresh
        else probe
        for probe in entry.probes
    )
    limits = {key: getattr(new, key) for key in SERVICE_LIMITS if hasattr(entry, key) and hasattr(new, key)}
    return replace(entry, critical=new.critical, restart=new.restart, probes=probes, **limits)


def guard_link(
    config: Config, clock: Clock, watched: Mapping[str, Collection[str]] | None = None
) -> GuardLink:
    """The link to a guard that acts when this node's timing says, and watches all that; any other is none."""
    timing = config.timing
    deadlines_ns = (
        timing.renew_deadline_ns,
        timing.kill_deadline_ns,
        timing.reset_deadline_ns,
        timing.lease_duration_ns,
    )
    return GuardLink(
        config.guard.socket, clock, max(timing.heartbeat_ns, GUARD_LIMIT_NS), deadlines_ns, watched
    )


def guard_settings(config: Config) -> dict[str, Any]:
    """What the guard of this node is told; `acmd.guard.settings` says what each is."""
    timing, guard = config.timing, config.guard
    units = units_of(config, "active")
    groups = [services_group(config, "active"), gate_of(config).cgroup if units else ""]
    settings: dict[str, Any] = {
        "run_dir": config.run_dir,
        "socket": guard.socket,
        "renew_ns": timing.renew_deadline_ns,
        "kill_ns": timing.kill_deadline_ns,
        "reset_ns": timing.reset_deadline_ns,
        "lease_ns": timing.lease_duration_ns,
        "last_resort": guard.last_resort,
        "sync": list(written(config)),
        "cgroup": [group for group in groups if group],
        "unit": list(units),
        "address": list(virtual_addresses(config)),
        **release_settings(config),
    }
    if guard.watchdog == "required" or (
        guard.watchdog == "automatic" and os.path.exists(guard.watchdog_device)
    ):
        settings["watchdog"] = guard.watchdog_device
        settings["watchdog_timeout_ns"] = guard.watchdog_timeout_s * NS_PER_S
        settings["watchdog_mode"] = guard.watchdog
    return settings


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        raise AcmdError(f"{path} cannot be read", "this host has no identity; see machine-id(5)") from None
