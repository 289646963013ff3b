"""The schema of the configuration, which is its reference manual.

Every option is here once: name with its unit, type, limits, default, description. The commented
example, the reference page and the JSON Schema are generated from it. Checks that need more than
one value are in `resolve`; those that need the host are in `load`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from acmd.config.model import DEFAULT_CLUSTER, DEFAULT_DIRECTORY
from acmd.config.schema_database import (
    DatabaseSection,
    FitnessSection,
    InterlockSection,
    PublishSection,
)
from acmd.config.schema_failback import FailbackSection
from acmd.config.schema_hooks import HookTable
from acmd.config.schema_http import HttpSection
from acmd.config.schema_probes import RULES
from acmd.config.schema_services import ServiceTable
from acmd.config.schema_timing import TimingSection
from acmd.config.values import (
    AbsolutePath,
    AbsolutePathOrNothing,
    AddressOrNothing,
    CommandOrNothing,
    Duration,
    DurationOrZero,
    FenceParameterFiles,
    FenceParameters,
    Name,
    NameOrNothing,
    option,
)


class ClusterSection(BaseModel):
    """The cluster, and the directory on shared storage that all its nodes see."""

    model_config = RULES

    name: Name = option(
        DEFAULT_CLUSTER,
        "Name of the cluster, the same on all its nodes. It also names the local directories, so "
        "that several "
        "clusters can run on one host.",
    )
    directory: AbsolutePath = option(
        DEFAULT_DIRECTORY,
        "The cluster's directory on shared storage, the same files on all nodes. A small volume of its own, "
        "mounted noac,lookupcache=none, is best. Nothing but acmd may write there.",
    )
    device_id: int | None = option(
        None,
        "Device id of that storage as `stat -c %d DIRECTORY` prints it. With it `acmd config check` "
        "notices that "
        "the storage is not mounted, or that something else is. An NFS mount's id can change at a reboot.",
        computed="not checked",
        example=57,
    )
    device_id_enforced: bool = option(
        False, "Whether another device id than `device_id` is an error; otherwise it is a warning."
    )
    tier: NameOrNothing | None = option(
        None,
        "Name of the tier, where one installation has several clusters, each with a directory of its own. A "
        "directory that was initialised for another tier is refused.",
        computed="application for the presets APACHE and ORCHESTRATOR without MYSQL, mysql for MYSQL without "
        "them, else empty",
        example="application",
    )


class NodeSection(BaseModel):
    """This node. The only section that has to differ between the nodes of a cluster."""

    model_config = RULES

    name: Name | None = option(
        None,
        "Name of this node, unique in the cluster: letters, digits, '.', '_' and '-', at most 32.",
        computed="the host's name up to the first dot",
        example="node-a",
    )
    address: AddressOrNothing = option(
        "",
        "This host's own IP address, under which the other nodes and clients reach its services. It "
        "is written "
        "into the lease while this node is active. Empty: none is announced.",
        example="192.0.2.11",
    )


class GuardSection(BaseModel):
    """The guard: the dead man's switch that kills when the daemon cannot."""

    model_config = RULES

    mode: Literal["unit", "spawn"] = option(
        "unit",
        "unit: the guard is a system service of its own (acmd-guard.service). spawn: `acmd run` "
        "starts it itself, "
        "for running without systemd.",
    )
    last_resort: Literal["reset", "none"] = option(
        "reset",
        "What happens when active-only services cannot be proven gone in time. reset: the host goes "
        "down hard, "
        "without a sync. none: an alarm and nothing else, so that two nodes may be active; for tests only.",
    )
    socket: AbsolutePath | None = option(
        None,
        "Socket of the guard. At most 107 bytes, on a local file system.",
        computed="guard.sock in run.run_dir",
        example="/run/acmd/acmd/guard.sock",
    )
    watchdog: Literal["off", "automatic", "required"] = option(
        "automatic",
        "Whether the kernel's watchdog resets the host should the guard itself be stuck. automatic: "
        "when there is "
        "one and last_resort is reset. required: without one this node never becomes active.",
    )
    watchdog_device: AbsolutePath = option("/dev/watchdog", "The watchdog's device.")
    watchdog_timeout_s: int | None = option(
        None,
        "Timeout that the watchdog is set to, in whole seconds; less than the lease lasts.",
        computed="half of timing.lease_duration_s, at most 60",
        example=6,
    )
    cgroup_parent: AbsolutePathOrNothing = option(
        "",
        "Directory of the control group below which each service of kind command gets one. Empty: "
        "acmd's own. "
        "Where none can be made, such services are held by their process groups.",
        example="/sys/fs/cgroup/acmd.slice",
    )


class FencingSection(BaseModel):
    """Getting it confirmed that the other host is off, before its services start here."""

    model_config = RULES

    policy: Literal["off", "best_effort", "required"] = option(
        "off",
        "off: the lease and the guard are trusted. best_effort: the agent is asked, services start anyway. "
        "required: nothing starts after an expired lease before the agent, or an operator, confirmed it.",
    )
    agent: CommandOrNothing = option(
        [],
        "Program and arguments. As agents of the ClusterLabs API do, it reads options from its standard "
        "input, `action=`, `plug=` and `nodename=` with the other node's name, and those of `parameters`; it "
        "exits with 0 only when that host is off or was reset. Agents of the package fence-agents read no "
        "standard input once they get an argument, so these get none.",
        example=["/usr/sbin/fence_ipmilan"],
    )
    action: Literal["off", "reboot"] = option(
        "off",
        "off: the host stays without power until somebody switches it on. reboot: it comes back, and joins "
        "again.",
    )
    parameters: FenceParameters = option(
        {},
        "Further options of the agent. `NODE:NAME` is for that node alone, and goes before `NAME`; "
        "`NODE:plug` where the power switch knows a node by another name. No secrets.",
        example={"lanplus": "1", "username": "acmd", "a:ip": "192.0.2.101", "b:ip": "192.0.2.102"},
    )
    parameter_files: FenceParameterFiles = option(
        {},
        "Options that are secrets: each is the first line of a file that only root may read.",
        example={"password": "/etc/acmd/power.password"},
    )
    suspect_after_s: DurationOrZero = option(
        0.0,
        "Ask the agent already when the lease was seen unchanged for this long; at least the renew deadline. "
        "0: only once the takeover wait has passed.",
    )
    timeout_s: Duration = option(
        60.0,
        "How long one run of the agent may take. With `required` a claimant tries for twice as long, "
        "renewing meanwhile, before it releases and holds down.",
    )


class HoldDownSection(BaseModel):
    """How long a node that could not keep its services up stays away from the next election."""

    model_config = RULES

    first_s: Duration = option(30.0, "The first time.")
    longest_s: Duration = option(600.0, "Each further time it is doubled, up to this.")


class AdoptionSection(BaseModel):
    """A restarted daemon that comes back in time takes over its running services without stopping them."""

    model_config = RULES

    limit: int = Field(
        default=5,
        ge=0,
        le=100,
        description="This many times in a row; a daemon in a crash loop gives up the lease. 0: never.",
    )


class RunSection(BaseModel):
    """Local directories. Neither may lie on shared storage."""

    model_config = RULES

    run_dir: AbsolutePath | None = option(
        None,
        "For what must not survive a reboot: epoch, deadline, sockets, lock.",
        computed="/run/acmd/ and the cluster's name",
        example="/run/acmd/acmd",
    )
    state_dir: AbsolutePath | None = option(
        None,
        "For what must survive it: the highest epoch seen.",
        computed="/var/lib/acmd/ and the cluster's name",
        example="/var/lib/acmd/acmd",
    )


class LogSection(BaseModel):
    """Where messages go."""

    model_config = RULES

    level: Literal["debug", "info", "warning", "error"] = option(
        "info", "The least important messages that are kept."
    )
    facility: Literal[
        "daemon", "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"
    ] = option("local2", "Facility for syslog.")
    target: Literal["auto", "syslog", "journal", "stderr"] = option(
        "auto",
        "auto: the journal if systemd runs acmd, else syslog if its socket is there, else standard error. "
        "From the journal rsyslog gets the lines with this facility.",
    )


class Document(BaseModel):
    """The whole file."""

    model_config = RULES

    services: list[str] = Field(
        default_factory=list,
        max_length=16,
        description="Presets: services of Aspera that need no table of their own. A [[service]] table with "
        "the name of one overrides some of its values.",
        examples=[["APACHE", "ORCHESTRATOR", "MYSQL"]],
    )
    cluster: ClusterSection = ClusterSection()
    node: NodeSection = NodeSection()
    timing: TimingSection = TimingSection()
    guard: GuardSection = GuardSection()
    fencing: FencingSection = FencingSection()
    hold_down: HoldDownSection = HoldDownSection()
    failback: FailbackSection = FailbackSection()
    adoption: AdoptionSection = AdoptionSection()
    run: RunSection = RunSection()
    log: LogSection = LogSection()
    database: DatabaseSection = DatabaseSection()
    publish: PublishSection = PublishSection()
    interlock: InterlockSection = InterlockSection()
    fitness: FitnessSection = FitnessSection()
    http: HttpSection = HttpSection()
    service: list[ServiceTable] = Field(
        default_factory=list,
        max_length=64,
        description="The services, each in a [[service]] table of its own.",
    )
    hook: list[HookTable] = Field(
        default_factory=list, max_length=16, description="Hooks, each in a [[hook]] table of its own."
    )
