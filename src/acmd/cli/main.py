"""The command `acmd`: finds the command's module, runs it, turns errors into messages and exit codes.

Only the module of the command that was asked for is imported: `acmd status` has 300 ms in all.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn, Protocol, cast

from acmd import __version__
from acmd.cli.ending import ended
from acmd.cli.values import file_name
from acmd.config.defaults import DEFAULT_FILE, FILE_VARIABLE
from acmd.errors import AcmdError, UsageError

# In the order of the help text: name, module, one line of help.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "status": ("acmd.cli.status", "who is active, since when, and why"),
    "switchover": ("acmd.cli.switchover", "hand the active role over to another node"),
    "disable": ("acmd.cli.disable", "maintenance: this node, another one, or all stop acting"),
    "enable": ("acmd.cli.enable", "end of maintenance"),
    "history": ("acmd.cli.history", "each epoch: who was active, from when to when, why it ended"),
    "events": ("acmd.cli.events", "what happened on this node; --follow goes on"),
    "logs": ("acmd.cli.logs", "the events of all nodes, in order"),
    "report": ("acmd.cli.report", "pack into one archive what support needs"),
    "check": ("acmd.cli.check", "the sanity check: what is wrong on this host, and what to do about it"),
    "detach": ("acmd.cli.detach", "disable all, then end the daemon here; services stay"),
    "service": ("acmd.cli.service", "stop, start, restart, pause or resume one service here"),
    "nodes": ("acmd.cli.nodes", "the nodes of the cluster"),
    "forget": ("acmd.cli.forget", "a node that is gone for good leaves the list"),
    "fence": ("acmd.cli.fence", "have the fence agent power a host off"),
    "confirm-off": ("acmd.cli.confirm_off", "state that a host is off"),
    "clear-hold-down": ("acmd.cli.clear_hold_down", "a node that gave up may be active again"),
    "interlock": ("acmd.cli.interlock", "override what blocks a takeover"),
    "timing": ("acmd.cli.timing", "change the cluster's timing, step by step"),
    "config": ("acmd.cli.config", "check, show and describe the configuration"),
    "init": ("acmd.cli.init", "make a new cluster in its directory on shared storage"),
    "migrate": ("acmd.cli.migrate", "from ACM to acmd on this node, and back"),
    "setup": ("acmd.cli.setup", "the first configuration of a host without ACM"),
    "run": ("acmd.cli.run", "the daemon, in the foreground"),
    "guard": ("acmd.cli.guard_unit", "the guard, for its unit"),
    "demo": ("acmd.cli.demo", "two nodes on this machine fail over before your eyes"),
}

_EXIT_CODES = "exit codes: 0 fine, 1 degraded or failed, 2 no active node, 3 daemon not running, 64 usage"


class Command(Protocol):
    """What a command's module has."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Describe the command's own arguments."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it. Returns an exit code; raises AcmdError for what is expected to go wrong."""
        ...


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError instead of ending the process; commands' own sub-parsers too."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        command = self.prog.partition(" ")[2]  # the program's own name is said before each error
        raise UsageError(f"{command}: {message}" if command else message, f"`{self.prog} --help` says more")


def main(arguments: Sequence[str] | None = None, commands: Mapping[str, tuple[str, str]] = COMMANDS) -> int:
    """Run a command line and return its exit code. Errors are one message on standard error."""
    return ended("acmd", lambda: _main(sys.argv[1:] if arguments is None else list(arguments), commands))


def _main(arguments: list[str], commands: Mapping[str, tuple[str, str]]) -> int:
    at = _command_at(arguments)
    top = _top_parser(commands)
    try:
        general = top.parse_args(arguments[:at])
        if at == len(arguments):
            top.error("which command?")
        name = arguments[at]
        if name not in commands:
            top.error(f"there is no command {name!r}{_nearest(name, commands)}")
        command, parser = command_parser(name, commands, general.config)
        args = parser.parse_args(arguments[at + 1 :])
    except SystemExit as done:  # argparse has printed --help or --version
        return int(done.code or 0)
    try:
        return command.run(args)
    except AcmdError as error:
        # `status` has said so already; who misuses a command reads what is written for people.
        if getattr(args, "json", False) and name != "status" and not isinstance(error, UsageError):
            print(json.dumps({"error": error.what, "remedy": error.remedy}))
        raise


def command_parser(
    name: str, commands: Mapping[str, tuple[str, str]] = COMMANDS, config: str = DEFAULT_FILE
) -> tuple[Command, Parser]:
    """A command's module and the parser of its arguments; manuals and completions are made of these."""
    module, help_line = commands[name]
    command = cast(Command, importlib.import_module(module))
    parser = Parser(prog=f"acmd {name}", description=help_line, epilog=_EXIT_CODES, allow_abbrev=False)
    _add_config(parser, default=config)
    command.add_arguments(parser)
    return command, parser


def _command_at(arguments: list[str]) -> int:
    """The index of the first word that is neither a general option nor its value."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if arguments[at] in {"-c", "--config"} else 1
    return min(at, len(arguments))


def _top_parser(commands: Mapping[str, tuple[str, str]]) -> Parser:
    width = max(map(len, commands), default=0)
    listing = "\n".join(f"  {name:<{width}}  {help_line}" for name, (_, help_line) in commands.items())
    parser = Parser(
        prog="acmd",
        usage="acmd [--config FILE] COMMAND ...",
        description="One active node out of several, decided on a shared directory.",
        epilog=f"commands:\n{listing}\n\n`acmd COMMAND --help` says more.\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"acmd {__version__}")
    _add_config(parser, default=os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)
    return parser


def _add_config(parser: Parser, default: str) -> None:
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        type=file_name,
        default=default,
        help=f"the configuration (else ${FILE_VARIABLE}, else {DEFAULT_FILE})",
    )


def _nearest(name: str, commands: Mapping[str, tuple[str, str]]) -> str:
    import difflib

    near = difflib.get_close_matches(name, commands, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


if __name__ == "__main__":
    sys.exit(main())
