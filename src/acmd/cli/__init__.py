"""What a person types: `main` dispatches, each command is a module of its own.

A command's module has two functions and imports lazily whatever is slow:

    def add_arguments(parser: argparse.ArgumentParser) -> None
    def run(args: argparse.Namespace) -> int      # an exit code; args.config is the file's path

Expected errors are raised as `AcmdError`; `main` prints them and picks the exit code.
"""

from __future__ import annotations

from typing import Final

OK: Final = 0
DEGRADED: Final = 1
"""Degraded, or the command failed."""
NO_ACTIVE_NODE: Final = 2
NOT_RUNNING: Final = 3
"""The daemon is not running on this host."""
USAGE: Final = 64
INTERRUPTED: Final = 130
