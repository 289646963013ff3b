"""`acmd run`: the daemon, in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import os
from importlib import import_module

from acmd.config.apart import load_and_examine_apart
from acmd.config.problems import ConfigRefused
from acmd.errors import AcmdError
from acmd.priority import for_session_of

EXAMINE_LIMIT_S = 2.0
REFUSED = 78
"""Exit code for the unit (EX_CONFIG): in no hurry to start it again, as it is after a crash, which says 1."""


def tell_unit(error: AcmdError) -> None:
    """Give a refusal to start an exit code of its own where PID 1 reads it."""
    if "INVOCATION_ID" in os.environ:
        error.exit_code = REFUSED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own: everything is in the configuration."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Run until told to end. Returns 0 after a release or a hand-over to the next daemon.

    Raises AcmdError for a start that is refused.
    """
    try:
        return _run(args)
    except AcmdError as error:
        tell_unit(error)
        raise


def _run(args: argparse.Namespace) -> int:
    for_session_of()
    config, found = load_and_examine_apart(
        args.config, limit_s=EXAMINE_LIMIT_S, meanwhile=lambda: import_module("acmd.daemon")
    )
    from acmd.daemon import serve

    problems = [p for p in found if not p.warning and not p.unavailable]
    if problems:
        raise ConfigRefused(config.file, problems)
    # Storage that is not there yet is waited for: that must not loop the unit. It is looked at again then.
    return asyncio.run(serve(config, examined=not any(p.unavailable for p in found)))
