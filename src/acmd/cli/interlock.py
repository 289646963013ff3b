"""`acmd interlock override`: this takeover goes on although an interlock blocks it."""

from __future__ import annotations

import argparse

from acmd.cli.client import ask
from acmd.cli.confirm import add_yes, confirm
from acmd.cli.orders import add_json, done
from acmd.cli.values import reason
from acmd.config.glance import glance

QUESTION = """An interlock blocks: another host's database still answers. If it still writes to the same
data, a second one started here destroys them. Override it only when you know why it answers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, and why."""
    parser.add_argument(
        "deed", choices=("override",), help="counts for the epoch that is to end, and no other"
    )
    parser.add_argument("--reason", metavar="TEXT", type=reason, default="", help="logged with the order")
    add_yes(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask the person, then the daemon. Raises AcmdError."""
    place = glance(args.config)
    confirm(args, "interlock", QUESTION, "override")
    answer = ask(place, {"do": "override-interlock", "reason": args.reason})
    text = (
        f"the interlock is overridden for the takeover from epoch {answer['epoch']}; it follows within 15 s"
    )
    return done(text, answer if args.json else None)
