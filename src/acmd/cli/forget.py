"""`acmd forget NODE`: a node that is gone for good leaves the cluster's list."""

from __future__ import annotations

import argparse

from acmd.cli.client import ask
from acmd.cli.confirm import add_yes, confirm
from acmd.cli.orders import add_json, done
from acmd.cli.values import name, reason
from acmd.config.glance import glance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom."""
    parser.add_argument("node", metavar="NODE", type=name, help="a node that does not run any more")
    parser.add_argument("--reason", metavar="TEXT", type=reason, default="", help="logged with the order")
    add_yes(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask the person, then the daemon. Raises AcmdError."""
    place = glance(args.config)
    question = (
        f"{args.node} leaves the list of nodes, and what was ordered for it is void.\n"
        "It joins again when it is started."
    )
    confirm(args, "forget", question)
    answer = ask(place, {"do": "forget", "node": args.node, "reason": args.reason})
    return done(f"{args.node} is forgotten", answer if args.json else None)
