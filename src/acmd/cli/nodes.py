"""`acmd nodes`: the nodes of this cluster, as they last said themselves."""

from __future__ import annotations

import argparse
import json
from typing import Any

from acmd.cli import OK
from acmd.cli.client import ask
from acmd.cli.orders import add_json
from acmd.config.glance import glance

_HEADS = ("node", "address", "role", "state", "heard", "version")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask the daemon; list. Raises AcmdError."""
    snapshot = ask(glance(args.config), {"do": "status"})
    rows = [_row(snapshot, node) for node in snapshot["nodes"]]
    if args.json:
        print(json.dumps({"cluster": snapshot["cluster"]["name"], "nodes": rows}))
        return OK
    lines = [_HEADS, *(tuple(str(row[head]) for head in _HEADS) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return OK


def _row(snapshot: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    name, seen_s = node["name"], node["last_seen_s"]
    state = "fit" if node["fit"] else f"unfit: {node['unfit_because']}"
    if name in snapshot["maintenance"]["nodes"]:
        state = "disabled"
    elif node["role"] == "unknown":
        state = f"silent; `acmd forget {name}` if it is gone for good"
    elif node.get("held_down"):
        state = "holds down after failures"
    return {
        "node": name,
        "address": node["address"] or "-",
        "role": node["role"],
        "state": state,
        "heard": "this node" if name == snapshot["node"] else _heard(seen_s),
        "last_seen_s": seen_s,
        "active": name == snapshot["active"],
        "version": node["version"],
    }


def _heard(seen_s: float) -> str:
    return f"{seen_s:.0f} s ago" if seen_s < 3600 else "not lately"
