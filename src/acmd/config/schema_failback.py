"""The schema of the failback policy, and what it is as a plain value."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from acmd.config.schema_probes import RULES
from acmd.config.values import Duration, NameOrNothing, option


class FailbackSection(BaseModel):
    """Whether the services go back by themselves to a node that is preferred. The same on all nodes."""

    model_config = RULES

    policy: Literal["manual", "preferred"] = option(
        "manual",
        "manual: they stay where they are until somebody says `acmd switchover`. preferred: the active node "
        "hands over to the preferred one, as with that command.",
    )
    node: NameOrNothing = option("", "Name of the preferred node.", example="node-a")
    delay_s: Duration = option(
        300.0,
        "How long the preferred node must have been heard, fit, passive, enabled and without a hold-down.",
    )
