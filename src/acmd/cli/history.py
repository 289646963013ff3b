"""`acmd history [-n N] [--json]`: each epoch, who had it, from when to when, why it ended."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from acmd.cli import OK
from acmd.cli.annals import CLOCKS, moment, past, span
from acmd.cli.values import positive_count
from acmd.config.glance import glance

NEWEST, MOST = 20, 100
_HEADS = ("epoch", "holder", "from", "to", "length", "ended by", "gap", "outages", "unfenced")
_SELDOM = ("outages", "unfenced")  # left out where no epoch has any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many."""
    parser.add_argument(
        "-n",
        type=positive_count,
        default=NEWEST,
        metavar="N",
        help=f"the newest N, else {NEWEST}; at most {MOST}",
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Print it. Raises AcmdError when neither a daemon nor the shared directory answers."""
    found = past(glance(args.config), min(args.n, MOST))
    if args.json:
        print(json.dumps({key: found[key] for key in ("cluster", "epochs", "ignored")}, indent=2))
        return OK
    print("\n".join(page(found)))
    return OK


def page(found: Mapping[str, Any]) -> list[str]:
    """The table, on 80 columns where names are short, and what it does not know."""
    rows = [_row(epoch) for epoch in found["epochs"]]
    kept = [at for at, head in enumerate(_HEADS) if head not in _SELDOM or any(row[at] for row in rows)]
    table = [[row[at] for at in kept] for row in (_HEADS, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    said = "gap: without active services before this epoch's were up"
    if "outages" in table[0]:
        said += "; outages: while it lasted"
    if "unfenced" in table[0]:
        said += ";\nunfenced: former holders whose end nobody had confirmed"
    lines += ["", f"{said}.", f"?: no journal tells. {CLOCKS.capitalize()}."]
    lines += [f"WARN the journal of {node} is not counted: {why}" for node, why in found["ignored"].items()]
    return lines


def _row(epoch: Mapping[str, Any]) -> tuple[str, ...]:
    if epoch["state"] == "unreadable":
        return (str(epoch["epoch"]), "?", "?", "?", "?", f"unreadable: {epoch['reason']}", "?", "", "")
    lasts = epoch["to_s"] is None
    return (
        str(epoch["epoch"]),
        epoch["holder"] or "-",
        moment(epoch["from_s"]),
        epoch["state"] if lasts else _until(epoch),
        "" if lasts else span(epoch["length_s"]),
        epoch["reason"] or ("" if lasts else "?"),
        span(epoch["interruption_s"]),
        span(epoch["outage_s"]) if epoch["outage_s"] else "",
        " ".join(epoch["unfenced"]),
    )


def _until(epoch: Mapping[str, Any]) -> str:
    """The end, without what it has in common with the beginning: the day, or the year."""
    begin, end = moment(epoch["from_s"]), moment(epoch["to_s"])
    if begin[:10] == end[:10]:
        return end[11:]
    return end[5:] if begin[:4] == end[:4] else end
