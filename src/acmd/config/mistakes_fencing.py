"""Mistakes in how other hosts are fenced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.config.mistakes_services import parameter_mistakes
from acmd.config.presets import Mistake

# One board a host, which knows no plug: who has its address has the host.
BOARDS = {
    "fence_ipmilan",
    "fence_idrac",
    "fence_ilo3",
    "fence_ilo4",
    "fence_ilo5",
    "fence_imm",
    "fence_redfish",
}


def fencing_mistakes(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """All of the section `fencing` of an effective tree."""
    fencing = tree["fencing"]
    if fencing["policy"] != "off" and not fencing["agent"]:
        yield (
            ("fencing", "policy"),
            "there is no fence agent that could be asked",
            'set fencing.agent = ["/path/to/program"], or fencing.policy = "off"',
        )
    yield from _fence_agent(fencing)
    suspect, renew = fencing["suspect_after_s"], tree["timing"]["renew_deadline_s"]
    if 0 < suspect < renew:
        yield (
            ("fencing", "suspect_after_s"),
            f"{suspect:g} s is less than timing.renew_deadline_s, {renew:g} s: a healthy node would be "
            "fenced for a short stall",
            f"write 0, or at least {renew:g}",
        )


def _fence_agent(fencing: Mapping[str, Any]) -> Iterator[Mistake]:
    agent = fencing["agent"]
    if len(agent) > 1 and agent[0].rpartition("/")[2].startswith("fence_"):
        yield (
            ("fencing", "agent"),
            f"{agent[0]} would not be told whom to fence: with an argument, agents of the package "
            "fence-agents read no standard input",
            "write the arguments as fencing.parameters, in their long form without dashes",
        )
    yield from parameter_mistakes(("fencing",), fencing)
    whose = {"plug", "port"}
    if agent and agent[0].rpartition("/")[2] in BOARDS:
        whose |= {"ip", "ipaddr"}
    for table in ("parameters", "parameter_files"):
        for name in sorted(whose & set(fencing[table])):
            yield (
                ("fencing", table, name),
                "would be the same for every node: the agent would confirm that one host is off after it "
                "switched off another",
                f'write "NODE:{name}" for each node',
            )
