"""The status page in a terminal. Only imported there: rich is the slowest part of `acmd status`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from acmd.cli import NOT_RUNNING
from acmd.cli.advice import ALARM, NOTE, WARN, exit_code, warnings_of
from acmd.display.page import COLUMNS, SERVICE_COLUMNS, facts, node_rows, service_rows
from acmd.errors import AcmdError

_LEVELS = {ALARM: "bold white on red", WARN: "black on yellow", NOTE: "cyan"}
ROLES = {
    "active": "bold green",
    "passive": "blue",
    "claiming": "yellow",
    "promoting": "yellow",
    "giving-up": "yellow",
    "demoting": "bold red",
    "killing": "bold red",
    "detached": "magenta",
    "reattaching": "magenta",
    "unknown": "red",
    "not-running": "red",
}
SERVICES = {"running": "green", "failed": "bold red", "stopped": "dim"}


def page(snapshot: dict[str, Any]) -> Group:
    """The whole page."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    for label, sentence in facts(snapshot):
        grid.add_row(label, Text(sentence))
    return Group(_warnings(snapshot), grid, _nodes(snapshot), _services(snapshot))


def _warnings(snapshot: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    for warning in warnings_of(snapshot):
        table.add_row(Text(f" {warning.level:<5} ", _LEVELS[warning.level]), Text(warning.what))
        if warning.remedy:
            table.add_row("", Text(f"→ {warning.remedy}", "dim"))
    return table


def _nodes(snapshot: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column)
    for name, role, *rest in node_rows(snapshot):
        table.add_row(Text(name, "bold"), Text(role, ROLES.get(role, "yellow")), *map(Text, rest))
    return table


def _services(snapshot: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in SERVICE_COLUMNS:
        table.add_column(column)
    for name, node, runs_on, state, *rest in service_rows(snapshot):
        style = SERVICES.get(state, "yellow")
        table.add_row(Text(name, "bold"), node, runs_on, Text(state, style), *map(Text, rest))
    return table


def show(snapshot: dict[str, Any]) -> None:
    """Print it once."""
    Console(highlight=False).print(page(snapshot))


def watch(look: Callable[[], dict[str, Any]], every_s: float) -> int:
    """Show it again and again until ^C. Returns the exit code of the last look that was answered."""
    code = NOT_RUNNING
    with Live(Text(""), console=Console(highlight=False), auto_refresh=False, screen=False) as live:
        try:
            while True:
                try:
                    snapshot = look()
                except AcmdError as error:  # it may be back at the next look
                    live.update(Text(str(error), "bold red"), refresh=True)
                else:
                    code = exit_code(snapshot, warnings_of(snapshot))
                    live.update(page(snapshot), refresh=True)
                time.sleep(every_s)
        except KeyboardInterrupt:
            return code
