"""What a seed is about: which choice points deviate often, and which triggers are pulled."""

from __future__ import annotations

from typing import NamedTuple

from tests.simulation import oracle as o


class Focus(NamedTuple):
    """What a seed is about."""

    name: str
    often: dict[int, float]  # probabilities that differ from BASE
    triggers: str  # names of triggers, repeated by weight
    features: str = ""


BASE = {
    o.DECIDE: 0.003,
    o.EFFECT: 0.0015,
    o.ISSUE: 0.002,
    o.SERVE: 0.006,
    o.REPORT: 0.002,
    o.START: 0.1,
    o.JOB: 0.1,
    o.FORK: 0.1,
    o.MESSAGE: 0.004,
    o.TICK: 0.003,
    o.VIEW: 0.003,
    o.DIRTY: 0.1,
    o.STOP: 0.1,
    o.KILL: 0.1,
}
_MIXED = (
    "power power crash-both crash crash cut cut cut pause pause deaf "
    "switchover stop adopt detach disable unlink unfit interlock detach-here"
)
FOCUSES = (
    Focus("mixed", {}, _MIXED),
    Focus("calm", dict.fromkeys(BASE, 0.0004), "power power cut cut pause crash-both switchover deaf"),
    Focus(
        "pause-at-start",
        {o.START: 0.5, o.JOB: 0.4, o.FORK: 0.4, o.DECIDE: 0.006, o.EFFECT: 0.01},
        "power cut pause switchover service service adopt",
        "nogate",
    ),
    Focus(
        "slow-ack",
        {o.SERVE: 0.05, o.REPORT: 0.03, o.ISSUE: 0.02},
        "cut pause power deaf",
        "slow",
    ),
    Focus("confirm", {o.SERVE: 0.99}, "cut cut cut pause pause power", "confirm"),
    Focus(
        "detach",
        {o.SERVE: 0.99, o.EFFECT: 0.012, o.DECIDE: 0.006},
        "detach detach detach detach dead-holder detach-here cut crash pause power",
        "detach",
    ),
    Focus(
        "adoption",
        {o.EFFECT: 0.008, o.DECIDE: 0.004},
        "crash crash crash adopt adopt crash-both crash-switch",
    ),
    Focus("unfenced", {}, "power cut switchover switchover stop pause", "three required"),
    Focus("late-landing", {o.SERVE: 0.04}, "cut cut pause power crash switchover stop", "late"),
    Focus("torn", {o.SERVE: 0.04}, "power cut pause crash", "torn"),
    Focus(
        "last-minute",
        {o.KILL: 0.6, o.STOP: 0.6, o.DIRTY: 0.5, o.TICK: 0.01},
        "cut cut pause crash switchover",
        "extreme data",
    ),
    Focus(
        "stop",
        {o.STOP: 0.5, o.VIEW: 0.05, o.JOB: 0.5, o.FORK: 0.5, o.DIRTY: 0.4},
        "switchover stop service disable cut",
    ),
    Focus("alone", {o.KILL: 0.4, o.STOP: 0.4, o.DIRTY: 0.4}, "run-lost run-lost crash pause cut", "alone"),
    Focus(
        "claims", {o.SERVE: 0.99, o.ISSUE: 0.02, o.DECIDE: 0.01}, "power cut switchover stop", "three links"
    ),
)
# Not drawn: chosen by --focus. As many expiries as fit, for counting failovers in long runs.
BRISK = Focus(
    "brisk",
    {kind: odds / 4 for kind, odds in BASE.items()},
    "power power power power cut pause crash-both",
    "brisk",
)
BY_NAME = {focus.name: focus for focus in (*FOCUSES, BRISK)}
