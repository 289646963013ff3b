"""Questions before what cannot be taken back: asked on a terminal only; elsewhere `--yes` is needed."""

from __future__ import annotations

import argparse
import sys

from acmd.errors import AcmdError, UsageError


def add_yes(parser: argparse.ArgumentParser, when: str = "needed without a terminal") -> None:
    """--yes."""
    parser.add_argument("--yes", action="store_true", help=f"do not ask; {when}")


def confirm(
    args: argparse.Namespace, command: str, question: str, typed: str = "yes", *, always: bool = True
) -> None:
    """Go on only when the person types `typed`. Raises AcmdError for a no.

    Without a terminal: UsageError, unless not `always`, for what harms nothing in a script.
    """
    if args.yes or not (always or sys.stdin.isatty()):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{command}: there is no terminal to ask on", "add --yes if you are sure")
    print(f"{question}\nType {typed!r} to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != typed:
        raise AcmdError("nothing was done", f"type {typed!r} exactly, if that is meant")
