"""`acmd disable [--node NAME | --all] [--until END]`: maintenance, followed until it holds."""

from __future__ import annotations

import argparse
import time
from typing import Any

from acmd.cli.client import ask
from acmd.cli.orders import add_json, done, follow, gave_up, say
from acmd.cli.values import name, positive_seconds, reason
from acmd.cli.when import HELP, clock_text, moment
from acmd.config.glance import glance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom, why, and how long to wait."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--node", metavar="NAME", type=name, help="this node instead of the one here")
    which.add_argument("--all", action="store_true", help="the whole cluster: services stay as they are")
    parser.add_argument(
        "--reason", metavar="TEXT", type=reason, default="", help="shown in status while it lasts"
    )
    parser.add_argument(
        "--force", action="store_true", help="even if no other node can take over: services stop then"
    )
    parser.add_argument(
        "--until",
        metavar="END",
        type=moment,
        default=0,
        help=f"when it ends by itself: {HELP}. A wrong clock makes it end early or late",
    )
    add_timeout(parser)
    add_json(parser)


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """--timeout, as for enable."""
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=positive_seconds,
        default=120.0,
        help="how long to wait until it holds; the order stays either way (default: 120)",
    )


def run(args: argparse.Namespace) -> int:
    """Ask, follow. 1 when it did not take effect in time. Raises AcmdError."""
    place = glance(args.config)
    began = time.monotonic()
    node = args.node or place.node
    request = {"do": "disable", "node": node, "all": args.all, "reason": args.reason, "force": args.force}
    answer = ask(place, request | {"until": args.until})
    say("disabling the whole cluster" if args.all else f"disabling {node}", aside=args.json)

    def away(snapshot: dict[str, Any]) -> bool:
        leaving = snapshot["node"] == node and snapshot["role"] in {
            "active",
            "giving-up",
            "demoting",
            "killing",
        }
        return node in snapshot["maintenance"]["nodes"] and snapshot["active"] != node and not leaving

    snapshot = follow(place, detached if args.all else away, began, args.timeout, aside=args.json)
    if snapshot is None:
        return gave_up(place, args, "that", "the order stays in force")
    result = answer | {"active": snapshot["active"], "epoch": snapshot["epoch"], "until": args.until or None}
    return done(_said(snapshot, node, args), result if args.json else None)


def detached(snapshot: dict[str, Any]) -> bool:
    """Whether maintenance of all holds: no lease can expire, and none was lost on the way."""
    lease = snapshot["lease"]
    return snapshot["maintenance"]["all"] is not None and (
        snapshot["active"] is None or (lease is not None and lease["state"] == "detached")
    )


def _said(snapshot: dict[str, Any], node: str, args: argparse.Namespace) -> str:
    end = f" It ends by itself at {clock_text(args.until)}." if args.until else ""
    if not args.all:
        return f"{node} is disabled: it will not take over. Active: {snapshot['active'] or 'nobody'}.{end}"
    if snapshot["active"] is None:
        return f"the cluster is disabled; no node was active, so nothing runs and nobody will start it.{end}"
    return (
        f"the cluster is disabled: epoch {snapshot['epoch']} of {snapshot['active']} is detached and does "
        f"not expire, services stay as they are, nobody takes over. `acmd enable --all` ends it.{end}"
    )
