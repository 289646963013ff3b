"""`acmd config check|show|defaults|schema`: what the configuration is, and whether it is right."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from acmd.cli import DEGRADED, OK
from acmd.cli.values import file_name

if TYPE_CHECKING:
    from acmd.config.problems import Problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The four things that can be asked."""
    actions = parser.add_subparsers(dest="action", metavar="check|show|defaults|schema", required=True)
    check = actions.add_parser("check", help="look for mistakes in the file and in the cluster's directory")
    show = actions.add_parser("show", help="every value that holds, and where it comes from; secrets masked")
    defaults = actions.add_parser("defaults", help="a file with every option in a comment")
    schema = actions.add_parser("schema", help="the JSON Schema of the file")
    for action in (check, show, defaults, schema):  # here too, as with every other command
        action.add_argument(
            "-c",
            "--config",
            metavar="FILE",
            type=file_name,
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )
    for action in (check, show):
        action.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Print it. Raises ConfigRefused from `show` when there is nothing that holds."""
    if args.action == "check":
        return _check(args.config, as_json=args.json)
    if args.action == "show":
        return _show(args.config, as_json=args.json)
    from acmd.config.manual import commented_file, json_schema

    sys.stdout.write(commented_file() if args.action == "defaults" else json_schema())
    return OK


def _check(file: str, *, as_json: bool) -> int:
    from acmd.config.apart import examine_apart
    from acmd.config.host import this_host
    from acmd.config.load import load
    from acmd.config.problems import ConfigRefused

    try:
        config = load(file, host=this_host())
    except ConfigRefused as refused:
        problems: list[Problem] = list(refused.problems)
    else:
        problems = examine_apart(config)
    mistakes = [problem for problem in problems if not problem.warning]
    if as_json:
        report = {"file": file, "ok": not mistakes, "problems": [problem.plain() for problem in problems]}
        print(json.dumps(report, indent=2))
    else:
        for problem in problems:
            print(f"{'WARN' if problem.warning else 'KO  '} {problem.text(file)}")
        if not mistakes:
            print(f"OK   {file}")
    return DEGRADED if mistakes else OK


def _show(file: str, *, as_json: bool) -> int:
    from acmd.config.host import this_host
    from acmd.config.load import load_with_origins
    from acmd.config.show import as_plain, as_text

    loaded = load_with_origins(file, host=this_host())
    sys.stdout.write(json.dumps(as_plain(loaded), indent=2) + "\n" if as_json else as_text(loaded))
    return OK
