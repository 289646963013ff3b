"""`acmd history [-n N] [--json]`: each epoch, who had it, from when to when, why it ended."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from acmd.cli import OK
from acmd.cli.annals import CLOCKS, moment, past, span
from acmd.config.glance import glance

NEWEST, MOST = 20, 100
_HEADS = ("epoch", "holder", "from", "to", "length", "ended by", "interruption", "outages", "unfenced")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many."""
    parser.add_argument("-n", type=int, default=NEWEST, metavar="N", help=f"the newest N, at most {MOST}")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Print it. Raises AcmdError when neither a daemon nor the shared directory answers."""
    found = past(glance(args.config), max(1, min(args.n, MOST)))
    if args.json:
        print(json.dumps({key: found[key] for key in ("cluster", "epochs", "ignored")}, indent=2))
        return OK
    print("\n".join(page(found)))
    return OK


def page(found: Mapping[str, Any]) -> list[str]:
    """The table, and what it does not know."""
    rows = [_HEADS, *(_row(epoch) for epoch in found["epochs"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [
        "",
        "interruption: without active services before this epoch's were up; outages: while it lasted.",
    ]
    lines.append(f"?: no journal tells; {CLOCKS}.")
    lines += [f"WARN the journal of {node} is not counted: {why}" for node, why in found["ignored"].items()]
    return lines


def _row(epoch: Mapping[str, Any]) -> tuple[str, ...]:
    if epoch["state"] == "unreadable":
        return (str(epoch["epoch"]), "?", "?", "?", "?", f"unreadable: {epoch['reason']}", "?", "?", "")
    lasts = epoch["to_s"] is None
    return (
        str(epoch["epoch"]),
        epoch["holder"] or "-",
        moment(epoch["from_s"]),
        epoch["state"] if lasts else moment(epoch["to_s"]),
        "" if lasts else span(epoch["length_s"]),
        epoch["reason"] or ("" if lasts else "?"),
        span(epoch["interruption_s"]),
        span(epoch["outage_s"]) if epoch["outage_s"] else "",
        " ".join(epoch["unfenced"]),
    )
