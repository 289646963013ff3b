"""Services of all kinds, out of the configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from acmd.config.credentials import read_secret
from acmd.config.model import (
    CommandService,
    Config,
    OcfService,
    ServiceSettings,
    SystemdService,
    SysvService,
)
from acmd.core.restart import Budget
from acmd.core.timing import NS_PER_S
from acmd.drivers import command
from acmd.drivers.scripts import ocf, sysv
from acmd.drivers.scripts.action import Place
from acmd.drivers.systemd import Gate, SystemdBus, SystemdUnit, gate, script_behind
from acmd.drivers.systemd import SystemdService as UnitDriver
from acmd.errors import ConfigError
from acmd.guard import landed
from acmd.ports import Service
from acmd.tasks.supervision import Plan

SERVICES_CGROUP = "ACMD_SERVICES_CGROUP"
"""Variable by which the units name the control group that systemd delegated for services."""

STATUS_LIMIT_S = 5.0  # of an init script that is configured as a unit

UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
"""Where units are found; not asked of PID 1, since the guard and a start without D-Bus need it too."""


def unit_of(entry: ServiceSettings) -> str:
    """The unit behind a service: the first that this host has, under its own name. "" for other kinds."""
    if isinstance(entry, SysvService):
        return entry.unit if _unit_file(entry.unit) else ""
    if not isinstance(entry, SystemdService):
        return ""
    for unit in entry.units:
        found = _unit_file(unit)
        if found:
            real = os.path.basename(os.path.realpath(found))
            return real if real.endswith(".service") else unit
    return entry.units[0]


def _unit_file(unit: str) -> str:
    return next((path for place in UNIT_DIRECTORIES if os.path.lexists(path := f"{place}/{unit}")), "")


def units_of(config: Config, runs_on: str) -> tuple[str, ...]:
    """All units behind these services."""
    found = (unit_of(entry) for entry in config.services if entry.runs_on == runs_on)
    return tuple(dict.fromkeys(unit for unit in found if unit))


def gate_of(config: Config) -> Gate:
    """The gate of this cluster's active-only units."""
    return Gate(config.cluster.name, config.run_dir)


def needs_bus(config: Config) -> bool:
    """Whether any service is a unit."""
    return any(unit_of(entry) for entry in config.services)


def data_directories(config: Config) -> tuple[str, ...]:
    """What active-only services are known to write to."""
    active = (entry for entry in config.services if entry.runs_on == "active")
    return tuple(dict.fromkeys(path for entry in active for path in entry.data_directories))


def written(config: Config) -> tuple[str, ...]:
    """What has to have landed before active-only services count as gone, in the form of `guard.landed`."""
    anywhere = any(entry.writes_anywhere for entry in config.services if entry.runs_on == "active")
    unknown = (f"{landed.UNKNOWN}{config.cluster.directory}",) if anywhere else ()
    return (*data_directories(config), *unknown)


def services_group(config: Config, runs_on: str) -> str:
    """The control group above those of services that are no units; "" where process groups must do.

    One for each `runs_on`: the guard freezes and kills all that lives in the active ones'.
    """
    parent = config.guard.cgroup_parent
    if not parent and config.guard.mode == "unit":
        delegated = os.environ.get(SERVICES_CGROUP, "")
        parent = delegated if os.path.exists(f"{delegated}/cgroup.events") else ""
    return f"{parent}/{runs_on}" if parent else ""


def plan(config: Config, entry: ServiceSettings) -> Plan:
    """How supervision keeps it."""
    restart = entry.restart
    return Plan(
        after=config.started_before(entry),
        budget=Budget(
            restart.max_restarts,
            round(restart.window_s * NS_PER_S),
            round(restart.backoff_s * NS_PER_S),
            round(restart.longest_backoff_s * NS_PER_S),
        ),
        requires=entry.requires,
        critical=entry.critical,
    )


async def service(
    config: Config, entry: ServiceSettings, bus: SystemdBus, before_start: Callable[[int], None]
) -> Service:
    """The driver of one service. `before_start` is for active-only units. Raises AcmdError."""
    active = entry.runs_on == "active"
    unit = unit_of(entry)
    driver = None
    if unit:
        settings = SystemdUnit(entry.name, unit, entry.runs_on, entry.start_timeout_s, entry.stop_timeout_s)
        driver = UnitDriver(settings, bus, before_start if active else None)
    if isinstance(entry, SystemdService) and driver is not None:
        # A unit that was generated of an init script is active for ever: only the script knows better.
        script = script_behind(_unit_file(unit))
        return _sysv(config, entry, script, STATUS_LIMIT_S, driver) if script else driver
    if isinstance(entry, SysvService):
        return _sysv(config, entry, entry.script, entry.monitor_timeout_s, driver)
    if isinstance(entry, OcfService):
        return await _ocf(config, entry)
    if isinstance(entry, CommandService):
        return _command(config, entry)
    raise ConfigError(f"service {entry.name} is of a kind that this daemon does not know", "upgrade acmd")


def _sysv(
    config: Config, entry: ServiceSettings, script: str, status_limit_s: float, driver: UnitDriver | None
) -> Service:
    """An init script. One that is configured as a unit may be too old to know its status."""
    return sysv.SysvService(
        sysv.SysvScript(
            entry.name,
            script,
            entry.runs_on,
            entry.start_timeout_s,
            entry.stop_timeout_s,
            status_limit_s,
            _place(config, entry),
            lenient=isinstance(entry, SystemdService),
        ),
        driver,
    )


def set_limits(service: Service, entry: ServiceSettings) -> None:
    """Take over the limits of a configuration that was read anew."""
    start_s, stop_s = entry.start_timeout_s, entry.stop_timeout_s
    if isinstance(service, ocf.OcfService) and isinstance(entry, OcfService):
        service.set_limits(start_s, stop_s, entry.monitor_timeout_s, entry.monitor_interval_s)
    elif isinstance(service, sysv.SysvService):
        status_s = entry.monitor_timeout_s if isinstance(entry, SysvService) else STATUS_LIMIT_S
        service.set_limits(start_s, stop_s, status_s)
    elif isinstance(service, (UnitDriver, command.CommandService)):
        service.set_limits(start_s, stop_s)


def stop_limit_s(service: Service, entry: ServiceSettings) -> float:
    """How long its stop may take, also where an agent's meta-data say so."""
    return service.limit_s("stop") if isinstance(service, ocf.OcfService) else entry.stop_timeout_s


def _command(config: Config, entry: CommandService) -> Service:
    return command.CommandService(
        command.Command(
            name=entry.name,
            argv=entry.command,
            run_dir=config.run_dir,
            node=config.node.name,
            runs_on=entry.runs_on,
            environment=entry.environment,
            cwd=entry.working_directory,
            log=entry.log_file,
            user=entry.user,
            cgroup_parent=services_group(config, entry.runs_on),
            start_limit_s=entry.start_timeout_s,
            stop_limit_s=entry.stop_timeout_s,
        )
    )


async def _ocf(config: Config, entry: OcfService) -> Service:
    agent = ocf.OcfAgent(
        name=entry.name,
        provider=entry.provider,
        kind=entry.agent_type,
        parameters={**entry.parameters, **secrets_of(f"service {entry.name}", entry.parameter_files)},
        runs_on=entry.runs_on,
        start_limit_s=entry.start_timeout_s,
        stop_limit_s=entry.stop_timeout_s,
        monitor_limit_s=entry.monitor_timeout_s,
        monitor_interval_s=entry.monitor_interval_s,
        place=_place(config, entry),
        services_dir=f"{config.run_dir}/services" if entry.runs_on == "active" else "",
    )
    return ocf.OcfService(agent, await ocf.describe(agent))


def secrets_of(whose: str, files: Mapping[str, str]) -> dict[str, str]:
    """What these files hold, for an agent's parameters. Raises ConfigError."""
    found = {}
    for name, file in files.items():
        try:
            found[name] = read_secret(file)
        except ConfigError as error:
            raise ConfigError(f"{whose}, parameter {name}: {error.what}", error.remedy) from None
    return found


def _place(config: Config, entry: ServiceSettings) -> Place:
    """Where a service's scripts run: a control group of its own, behind the gate when active-only."""
    above = services_group(config, entry.runs_on)
    check = (sys.executable, "-I", "-S", os.path.abspath(gate.__file__), f"{config.run_dir}/gate", entry.name)
    return Place(
        cgroup=f"{above}/{entry.name}" if above else "",
        gate=check if entry.runs_on == "active" else (),
        environment={"ACMD_NODE": config.node.name},
    )
