"""`acmd logs [-n N] [--since WHEN] [--json]`: the events of all nodes, in order."""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
import time

from acmd.cli import OK
from acmd.cli.annals import CLOCKS, line, past
from acmd.cli.values import positive_count
from acmd.config.glance import glance
from acmd.errors import UsageError

NEWEST = 50
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which."""
    parser.add_argument(
        "-n", type=positive_count, default=NEWEST, metavar="N", help=f"the newest N, else {NEWEST}"
    )
    parser.add_argument(
        "--since", metavar="WHEN", help="so long ago (90s, 10m, 2h, 1d), or a time such as 2026-11-25T19:00"
    )
    parser.add_argument("--json", action="store_true", help="for machines: one line an event")


def run(args: argparse.Namespace) -> int:
    """Print them, the newest last. Raises AcmdError when neither daemon nor shared directory answers."""
    since_s = 0.0 if args.since is None else moment_of(args.since, time.time())
    found = past(glance(args.config), 1)
    events = [event for event in found["events"] if event["at_s"] >= since_s][-args.n :]
    for event in events:
        print(json.dumps(event) if args.json else line(event, event["node"]))
    if not args.json:
        for node, why in found["ignored"].items():
            print(f"WARN the journal of {node} is left out: {why}", file=sys.stderr)
        print(f"({CLOCKS}; each node shows its newest 200)", file=sys.stderr)
    return OK


def moment_of(text: str, now_s: float) -> float:
    """The Unix time that a person means. Raises UsageError."""
    ago = re.fullmatch(r"(\d{1,9})([smhd])", text.strip())
    if ago is not None:
        return now_s - int(ago[1]) * _UNITS_S[ago[2]]
    try:
        return datetime.datetime.fromisoformat(text.strip()).timestamp()  # without a zone: this host's
    except ValueError:
        raise UsageError(
            f"logs: --since {text!r} is no time", "write 90s, 10m, 2h, 1d, or 2026-11-25T19:00"
        ) from None
