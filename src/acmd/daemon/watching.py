"""Probes, fitness, interlock and publishing, out of the configuration.

What only MySQL and database.yml need is imported where it is used: a daemon without them starts sooner.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from acmd.config.model import (
    CommandProbe,
    Config,
    HttpProbe,
    MysqlProbe,
    ProbeSettings,
    ServiceSettings,
    TcpProbe,
)
from acmd.daemon.services import data_directories, unit_of
from acmd.drivers.canary import Canary
from acmd.drivers.probes import Check as ProbeCheck
from acmd.drivers.probes import CheckFailed, Probe, Threshold
from acmd.drivers.probes.command import CommandCheck
from acmd.drivers.probes.http import HttpCheck
from acmd.drivers.probes.tcp import TcpCheck
from acmd.drivers.probes.worker import Worker
from acmd.drivers.scripts import run_program
from acmd.drivers.systemd import BusGone, BusRefused, SystemdBus
from acmd.errors import AcmdError, ConfigError
from acmd.tasks.fitness import Check
from acmd.tasks.probing import Watch
from acmd.tasks.publishing import Publisher
from acmd.tasks.supervision import Group, Unit

T = TypeVar("T")
MARGIN_S = 1.0
GREET_LIMIT_S = 1.0
RELOAD_LIMIT_S = 30.0
FILE_LIMIT_S = 5.0


def watches(config: Config, group: Group, remark: Callable[[str, str], None]) -> list[Watch]:
    """The probes of a group's services. `remark` shows a text in the status."""
    entries = {entry.name: entry for entry in config.services}
    return [
        _watch(config, entries[unit.service.name], unit, probe, group, remark)
        for unit in group.units
        for probe in entries[unit.service.name].probes
    ]


def _watch(
    config: Config,
    entry: ServiceSettings,
    unit: Unit,
    probe: ProbeSettings,
    group: Group,
    remark: Callable[[str, str], None],
) -> Watch:
    return Watch(
        unit,
        Probe(probe.name, _check(config, probe), probe.timeout_s),
        Threshold(probe.fail_after, probe.recover_after),
        probe.interval_s,
        entry.start_timeout_s,
        group.poke,
        group.log,
        group.clock,
        remark,
    )


def reload_watches(config: Config, watches: Iterable[Watch]) -> None:
    """Take over the limits of probes whose configuration was read anew."""
    probes = {(entry.name, probe.name): (entry, probe) for entry in config.services for probe in entry.probes}
    for watch in watches:
        entry, probe = probes[watch.unit.service.name, watch.probe.name]
        watch.interval_s, watch.grace_s = probe.interval_s, entry.start_timeout_s
        if isinstance(watch.probe, Probe):
            watch.probe.set_limit(probe.timeout_s)
        if isinstance(watch.judge, Threshold):
            watch.judge.set_limits(probe.fail_after, probe.recover_after)


def _check(config: Config, probe: ProbeSettings) -> ProbeCheck:
    if isinstance(probe, TcpProbe):
        return TcpCheck(probe.host, probe.port)
    if isinstance(probe, HttpProbe):
        return HttpCheck(
            probe.host,
            probe.port,
            probe.path,
            probe.status,
            probe.text,
            probe.host_header,
            probe.tls,
            probe.verify,
        )
    if isinstance(probe, MysqlProbe):
        from acmd.daemon import logins
        from acmd.drivers.probes.mysql import MysqlCheck

        return MysqlCheck(lambda: logins.login(config, probe), probe.must_be_writable)
    if isinstance(probe, CommandProbe):
        return CommandCheck(probe.command, run_program, probe.timeout_s, probe.environment)
    raise ConfigError(f"probe {probe.name} is of a kind that this daemon does not know", "upgrade acmd")


def fitness_checks(config: Config) -> list[Check]:
    """The canaries on data directories, and the operator's own check."""
    wanted = config.fitness
    data = data_directories(config)
    checks = [
        Check(
            f"directory {directory}",
            Canary(directory, wanted.timeout_s).ask,
            wanted.interval_s,
            wanted.timeout_s + MARGIN_S,
            wanted.fail_after,
            wanted.recover_after,
            on_data=directory in data,
        )
        for directory in dict.fromkeys((*wanted.directories, *data))
    ]
    if wanted.check:

        async def own() -> str:
            ended = await run_program(wanted.check, environment={}, limit_s=wanted.timeout_s)
            if ended.code == 0:
                return ""
            lines = ended.said.strip().splitlines()
            said = f": {lines[-1][:200]}" if lines else ""
            return f"exit code {ended.code}{said}" if ended.code is not None else f"no end in time{said}"

        limit_s = wanted.timeout_s + MARGIN_S
        checks.append(
            Check("check", own, wanted.interval_s, limit_s, wanted.fail_after, wanted.recover_after)
        )
    return checks


def interlock_greet(config: Config) -> Callable[[str], asyncio.Future[str]]:
    """Asks an address for a MySQL server: "" when none completes its greeting."""

    from acmd.daemon import logins
    from acmd.drivers.probes.mysql import greet

    async def ask(address: str) -> str:
        port = logins.port(config, config.interlock.port)
        found = await greet(address, port, config.interlock.timeout_s)
        return f"a MySQL server answers at {address} port {port}" if found.server else ""

    return lambda address: asyncio.ensure_future(ask(address))


class FileMarker:
    """`publishing.Marker` in the run directory: a reboot starts all services anyway."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def there(self) -> bool:
        """Whether it was set."""
        return self._path.exists()

    def set(self, there: bool) -> None:
        """Set or take it away. Raises AcmdError."""
        try:
            if there:
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)
        except OSError as problem:
            raise AcmdError(f"{self._path}: {problem.strerror}", "look whether /run is full") from None


def publisher(
    config: Config,
    address: Callable[[], str],
    groups: tuple[Group, ...],
    bus: SystemdBus,
    log: Callable[..., None],
) -> Publisher:
    """Keeps database.yml; a file that does not answer holds nothing else up."""
    from acmd.daemon import logins
    from acmd.drivers import database_yml
    from acmd.drivers.probes.mysql import greet

    wanted = config.publish
    worker = Worker("publish")

    async def call(work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(FILE_LIMIT_S):
                return await worker.run(work)
        except (TimeoutError, CheckFailed):
            raise AcmdError(
                f"{wanted.file} does not answer", "is it on network storage? It belongs on a local one."
            ) from None

    async def published() -> str:
        return (await call(lambda: database_yml.read(wanted.file, wanted.section))).host

    async def publish(host: str) -> bool:
        return await call(lambda: database_yml.publish(wanted.file, wanted.section, host))

    async def answers(host: str) -> bool:
        return (await greet(host, logins.port(config, config.database.port), GREET_LIMIT_S)).server

    async def tell() -> None:
        for part in groups:
            for unit in part.units:
                if unit.service.name in wanted.services_to_restart:
                    unit.restart = f"{wanted.file} was changed"
                    part.poke.set()
        units = [unit_of(entry) for entry in config.services if entry.name in wanted.services_to_reload]
        for name in units:
            try:
                result = await bus.job("ReloadUnit", name, "replace", RELOAD_LIMIT_S)
            except (BusGone, BusRefused, TimeoutError) as problem:
                result = str(problem) or "no end in time"
            log("service-reloaded", unit=name, result=result)

    return Publisher(
        address, published, publish, answers, tell, FileMarker(Path(config.run_dir, "publish")), log
    )
