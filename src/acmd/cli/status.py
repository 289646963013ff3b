"""`acmd status [--json] [--watch]`: who is active, since when and why; warnings first."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from acmd.cli import OK
from acmd.cli.advice import exit_code, warnings_of
from acmd.cli.client import LOOK_LIMIT_S, NotRunning, ask
from acmd.config.glance import Glance, glance
from acmd.display.document import document
from acmd.errors import AcmdError

WATCH_EVERY_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """For machines, or again and again."""
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of --json and end")
    parser.add_argument("--json", action="store_true", help="for machines; with --watch one line each time")
    parser.add_argument("--watch", action="store_true", help="until ^C")


def run(args: argparse.Namespace) -> int:
    """Print it. 0 fine, 1 degraded, 2 no active node, 3 the daemon is not running."""
    if args.schema:
        from acmd.display.schema import json_schema

        print(json.dumps(json_schema(), indent=2))
        return OK
    place = glance(args.config)
    if not args.watch:
        try:
            snapshot = look(place)
        except AcmdError as error:
            if args.json:  # whoever reads it finds JSON there, whatever happens
                print(_as_json(error))
            raise
        if args.json:
            print(json.dumps(document(snapshot), indent=2))
        elif sys.stdout.isatty():
            from acmd.cli.status_rich import show

            show(snapshot)
        else:
            print(plain(snapshot))
        return exit_code(snapshot, warnings_of(snapshot))
    if sys.stdout.isatty() and not args.json:
        from acmd.cli.status_rich import watch

        return watch(lambda: look(place), WATCH_EVERY_S)
    return _watch_plainly(place, as_json=args.json)


def look(place: Glance) -> dict[str, Any]:
    """What the daemon says; without one, what the shared directory says. Raises AcmdError."""
    try:
        return ask(place, {"do": "status"}, LOOK_LIMIT_S)
    except NotRunning:
        from acmd.cli.offline import look as look_at_directory

        return look_at_directory(place)


def plain(snapshot: dict[str, Any]) -> str:
    """The whole page without colours."""
    from acmd.display.page import lines

    return "\n".join(lines(snapshot))


def _as_json(error: AcmdError) -> str:
    return json.dumps({"error": error.what, "remedy": error.remedy})


def _watch_plainly(place: Glance, *, as_json: bool) -> int:
    while True:
        try:
            snapshot = look(place)
        except AcmdError as error:  # it may be back at the next look
            print(_as_json(error) if as_json else error, flush=True)
        else:
            print(json.dumps(document(snapshot)) if as_json else f"{plain(snapshot)}\n", flush=True)
        time.sleep(WATCH_EVERY_S)
