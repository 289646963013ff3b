"""What `acmd status --json` promises, as models; `acmd status --schema` prints their JSON Schema.

Keys are only ever added; `format` is raised should one go or change its meaning. A value of null says that it
is not known, or that there is none. Ages and what is left of a time are in seconds, by this host's clock;
`..._at` and `until` are seconds since 1970 by the clock of whoever wrote them, for people only.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RULES = ConfigDict(extra="forbid", strict=True)


class Part(BaseModel):
    """Every part has all its keys, and no others."""

    model_config = RULES


class Cluster(Part):
    """Which cluster."""

    name: str
    id: str | None
    directory: str


class Lease(Part):
    """The lease as this node knows it: its own, or the newest that it observes."""

    holder: str = Field(description="Node; empty for the record of a new cluster.")
    state: Literal["held", "released", "detached"]
    sequence: int = Field(description="Counts the renewals of the epoch.")
    age_s: float | None = Field(description="Since the last renewal was issued, or the record last changed.")
    remaining_s: float | None = Field(description="Until the holder has to demote itself unless it renews.")
    expires_in_s: float | None = Field(description="Until another node may take over.")
    unfenced: list[str] = Field(description="Former holders whose end nobody has confirmed.")
    claimed_at: int | None = Field(description="When the epoch began, by the holder's wall clock.")
    written_at: int | None = Field(description="When the record was written, by the holder's wall clock.")


class Probe(Part):
    """The newest reading of one probe."""

    name: str
    ok: bool
    detail: str
    age_s: float


class Service(Part):
    """One service on one node."""

    name: str
    state: str = Field(description="stopped, starting, running, stopping, failed or unknown.")
    runs_on: str = Field(description="active or all.")
    since_s: float | None = Field(description="Since it is in this state.")
    restarts: int = Field(description="Failures since this epoch began there.")
    last_stop_s: float | None = Field(description="How long its last stop took there.")
    longest_stop_s: float | None = Field(description="The longest of its last eight stops there.")
    detail: str
    held: str = Field(description="stopped or paused by an operator; otherwise empty.")
    probes: list[Probe]


class Node(Part):
    """One node, by its own word; another one's is as old as `last_seen_s`."""

    name: str
    address: str
    role: str = Field(description="As the snapshot's role; unknown for a node that was not heard lately.")
    fit: bool
    unfit_because: str = Field(description="Why not; for a fit node what else is remarkable.")
    held_down: bool = Field(description="It gave up after failures and stays out of elections for a while.")
    last_seen_s: float | None
    version: str
    users: dict[str, str] = Field(description="uid:gid of its services' users; :gid of groups, as :name.")
    config_digest: str = Field(description="Alike where the configuration is, but for what is a node's own.")
    services: list[Service]


class Mark(Part):
    """Who disabled something, when and why."""

    by: str
    at: int
    reason: str
    forced: bool
    until: int = Field(description="When it ends by itself; 0: it does not.")


class Maintenance(Part):
    """What operators disabled."""

    all: Mark | None
    nodes: dict[str, Mark]


class Guard(Part):
    """The dead man's switch of this node."""

    alive: bool | None
    armed: bool | None
    epoch: int | None
    gate: str | None = Field(description="open, closing or shut: whether active-only services may start.")
    deadline_in_s: float | None = Field(description="Until it kills unless the lease is renewed.")
    last_resort: str | None
    last_resort_means: str | None
    outdated: bool = Field(description="Of another version, or with other settings, than this daemon.")
    watchdog: str | None = Field(description="ok, none, missing, or what is wrong with it.")
    faults: list[str]
    notes: list[str]


class Confirmed(Part):
    """A host confirmed off, by the agent or an operator."""

    host: str
    age_s: float


class Fencing(Part):
    """Getting other hosts confirmed off."""

    policy: str
    agent: bool = Field(description="Whether an agent is configured.")
    running: list[str]
    failed: list[str]
    confirmed: list[Confirmed]


class Interlock(Part):
    """Whether something outside forbids a takeover."""

    state: str = Field(description="clear, blocked or overridden.")
    because: str = Field(description="What answered; empty while nothing did.")


class HoldDown(Part):
    """This node gave up after failures and stays out of elections."""

    remaining_s: float
    failures: int


class Handover(Part):
    """A change of the holder that this daemon saw."""

    how: str = Field(description="failover, switchover, release, takeover (not known how), or restart.")
    from_: str = Field(alias="from")
    to: str
    epoch: int
    reason: str
    at: int
    age_s: float


class Storage(Part):
    """The shared directory, as this node finds it."""

    fault: str | None
    abandoned_workers: int


class Timing(Part):
    """The cluster's timing."""

    profile: str
    heartbeat_s: float
    renew_deadline_s: float
    kill_deadline_s: float
    lease_duration_s: float
    takeover_wait_s: float


class Finding(Part):
    """One thing that is not as it should be."""

    level: Literal["ALARM", "WARN", "NOTE"]
    what: str
    remedy: str


class Status(Part):
    """What one node knows of its cluster at this moment."""

    model_config = RULES | ConfigDict(title="acmd status")

    format: Literal[1]
    version: str
    pid: int | None
    cluster: Cluster
    node: str
    role: str = Field(description="This node's role; not-running when no daemon answers.")
    role_since_s: float | None
    active: str | None = Field(description="The active node, as far as this one can know.")
    epoch: int | None
    reason: str = Field(description="Why this node has its role, as a sentence.")
    reason_code: str = Field(description="The same as a word that does not change.")
    lease: Lease | None
    nodes: list[Node]
    maintenance: Maintenance
    guard: Guard
    fencing: Fencing | None
    interlock: Interlock | None
    hold_down: HoldDown | None
    handovers: list[Handover] = Field(description="The newest first.")
    storage: Storage
    timing: Timing | None
    warnings: list[Finding] = Field(description="The worst first.")
    exit_code: Literal[0, 1, 2, 3]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `acmd status --json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Status.model_json_schema()}
