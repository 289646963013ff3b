"""`acmd service start|stop|restart|pause|resume NAME`: one service of this node, followed until it is so."""

from __future__ import annotations

import argparse
import time
from typing import Any

from acmd.cli.client import ask
from acmd.cli.disable import add_timeout
from acmd.cli.orders import add_json, done, follow, gave_up, say
from acmd.cli.values import name, reason
from acmd.config.glance import glance

DEEDS = {
    "start": "end an operator's stop, and try again even if its restart budget is spent",
    "stop": "stop it and keep it stopped: not restarted, no failure, the lease stays",
    "restart": "stop and start it once",
    "pause": "leave it as it is: neither restarted nor stopped for its probes, the lease stays",
    "resume": "look after it again",
}
_WANTED = {"start": "running", "restart": "running", "stop": "stopped"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, with which service."""
    parser.add_argument(
        "deed", choices=DEEDS, help="; ".join(f"{deed}: {text}" for deed, text in DEEDS.items())
    )
    parser.add_argument("name", metavar="NAME", type=name, help="the service, as `acmd status` names it")
    parser.add_argument("--reason", metavar="TEXT", type=reason, default="", help="logged with the order")
    parser.add_argument("--force", action="store_true", help="though services that require it stop as well")
    add_timeout(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, follow. 1 when it did not take effect in time. Raises AcmdError."""
    place = glance(args.config)
    began = time.monotonic()
    before = _row(ask(place, {"do": "status"}), args.name)
    request = {"do": "service", "deed": args.deed, "service": args.name}
    answer = ask(place, request | {"reason": args.reason, "force": args.force})
    if args.deed in ("pause", "resume"):
        paused = "is paused: nobody looks after it until `acmd service resume`"
        text = f"{args.name} {paused if args.deed == 'pause' else 'is looked after again'}"
        return done(text, answer if args.json else None)
    say(f"{args.deed} of {args.name} on {answer['node']}", aside=args.json)

    def reached(snapshot: dict[str, Any]) -> bool:
        row = _row(snapshot, args.name)
        if row.get("state") not in (_WANTED[args.deed], "failed" if args.deed == "stop" else None):
            return False
        return args.deed != "restart" or before.get("state") != "running" or _younger(row, before)

    snapshot = follow(place, reached, began, args.timeout, aside=args.json)
    if snapshot is None:
        return gave_up(place, args, "that", "the order stays in force")
    row = _row(snapshot, args.name)
    text = f"{args.name} is {row['state']}"
    if args.deed == "stop":
        text += f", and stays so until `acmd service start {args.name}`"
    return done(text, answer | {"state": row["state"]} if args.json else None)


def _row(snapshot: dict[str, Any], name: str) -> dict[str, Any]:
    """The service on the node that answers; empty when it has none of that name."""
    for node in snapshot["nodes"]:
        if node["name"] == snapshot["node"]:
            return next((row for row in node["services"] if row["name"] == name), {})
    return {}


def _younger(row: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether it runs for a shorter time than it did before the order."""
    now_s, before_s = row.get("since_s"), before.get("since_s")
    return now_s is None or before_s is None or now_s < before_s
