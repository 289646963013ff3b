"""The schema of services: one class for each kind, told apart by `kind`.

A new kind is a new class here, its name in `KINDS` and `ServiceTable`, and its plain counterpart in
`model_services`. Probes are in `schema_probes`, in the same way. `presets.expand` has given each table
its kind before it gets here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from acmd.config.schema_probes import RULES, ProbeTable
from acmd.config.values import (
    AbsolutePath,
    AbsolutePathOrNothing,
    Agent,
    Argument,
    Command,
    DataPlace,
    Duration,
    DurationOrZero,
    Environment,
    Name,
    NameOrNothing,
    ParameterFiles,
    Parameters,
    Script,
    Units,
    option,
)


class RestartTable(BaseModel):
    """How often a service that ended is started again.

    Beyond that it cannot be kept up: a critical one makes the node give up the lease, another is tried
    again at the longest pause.
    """

    model_config = RULES

    max_restarts: int = Field(
        default=5, ge=0, le=1000, description="At most this many times within `window_s`."
    )
    window_s: Duration = option(300.0, "The time within which restarts are counted.")
    backoff_s: Duration = option(
        1.0, "Wait before the second restart in a row, the first being immediate; doubled each time."
    )
    longest_backoff_s: Duration = option(30.0, "The wait grows no longer than this.")


class CommonTable(BaseModel):
    """What every kind of service has."""

    model_config = RULES

    name: Name = option(description="Name of the service, unique on this node.", example="web")
    kind: str = option(description="Kind of service.")
    preset: NameOrNothing = option(
        "",
        "Preset whose values hold where this table has none. A table that has the name of an entry of "
        "`services` overrides that one.",
        example="MYSQL",
    )
    runs_on: Literal["active", "all"] = option(
        "active", "active: runs only on the active node. all: runs on every node, whoever is active."
    )
    critical: bool | None = option(
        None,
        "Whether the node gives up the lease when this service cannot be kept up.",
        computed='true for runs_on = "active", false for "all"',
        example=True,
    )
    after: list[Name] = option(
        [],
        "Services that are started before this one and stopped after it. Only among services with the same "
        "runs_on: what runs on every node waits for nothing that runs on the active one.",
        example=["database"],
    )
    requires: list[Name] = option(
        [],
        "Services without which this one cannot run: as `after`, and it is stopped when one of them stops.",
        example=["database"],
    )
    start_timeout_s: Duration = option(30.0, "How long a start may take.")
    stop_timeout_s: Duration = option(
        30.0,
        "How long a graceful stop may take before it is killed. After a lost lease it has "
        "timing.stop_budget_s "
        "at most.",
    )
    data_directories: list[DataPlace] | None = option(
        None,
        "Directories on network storage that it writes to; not in the cluster's directory. After it was "
        "stopped, it does not count as gone before their file systems are synced and their servers have "
        'answered. []: it writes to none. ["*"]: it is not known to which; every network file system '
        "that this host has mounted has to answer, but one at the cluster's directory itself.",
        computed='["*"] for runs_on = "active" (not the agents of virtual addresses), else []',
        example=["/srv/data"],
    )
    restart: RestartTable = RestartTable()
    probe: list[ProbeTable] = Field(
        default_factory=list,
        max_length=16,
        description="Probes of this service, each in a [[service.probe]] table. A list given for a service "
        "with a preset replaces the preset's; probe = [] takes them away.",
    )


class CommandTable(CommonTable):
    """A foreground program that acmd starts, owns and kills with all its children."""

    kind: Literal["command"] = option("command", "A program that stays in the foreground.")
    command: Command = option(
        description="Program and arguments; no shell is involved. The program is an absolute path. "
        "It gets the "
        "lease's epoch as ACMD_EPOCH.",
        example=["/usr/local/bin/web", "--port", "8080"],
    )
    environment: Environment = option(
        {}, "Environment variables, beside those of acmd.", example={"LANG": "C.UTF-8"}
    )
    working_directory: AbsolutePath = option(
        "/", "Working directory. It must not lie in the cluster's directory.", example="/srv/web"
    )
    user: Argument = option(
        "", "User that it runs as, with that user's groups. Empty: the one acmd runs as.", example="www-data"
    )
    log_file: AbsolutePathOrNothing = option(
        "",
        "File that its output is appended to; not in the cluster's directory. Empty: acmd's own log.",
        example="/var/log/web.log",
    )


class SystemdTable(CommonTable):
    """A unit of systemd. It is started and stopped by acmd alone: disable it at boot."""

    kind: Literal["systemd"] = option(description="A unit of systemd.", example="systemd")
    unit: Units = option(
        description="The unit, or a list of which the first that this host has is taken. Without a suffix: "
        ".service.",
        example="site.service",
    )
    start_timeout_s: Duration = option(90.0, "How long a start may take.")


class SysvTable(CommonTable):
    """An init script with LSB status codes; where systemd generates a unit of it, by that unit."""

    kind: Literal["sysv"] = option(description="An init script.", example="sysv")
    script: Script = option(
        description="The script: a path, or a name in /etc/init.d.", example="/etc/init.d/legacy"
    )
    start_timeout_s: Duration = option(60.0, "How long a start may take.")
    monitor_timeout_s: Duration = option(5.0, "How long its status action may take.")


class OcfTable(CommonTable):
    """A resource agent of the OCF standard, as Pacemaker has them."""

    kind: Literal["ocf"] = option(description="A resource agent.", example="ocf")
    agent: Agent = option(
        description="The agent: ocf, provider and type, with colons.", example="ocf:heartbeat:IPaddr2"
    )
    parameters: Parameters = option(
        {},
        "The agent's parameters, as its meta-data names them. No secrets.",
        example={"ip": "192.0.2.10", "cidr_netmask": "24"},
    )
    parameter_files: ParameterFiles = option(
        {},
        "Parameters that are secrets: each is the first line of a file that only root may read.",
        example={"password": "/etc/acmd/web.password"},
    )
    start_timeout_s: DurationOrZero = option(
        0.0, "How long a start may take. 0: as the agent's meta-data say."
    )
    stop_timeout_s: DurationOrZero = option(
        0.0, "How long a stop may take before it is killed. 0: as the agent's meta-data say."
    )
    monitor_timeout_s: DurationOrZero = option(
        0.0, "How long its monitor action may take. 0: as the agent's meta-data say."
    )
    monitor_interval_s: DurationOrZero = option(
        0.0, "Time between two runs of its monitor action. 0: as the agent's meta-data say."
    )


KINDS: dict[str, type[CommonTable]] = {
    "command": CommandTable,
    "systemd": SystemdTable,
    "sysv": SysvTable,
    "ocf": OcfTable,
}
ServiceTable = Annotated[
    CommandTable | SystemdTable | SysvTable | OcfTable,
    Field(discriminator="kind"),
]
