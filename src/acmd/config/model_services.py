"""The plain values of services and probes: a frozen class for each kind. `model` names them all.

Limits of 0 are those that the driver finds out itself (an OCF agent's meta-data); each field says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RestartBudget:
    """How often a service is started again before it counts as one that cannot be kept up."""

    max_restarts: int
    window_s: float
    backoff_s: float
    longest_backoff_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    """What every kind of probe has."""

    name: str  # unique in its service
    kind: str
    interval_s: float
    timeout_s: float
    fail_after: int  # bad readings in a row until the service counts as failing
    recover_after: int  # good ones until it counts as healthy again


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe(_Probe):
    """Good when a connection is accepted."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe(_Probe):
    """Good when the answer has one of the `status` and holds `text`, if any."""

    host: str
    port: int
    path: str
    status: tuple[int, ...]
    text: str
    host_header: str  # empty: the host
    tls: bool
    verify: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlProbe(_Probe):
    """Good when SELECT 1 answers and, with `must_be_writable`, the server is not read-only.

    Credentials: `defaults_file` when set, else `user` with `password_file` when set, else the section of
    database.yml that `Config.database` names. `credentials.own_login` reads the first two. No password
    is ever a value of the configuration.
    """

    host: str
    port: int  # 0: as defaults_file or database.yml say, else 3306
    socket: str  # used instead of host and port where set
    must_be_writable: bool
    defaults_file: str
    user: str
    password_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandProbe(_Probe):
    """Good when the program exits with 0."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


ProbeSettings = TcpProbe | HttpProbe | MysqlProbe | CommandProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """What every kind of service has."""

    name: str
    kind: str
    preset: str  # empty: none
    runs_on: str  # "active" or "all"
    critical: bool
    after: tuple[str, ...]  # counts among services with the same runs_on; see `started_before`
    requires: tuple[str, ...]
    start_timeout_s: float
    stop_timeout_s: float
    restart: RestartBudget
    data_directories: tuple[str, ...]  # where it writes to network storage: proven landed before it is gone
    writes_anywhere: bool = False  # to which network storage it writes is not known
    probes: tuple[ProbeSettings, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandService(_Service):
    """A foreground program that acmd starts, owns and can kill with all its children."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    working_directory: str
    user: str  # empty: the user that acmd runs as
    log_file: str  # empty: acmd's own log


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemdService(_Service):
    """A unit of systemd: the first of `units` that this host has. Whole names, with their `.service`."""

    units: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SysvService(_Service):
    """An init script with LSB status codes, by its path."""

    script: str
    monitor_timeout_s: float

    @property
    def unit(self) -> str:
        """The unit that systemd generates of it, where it does."""
        return f"{self.script.rpartition('/')[2]}.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class OcfService(_Service):
    """A resource agent. All four limits, start and stop too, are those of its meta-data when 0."""

    agent: str  # ocf:PROVIDER:TYPE
    parameters: Mapping[str, str]
    parameter_files: Mapping[str, str]  # secrets: the parameter's value is the first line of the file
    monitor_timeout_s: float
    monitor_interval_s: float

    @property
    def provider(self) -> str:
        """As heartbeat."""
        return self.agent.split(":")[1]

    @property
    def agent_type(self) -> str:
        """As IPaddr2."""
        return self.agent.split(":")[2]


ServiceSettings = CommandService | SystemdService | SysvService | OcfService

_SERVICES: dict[str, Any] = {
    "command": CommandService,
    "systemd": SystemdService,
    "sysv": SysvService,
    "ocf": OcfService,
}
_PROBES: dict[str, Any] = {
    "tcp": TcpProbe,
    "http": HttpProbe,
    "mysql": MysqlProbe,
    "command": CommandProbe,
}
EVERYWHERE = "*"
"""Among data_directories: every network file system that the host has mounted."""
FILE_KEYS = {"units": "unit", "probes": "probe"}  # what has another name in the file
_MODEL_KEYS = {key: name for name, key in FILE_KEYS.items()}


def service_of(table: Mapping[str, Any]) -> ServiceSettings:
    """A service out of its effective table: all values present."""
    values = {_MODEL_KEYS.get(key, key): value for key, value in tuples(table).items()}
    places = values["data_directories"]
    values["writes_anywhere"] = EVERYWHERE in places
    values["data_directories"] = tuple(place for place in places if place != EVERYWHERE)
    values["restart"] = RestartBudget(**values["restart"])
    values["probes"] = tuple(probe_of(probe) for probe in values["probes"])
    service: ServiceSettings = _SERVICES[values["kind"]](**values)
    return service


def probe_of(table: Mapping[str, Any]) -> ProbeSettings:
    """A probe out of its effective table."""
    probe: ProbeSettings = _PROBES[table["kind"]](**tuples(table))
    return probe


def tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table with tuples for its lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
