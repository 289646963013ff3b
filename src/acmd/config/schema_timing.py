"""The schema of the timing: a profile, and overrides of each of its numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from acmd.config.schema_probes import RULES
from acmd.config.values import Duration, option

_PROFILE = "as the profile says"


class TimingSection(BaseModel):
    """How long everything takes. All nodes of a cluster must have the same; `acmd init` writes it down there.

    Counted from the moment at which the active node issued its last acknowledged renewal. These must hold:
    3 heartbeat_s <= renew_deadline_s; renew_deadline_s + stop_budget_s <= kill_deadline_s;
    kill_deadline_s + kill_budget_s <= lease_duration_s - reset_margin_s;
    lease_duration_s (1 + clock_rate_error) / (1 - clock_rate_error) <= takeover_wait_s.
    """

    model_config = RULES

    profile: Literal["standard", "fast", "patient"] = option(
        "standard",
        "A set of values that fit together: standard for most installations, fast for storage that always "
        "answers quickly, patient for file servers that fail over themselves. Each value can be overridden.",
    )
    heartbeat_s: Duration | None = option(
        None,
        "Time between two renewals of the lease by the active node, and between two looks at it by "
        "the others.",
        computed=_PROFILE,
        example=1.0,
    )
    renew_deadline_s: Duration | None = option(
        None,
        "Without an acknowledged renewal for this long the active node stops its active-only services.",
        computed=_PROFILE,
        example=6.0,
    )
    stop_budget_s: Duration | None = option(
        None, "Time that these have to stop gracefully.", computed=_PROFILE, example=3.0
    )
    kill_deadline_s: Duration | None = option(
        None,
        "At this time what is left of them is killed.",
        computed=_PROFILE,
        example=9.0,
    )
    kill_budget_s: Duration | None = option(
        None,
        "Time for the killed processes to be gone and their files to be synced.",
        computed=_PROFILE,
        example=1.0,
    )
    reset_margin_s: Duration | None = option(
        None,
        "This long before the lease ends the host is reset if anything of them is still there.",
        computed=_PROFILE,
        example=2.0,
    )
    lease_duration_s: Duration | None = option(
        None,
        "How long a lease lasts. At its end active-only services are certainly gone.",
        computed=_PROFILE,
        example=12.0,
    )
    takeover_wait_s: Duration | None = option(
        None,
        "How long another node must see the lease unchanged, on its own clock, before it takes over.",
        computed=_PROFILE,
        example=14.7,
    )
    clock_rate_error: float | None = Field(
        default=None,
        ge=0,
        le=0.5,
        allow_inf_nan=False,
        description="How far the rates of the hosts' clocks may be off real time, as a fraction in "
        "steps of 0.001. "
        "Offsets and steps of clocks do not matter.",
        examples=[0.1],
        json_schema_extra={"computed": _PROFILE},
    )
