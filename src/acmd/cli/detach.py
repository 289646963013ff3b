"""`acmd detach`: the cluster is disabled, then this node's daemon ends and its services stay as they are."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from acmd.cli.client import NotRunning, Refused, ask, snapshots
from acmd.cli.confirm import add_yes, confirm
from acmd.cli.disable import add_timeout, detached
from acmd.cli.orders import add_json, done, follow, gave_up, say
from acmd.cli.values import reason
from acmd.config.glance import Glance, glance
from acmd.errors import AcmdError

END_S = 10.0
QUESTION = """This disables the whole cluster and ends acmd's daemon on this node. Services stay as they are;
nobody watches them, and nobody takes over until acmd is started again and `acmd enable --all` is given.
(`acmd disable --all` alone keeps the daemon, which shows the state and ends the maintenance in time.)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Why, and how long to wait."""
    parser.add_argument(
        "--reason", metavar="TEXT", type=reason, default="", help="shown in status while it lasts"
    )
    parser.add_argument(
        "--no-disable", action="store_true", help="refuse unless the cluster is disabled already"
    )
    add_timeout(parser)
    add_yes(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Disable all, wait until the lease is detached, then end the daemon. Raises AcmdError."""
    place = glance(args.config)
    began = time.monotonic()
    known = ask(place, {"do": "status"})
    confirm(args, "detach", QUESTION)
    if known["maintenance"]["all"] is None and not args.no_disable:
        ask(place, {"do": "disable", "all": True, "reason": args.reason})
        say("disabling the whole cluster", aside=args.json)
    if not args.no_disable and follow(place, detached, began, args.timeout, aside=args.json) is None:
        return gave_up(place, args, "that", "the cluster stays disabled; the daemon runs on")
    answer = _ask_to_end(place, args, began)
    _wait_for_its_end(place, answer["pid"])
    text = (
        f"acmd has ended on {answer['node']}; its services are as they were, and nobody takes over. "
        "Start it again (systemctl start acmd), then `acmd enable --all`"
    )
    return done(text, answer if args.json else None)


def _ask_to_end(place: Glance, args: argparse.Namespace, began: float) -> dict[str, Any]:
    """The daemon's consent; its guard may take a moment to be disarmed. Raises AcmdError."""
    while True:
        try:
            return ask(place, {"do": "detach", "reason": args.reason})
        except Refused:
            if args.no_disable or time.monotonic() - began > args.timeout:
                raise
            time.sleep(0.2)


def _wait_for_its_end(place: Glance, pid: int) -> None:
    until = time.monotonic() + END_S
    try:
        for _ in snapshots(place, END_S):
            pass
    except NotRunning:
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
            time.sleep(0.02)
        return
    raise AcmdError(
        f"the daemon consented, and still runs after {END_S:g} s",
        "was it started again at once? Its unit needs RestartPreventExitStatus=4; `systemctl cat acmd`",
    )
