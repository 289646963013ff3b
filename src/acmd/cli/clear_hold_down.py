"""`acmd clear-hold-down [NODE]`: a node that gave up after failures may be a candidate again at once."""

from __future__ import annotations

import argparse

from acmd.cli.client import ask
from acmd.cli.confirm import add_yes, confirm
from acmd.cli.orders import add_json, done
from acmd.cli.values import name, reason
from acmd.config.glance import glance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose."""
    parser.add_argument("node", metavar="NODE", type=name, nargs="?", help="another node than this one")
    parser.add_argument("--reason", metavar="TEXT", type=reason, default="", help="logged with the order")
    add_yes(parser, "without a terminal nothing is asked")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask. Raises AcmdError."""
    place = glance(args.config)
    node = args.node or place.node
    question = (
        f"{node} gave up after failures. If what failed is not mended, it takes over and gives up again;\n"
        "the services are down for as long as that takes."
    )
    confirm(args, "clear-hold-down", question, always=False)
    answer = ask(place, {"do": "clear-hold-down", "node": node, "reason": args.reason})
    text = f"the hold-down of {node} ends within a heartbeat of that node; it is a candidate again"
    return done(text, answer if args.json else None)
