"""`acmd switchover [--to NODE] [--timeout S]`: a planned move of the active role, followed to its end."""

from __future__ import annotations

import argparse
import time
from typing import Any

from acmd.cli.client import ask
from acmd.cli.orders import add_json, done, follow, gave_up, role_of, say, services_up
from acmd.cli.values import name, positive_seconds, reason
from acmd.config.glance import glance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, why, and how long to wait."""
    parser.add_argument("--to", metavar="NODE", type=name, help="the node to hand over to (else any fit one)")
    parser.add_argument(
        "--reason", metavar="TEXT", type=reason, default="", help="kept with the order, for the others"
    )
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=positive_seconds,
        default=120.0,
        help="how long to wait for the end; the order stays either way (default: 120)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, follow, say how long it took. 1 when it did not happen in time. Raises AcmdError."""
    place = glance(args.config)
    began = time.monotonic()
    answer = ask(place, {"do": "switchover", "to": args.to or "", "reason": args.reason})
    source, epoch = answer["from"], answer["epoch"]
    say(f"asked {source} to hand epoch {epoch} over" + (f" to {args.to}" if args.to else ""), aside=args.json)

    def reached(snapshot: dict[str, Any]) -> bool:
        active = snapshot["active"]
        if active is None or (snapshot["epoch"] or 0) <= epoch or active == source:
            return False
        return role_of(snapshot, active) == "active" and services_up(snapshot, active)

    snapshot = follow(place, reached, began, args.timeout, aside=args.json)
    if snapshot is None:
        stays = f"the order stays in force for epoch {epoch} and is void in any later one"
        return gave_up(place, args, "the switchover", stays)
    took_s = time.monotonic() - began
    text = (
        f"{snapshot['active']} is active, epoch {snapshot['epoch']}: {took_s:.2f} s from the order "
        f"until {snapshot['node']} saw its services run"
    )
    result = {"ok": True, "from": source, "to": snapshot["active"], "epoch": snapshot["epoch"]}
    return done(text, result | {"took_s": round(took_s, 3)} if args.json else None)
