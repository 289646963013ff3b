"""`acmd events [-n N] [--follow] [--json]`: what happened on this node."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from acmd.cli import OK
from acmd.cli.annals import line
from acmd.cli.client import LOOK_LIMIT_S, NotRunning, ask
from acmd.cli.ending import reader_gone
from acmd.cli.values import positive_count
from acmd.config.glance import Glance, glance
from acmd.errors import AcmdError

NEWEST, MOST = 50, 500
POLL_S = 0.3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, and whether to go on."""
    parser.add_argument(
        "-n",
        type=positive_count,
        default=NEWEST,
        metavar="N",
        help=f"the newest N, else {NEWEST}; at most {MOST}",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what happens, until ^C")
    parser.add_argument("--json", action="store_true", help="for machines: one line an event")


def run(args: argparse.Namespace) -> int:
    """Print them, the newest last. Raises AcmdError when there is no journal to be read."""
    place = glance(args.config)
    shown = _show(_events(place, -1, min(args.n, MOST)), args, (-1, 0.0))
    while args.follow and not reader_gone():
        time.sleep(POLL_S)
        with suppress(AcmdError):  # a daemon that does not answer for once is asked again
            shown = _show(_events(place, shown[0], MOST), args, shown)
    return OK


def _show(
    events: list[dict[str, Any]], args: argparse.Namespace, shown: tuple[int, float]
) -> tuple[int, float]:
    for event in events:
        if event["number"] > shown[0]:
            print(json.dumps(event) if args.json else line(event), flush=True)
            shown = event["number"], event["at_s"]
    return shown


def _events(place: Glance, after: int, newest: int) -> list[dict[str, Any]]:
    """From the daemon; when none runs from the local file."""
    try:
        found: list[dict[str, Any]] = ask(place, {"do": "events", "after": after, "n": newest}, LOOK_LIMIT_S)[
            "events"
        ]
    except NotRunning:
        return own_file(place, after)[-newest:]
    return found


def own_file(place: Glance, after: int = -1) -> list[dict[str, Any]]:
    """The events in this node's journal file. Raises AcmdError when it cannot be read."""
    from acmd.drivers.journal_file import read_newest
    from acmd.history import entries_of

    path = Path(place.state_dir) / "events.jsonl"
    try:
        path.stat()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AcmdError(
            f"the daemon does not run, and {path} cannot be read: {(error.strerror or str(error)).lower()}",
            "use root",
        ) from None
    return [entry.plain() for entry in entries_of(read_newest(path)) if entry.number > after]
