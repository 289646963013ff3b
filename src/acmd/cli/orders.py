"""What orders share: give one, follow it until it has taken effect, say so to people or programs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from acmd.cli import DEGRADED, OK
from acmd.cli.advice import warnings_of
from acmd.cli.client import snapshots
from acmd.cli.ending import OutputFailed, to_nowhere
from acmd.config.glance import Glance

Reached = Callable[[dict[str, Any]], bool]


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument(
        "--json", action="store_true", help="the result as one JSON object; progress to stderr"
    )


def say(text: str, *, aside: bool = False) -> None:
    """One line of progress, at once; `aside`: standard output is for the result.

    An order is followed to its end also when nobody reads that any more, or the disk is full.
    """
    stream = sys.stderr if aside else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:  # its reader is gone; or standard error is full
        to_nowhere(stream)
    except OutputFailed as why:
        to_nowhere(stream)
        print(f"acmd: standard output cannot be written: {why}; it goes on", file=sys.stderr)


def follow(
    place: Glance, reached: Reached, began: float, timeout_s: float, *, aside: bool = False
) -> dict[str, Any] | None:
    """Tell each change until `reached` says so; the snapshot then, or None at the limit.

    `began` is the `time.monotonic()` of the order: times are shown since then. Raises NotRunning.
    """
    told = ""
    left_s = max(0.0, timeout_s - (time.monotonic() - began))
    try:
        for _, snapshot in snapshots(place, left_s):
            if reached(snapshot):
                return snapshot
            now = _where(snapshot)
            if now != told:
                say(f"  {time.monotonic() - began:5.2f} s  {now}", aside=aside)
                told = now
    except KeyboardInterrupt:
        say("acmd: what was ordered stays in force; `acmd status` shows how it goes on", aside=True)
        raise
    return None


def _where(snapshot: dict[str, Any]) -> str:
    active = snapshot["active"] or "nobody"
    text = f"active: {active}, epoch {snapshot['epoch']}; {snapshot['node']} is {snapshot['role']}"
    return f"{text}: {snapshot['reason']}" if snapshot["reason"] else text


def gave_up(place: Glance, args: argparse.Namespace, what: str, stays: str) -> int:
    """Say that it did not happen in time, and what is going on. Returns the exit code."""
    error = f"{what} did not happen within {args.timeout:g} s; {stays}"
    remedy = "`acmd status` shows how it goes on"
    if args.json:
        say(json.dumps({"ok": False, "error": error, "remedy": remedy}))
    print(f"acmd: {error}", file=sys.stderr)
    for _, snapshot in snapshots(place, 0.0):
        print(f"  now: {_where(snapshot)}", file=sys.stderr)
        for warning in warnings_of(snapshot):
            print(f"  {warning.level}: {warning.what}\n    -> {warning.remedy}", file=sys.stderr)
    print(f"  -> {remedy}", file=sys.stderr)
    return DEGRADED


def done(text: str, result: dict[str, Any] | None = None) -> int:
    """Say that it has happened: in words, or as the `result` that a program asked for. The exit code."""
    say(text if result is None else json.dumps(result))
    return OK


def role_of(snapshot: dict[str, Any], name: str) -> str:
    """The role that a node last said it has; its own daemon's word where that is asked."""
    if name == snapshot["node"]:
        return str(snapshot["role"])
    return next((str(node["role"]) for node in snapshot["nodes"] if node["name"] == name), "unknown")


def services_up(snapshot: dict[str, Any], name: str) -> bool:
    """Whether a node says that all its active-only services run."""
    for node in snapshot["nodes"]:
        if node["name"] == name:
            return all(s["state"] == "running" for s in node["services"] if s["runs_on"] == "active")
    return False
