"""`acmd confirm-off NODE`: an operator's word that a host is off; it counts like a fence agent's."""

from __future__ import annotations

import argparse

from acmd.cli.client import ask
from acmd.cli.confirm import add_yes, confirm
from acmd.cli.orders import add_json, done
from acmd.cli.values import name, reason
from acmd.config.glance import glance

_EFFECTS = {
    "expired": "its lease is over: this node takes over at once if it may",
    "listed": "it leaves the list of hosts whose end nobody has confirmed",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which host, and how that is known."""
    parser.add_argument(
        "node", metavar="NODE", type=name, help="the host; '*' for all that the list stands for"
    )
    parser.add_argument(
        "--reason", metavar="TEXT", type=reason, default="", help="how you know; logged with the order"
    )
    add_yes(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Have the name typed, then tell the daemon. Raises AcmdError."""
    place = glance(args.config)
    question = (
        f"You state that host {args.node} is off, or was reset, AT THIS MOMENT: power cut or seen off, not\n"
        "just unreachable. If it is not, its services and those started here run at the same time."
    )
    confirm(args, "confirm-off", question, args.node)
    answer = ask(place, {"do": "confirm-off", "node": args.node, "reason": args.reason})
    return done(f"{args.node} counts as off: {_EFFECTS[answer['effect']]}", answer if args.json else None)
