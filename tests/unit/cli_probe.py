"""A command for testing the dispatcher."""

from __future__ import annotations

import argparse

from acmd.errors import AcmdError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--say", default="")
    parser.add_argument("--code", type=int, default=0)
    parser.add_argument("--fail", action="store_true")
    parser.add_argument("--interrupt", action="store_true")


def run(args: argparse.Namespace) -> int:
    if args.fail:
        raise AcmdError("it is broken", "mend it")
    if args.interrupt:
        raise KeyboardInterrupt
    print(args.config, args.say)
    return int(args.code)
