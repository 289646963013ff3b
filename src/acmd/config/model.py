"""What a loaded configuration is: plain frozen values, cheap to import, without the schema.

Values were checked when they get here. Durations end in their unit; `build` makes a `Config` out
of the effective tree that `config.resolve` returns and that `config.apart` sends over a pipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acmd.config.defaults import (
    DEFAULT_CLUSTER,
    DEFAULT_DIRECTORY,
    DEFAULT_FILE,
    FILE_VARIABLE,
    default_node_name,
    default_run_dir,
    default_state_dir,
)
from acmd.config.model_failback import MANUAL, FailbackSettings
from acmd.config.model_hooks import HookSettings
from acmd.config.model_http import HttpSettings
from acmd.config.model_services import (
    CommandProbe,
    CommandService,
    HttpProbe,
    MysqlProbe,
    OcfService,
    ProbeSettings,
    RestartBudget,
    ServiceSettings,
    SystemdService,
    SysvService,
    TcpProbe,
    service_of,
    tuples,
)
from acmd.core.timing import NS_PER_S, Timing

__all__ = [  # the plain values of services and probes are found here, too
    "DEFAULT_CLUSTER",
    "DEFAULT_DIRECTORY",
    "DEFAULT_FILE",
    "FILE_VARIABLE",
    "CommandProbe",
    "CommandService",
    "HttpProbe",
    "MysqlProbe",
    "OcfService",
    "ProbeSettings",
    "RestartBudget",
    "ServiceSettings",
    "SystemdService",
    "SysvService",
    "TcpProbe",
    "default_node_name",
    "default_run_dir",
    "default_state_dir",
]

TIMING_KEYS = (
    "heartbeat_s",
    "renew_deadline_s",
    "stop_budget_s",
    "kill_deadline_s",
    "kill_budget_s",
    "reset_margin_s",
    "lease_duration_s",
    "takeover_wait_s",
    "clock_rate_error",
)


def ns(duration_s: float) -> int:
    """A configured duration in nanoseconds, as the core counts."""
    return round(duration_s * NS_PER_S)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster and its directory on shared storage."""

    name: str
    directory: str
    device_id: int | None
    device_id_enforced: bool
    tier: str  # as in cluster.json; empty: the cluster is not one of several tiers


@dataclass(frozen=True, slots=True)
class Node:
    """This node. `address` is empty when none is announced."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The dead man's switch. `cgroup_parent` is empty when acmd's own control group serves."""

    mode: str  # "unit" or "spawn"
    last_resort: str  # "reset" or "none"
    socket: str
    watchdog: str  # "off", "automatic" or "required"; "off" whenever last_resort is "none"
    watchdog_device: str
    watchdog_timeout_s: int
    cgroup_parent: str


@dataclass(frozen=True, slots=True)
class FencingSettings:
    """Getting the other host confirmed off. `agent` is empty when there is none."""

    policy: str  # "off", "best_effort" or "required"
    agent: tuple[str, ...]
    action: str  # "off" or "reboot"
    parameters: Mapping[str, str]  # NAME for every node, NODE:NAME for one
    parameter_files: Mapping[str, str]  # secrets: the parameter's value is the first line of the file
    suspect_after_s: float  # 0: the agent is asked only once the takeover wait has passed
    timeout_s: float


@dataclass(frozen=True, slots=True)
class HoldDown:
    """How long a node that could not keep its services up stays away."""

    first_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where messages go."""

    level: str  # "debug", "info", "warning" or "error"
    facility: str
    target: str  # "auto", "syslog", "journal" or "stderr"


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Orchestrator's database.yml, and how to log in to MySQL when not by that file."""

    file: str
    section: str
    port: int  # 0: as the file says, else 3306
    defaults_file: str
    user: str
    password_file: str


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """Keeping `host:` of a database.yml at the active node's address."""

    enabled: bool
    file: str
    section: str
    services_to_restart: tuple[str, ...]  # names of services, once MySQL answers at the new address
    services_to_reload: tuple[str, ...]  # kind systemd only


@dataclass(frozen=True, slots=True)
class InterlockSettings:
    """What must be so before a takeover."""

    mysql: bool  # no MySQL answers on the node that had the lease
    port: int  # 0: as database.yml says, else 3306
    timeout_s: float


@dataclass(frozen=True, slots=True)
class FitnessSettings:
    """What makes this node one that could take over."""

    directories: tuple[str, ...]  # each must answer a canary
    check: tuple[str, ...]  # empty: none; exit code 0 means fit
    interval_s: float
    timeout_s: float
    fail_after: int
    recover_after: int


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of one node, complete and checked."""

    file: str
    cluster: Cluster
    node: Node
    profile: str
    timing: Timing
    guard: GuardSettings
    fencing: FencingSettings
    hold_down: HoldDown
    adoption_limit: int
    run_dir: str
    state_dir: str
    log: LogSettings
    database: DatabaseSettings
    publish: PublishSettings
    interlock: InterlockSettings
    fitness: FitnessSettings
    http: HttpSettings
    services: tuple[ServiceSettings, ...]
    hooks: tuple[HookSettings, ...] = ()
    failback: FailbackSettings = MANUAL

    def started_before(self, service: ServiceSettings) -> tuple[str, ...]:
        """Names of the services that must run before this one starts, and that stop after it.

        Only those with the same `runs_on`: what runs everywhere waits for nothing that runs elsewhere.
        """
        wanted = {*service.after, *service.requires}
        return tuple(
            other.name for other in self.services if other.name in wanted and other.runs_on == service.runs_on
        )


def timing_of(section: Mapping[str, Any]) -> Timing:
    """The timing that a complete `timing` section stands for. Checks nothing: see `Timing.broken()`."""
    return Timing.of_seconds(**{key: section[key] for key in TIMING_KEYS})


def build(file: str, tree: Mapping[str, Any]) -> Config:
    """The configuration out of an effective tree: all values present, lists and tables of plain values."""
    timing = tree["timing"]
    return Config(
        file=file,
        cluster=Cluster(**tree["cluster"]),
        node=Node(**tree["node"]),
        profile=timing["profile"],
        timing=timing_of(timing),
        guard=GuardSettings(**tree["guard"]),
        fencing=FencingSettings(**tuples(tree["fencing"])),
        hold_down=HoldDown(**tree["hold_down"]),
        adoption_limit=tree["adoption"]["limit"],
        run_dir=tree["run"]["run_dir"],
        state_dir=tree["run"]["state_dir"],
        log=LogSettings(**tree["log"]),
        database=DatabaseSettings(**tree["database"]),
        publish=PublishSettings(**tuples(tree["publish"])),
        interlock=InterlockSettings(**tree["interlock"]),
        fitness=FitnessSettings(**tuples(tree["fitness"])),
        http=HttpSettings(**tree["http"]),
        services=tuple(service_of(table) for table in tree["service"]),
        hooks=tuple(HookSettings(**tuples(table)) for table in tree["hook"]),
        failback=FailbackSettings(**tree["failback"]),
    )
