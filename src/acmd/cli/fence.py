"""`acmd fence NODE`: the configured agent powers a host off; its confirmation counts for the cluster."""

from __future__ import annotations

import argparse
import json
import time

from acmd.cli import DEGRADED
from acmd.cli.client import ask
from acmd.cli.confirm import add_yes, confirm
from acmd.cli.orders import add_json, done, say
from acmd.cli.values import name, positive_seconds, reason
from acmd.config.glance import glance
from acmd.errors import AcmdError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which host, and how long to wait."""
    parser.add_argument("node", metavar="NODE", type=name, help="the host that is to be powered off")
    parser.add_argument("--reason", metavar="TEXT", type=reason, default="", help="logged with the order")
    parser.add_argument("--force", action="store_true", help="the active node as well")
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=positive_seconds,
        default=300.0,
        help="how long to wait for the agent; it has its own limit, fencing.timeout_s (default: 300)",
    )
    add_yes(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Have the name typed, run the agent, say what it said. 1 unless it confirmed. Raises AcmdError."""
    place = glance(args.config)
    confirm(args, "fence", f"The fence agent cuts the power of host {args.node}.", args.node)
    began = time.monotonic()
    request = {"do": "fence", "node": args.node, "reason": args.reason, "force": args.force}
    answer = ask(place, request)
    say(f"the agent runs for {args.node}", aside=args.json)
    while answer["result"] == "running":
        if time.monotonic() - began > args.timeout:
            raise AcmdError(
                f"the agent has not ended within {args.timeout:g} s", "`acmd status` shows what becomes of it"
            )
        answer = ask(place, {"do": "fence-result", "node": args.node})
    result = answer | {"took_s": round(time.monotonic() - began, 3)}
    if answer["result"] == "confirmed":
        text = f"{args.node} is off, by the agent's word, after {result['took_s']:.1f} s"
        return done(text, result if args.json else None)
    if args.json:
        print(json.dumps(result | {"ok": False}))
        return DEGRADED
    raise AcmdError(
        f"the agent did not confirm that {args.node} is off",
        "acmd's log has what it said; look after that host, then `acmd confirm-off` states that it is off",
    )
