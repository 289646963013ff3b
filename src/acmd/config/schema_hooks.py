"""The schema of hooks: commands that are run when something happens."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from acmd.config.schema_probes import RULES
from acmd.config.values import Command, Duration, DurationOrZero, option
from acmd.events import EVENTS, HOOK_KINDS, NEVER_HOOKED


def _kind(value: str) -> str:
    if value in NEVER_HOOKED:
        raise ValueError("tells of hooks and of the journal themselves, and runs none")
    if value not in HOOK_KINDS and (value not in EVENTS or not EVENTS[value].kept):
        raise ValueError(
            f"is neither {', '.join(HOOK_KINDS[:-1])} or {HOOK_KINDS[-1]}, nor an event that docs/events.md "
            "has as kept or alarm"
        )
    return value


def _some(value: list[str]) -> list[str]:
    if not value:
        raise ValueError("must name an event, or a hook would never be run")
    return value


Kind = Annotated[str, AfterValidator(_kind)]


class HookTable(BaseModel):
    """A command that is run when something happens on this node: for telling people and other programs.

    Each event runs it once in an epoch, also over restarts of the daemon. It never delays acmd, which does
    nothing with its exit code but log it. See docs/hooks.md for its environment.
    """

    model_config = RULES

    on: Annotated[list[Kind], AfterValidator(_some), Field(max_length=64)] = option(
        description="When: role (this node's role changed), failover or switchover (this node became "
        "active), alarm (something that somebody should look at), or names of events of docs/events.md.",
        example=["failover", "alarm"],
    )
    command: Command = option(
        description="Program and arguments. The event is in its environment; nothing else of acmd's is.",
        example=["/usr/local/bin/tell-operators"],
    )
    timeout_s: Duration = option(10.0, "It is killed with all that it started when it takes longer.")
    repeat_s: DurationOrZero = option(
        0.0,
        "The same alarm may run it again within an epoch when this time has passed. 0: once in an epoch.",
    )
