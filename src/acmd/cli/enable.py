"""`acmd enable [--node NAME | --all]`: the end of maintenance, followed until it holds."""

from __future__ import annotations

import argparse
import time
from typing import Any

from acmd.cli.client import ask
from acmd.cli.confirm import add_yes, confirm
from acmd.cli.disable import add_timeout
from acmd.cli.orders import add_json, done, follow, gave_up, say
from acmd.cli.values import name, reason
from acmd.config.glance import glance
from acmd.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom, and how long to wait."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--node", metavar="NAME", type=name, help="this node instead of the one here")
    which.add_argument("--all", action="store_true", help="the whole cluster")
    parser.add_argument(
        "--holder-is-dead",
        action="store_true",
        help="with --all: you made sure that the detached lease's holder is off for good",
    )
    parser.add_argument(
        "--reason", metavar="TEXT", type=reason, default="", help="kept with the order, for the others"
    )
    add_timeout(parser)
    add_yes(parser, "--holder-is-dead asks on a terminal")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, follow. 1 when it did not take effect in time. Raises AcmdError."""
    if args.holder_is_dead and not args.all:
        raise UsageError("enable: --holder-is-dead speaks of the whole cluster", "add --all")
    place = glance(args.config)
    if args.holder_is_dead:
        question = (
            "You state that the host which holds the detached lease is off FOR GOOD. If it comes back with\n"
            "its services, they and those started here run at the same time."
        )
        confirm(args, "enable", question, always=False)
    began = time.monotonic()
    node = args.node or place.node
    request = {"do": "enable", "node": node, "all": args.all, "reason": args.reason}
    answer = ask(place, request | {"holder_is_dead": args.holder_is_dead})
    say("enabling the whole cluster" if args.all else f"enabling {node}", aside=args.json)

    def attached(snapshot: dict[str, Any]) -> bool:
        lease = snapshot["lease"]
        over = snapshot["maintenance"]["all"] is None and snapshot["active"] is not None
        return over and lease is not None and lease["state"] == "held" and snapshot["role"] != "reattaching"

    def back(snapshot: dict[str, Any]) -> bool:
        return node not in snapshot["maintenance"]["nodes"]

    snapshot = follow(place, attached if args.all else back, began, args.timeout, aside=args.json)
    if snapshot is None:
        return gave_up(place, args, "that", "the order stays in force")
    active = snapshot["active"] or "nobody"
    text = f"{node} is enabled: it takes over when needed. Active: {active}"
    if args.all:
        text = f"the cluster is enabled; {active} is active, epoch {snapshot['epoch']}"
    result = answer | {"active": snapshot["active"], "epoch": snapshot["epoch"]}
    return done(text, result if args.json else None)
