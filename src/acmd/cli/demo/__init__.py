"""`acmd demo`: two nodes with real processes fail over on this machine, before your eyes. No root."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from acmd.cli import DEGRADED, OK

if TYPE_CHECKING:
    from acmd.cli.demo.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How it is shown; what happens is always the same."""
    parser.add_argument("--plain", action="store_true", help="plain lines, as without a terminal")
    parser.add_argument("--keep", action="store_true", help="leave the temporary directory (logs, leases)")
    parser.add_argument(
        "--short", action="store_true", help="start, switchover and power loss only: half a minute less"
    )


def run(args: argparse.Namespace) -> int:
    """Play it. 1 when two nodes ever answered or a scene did not go as it must; leaves nothing behind."""
    from acmd.cli.demo.direct import direct
    from acmd.cli.demo.screen import Plain

    screen: Screen = Plain()
    if sys.stdout.isatty() and not args.plain:
        from acmd.cli.demo.screen_rich import Rich

        screen = Rich()
    with _ending_by_signals():
        return OK if direct(screen, keep=args.keep, short=args.short) else DEGRADED


@contextlib.contextmanager
def _ending_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as ^C does: everything is cleaned up."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
