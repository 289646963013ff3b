"""`acmctl`: ACM's options and ACM's shape of output, for people and scripts that know those.

Each option is one of acmd's commands; what it does, and what it refuses, is the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acmd import __version__
from acmd.cli import OK, USAGE
from acmd.cli.ending import ended
from acmd.cli.main import Parser
from acmd.cli.main import main as acmd
from acmd.cli.values import file_name, positive_count
from acmd.config.defaults import DEFAULT_FILE, FILE_VARIABLE
from acmd.errors import AcmdError

if TYPE_CHECKING:
    from acmd.config.model import Config
    from acmd.drivers.mysql_dump import Source

KEEP = 7
LIMIT_S = 3600.0
DEFAULT_PORT = 3306
WIDTH = 24
# ACM's option, what acmd calls it, and the line of help.
ORDERS = {
    "s": (("check",), "sanity check: OK, WARN or KO for each point"),
    "d": (("disable", "--reason", "acmctl -d"), "disable on this node; the other one takes over"),
    "e": (("enable", "--reason", "acmctl -e"), "enable on this node"),
    "D": (
        ("disable", "--all", "--reason", "acmctl -D"),
        "disable globally: services stay as they are, nobody takes over",
    ),
    "E": (("enable", "--all", "--reason", "acmctl -E"), "enable globally"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code. Errors are one message on standard error."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return ended("acmctl", lambda: _main(given))


def parser() -> Parser:
    """The options; exactly one of ACM's."""
    made = Parser(
        prog="acmctl",
        description="ACM's command for acmd. `acmd --help` shows what else there is.",
        allow_abbrev=False,
    )
    made.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        type=file_name,
        default=os.environ.get(FILE_VARIABLE) or DEFAULT_FILE,
        help=f"the configuration (else ${FILE_VARIABLE}, else {DEFAULT_FILE})",
    )
    made.add_argument(
        "--keep",
        metavar="N",
        type=positive_count,
        default=KEEP,
        help=f"with -b: backups to keep, else {KEEP}",
    )
    made.add_argument(
        "--limit",
        metavar="S",
        type=positive_count,
        default=LIMIT_S,
        help=f"with -b: seconds it may take, else {LIMIT_S:g}",
    )
    one = made.add_mutually_exclusive_group()
    one.add_argument("-i", dest="info", action="store_true", help="state of this node and of the cluster")
    for letter, (command, text) in ORDERS.items():
        one.add_argument(f"-{letter}", dest="order", action="store_const", const=command, help=text)
    one.add_argument(
        "-b",
        dest="backup",
        metavar="DIR",
        nargs="?",
        const="",
        help="back up MySQL, on the active node only, into a dated directory below DIR "
        "(else `backup` in the state directory)",
    )
    one.add_argument("-v", action="version", version=f"acmctl (acmd {__version__})", help="the version")
    return made


def _main(arguments: list[str]) -> int:
    made = parser()
    try:
        args = made.parse_args(arguments)
    except SystemExit as done:  # argparse has printed -h or -v
        return int(done.code or 0)
    if args.order is not None:
        return acmd(["--config", args.config, *args.order])
    if args.info:
        return _info(args.config)
    if args.backup is not None:
        return _back_up(args.config, args.backup, args.keep, args.limit)
    made.print_help(sys.stderr)
    return USAGE


def _info(file: str) -> int:
    from acmd.cli.advice import exit_code, warnings_of
    from acmd.cli.status import look
    from acmd.config.glance import glance

    snapshot = look(glance(file))
    print("\n".join(info_lines(snapshot, database_host(file))))
    return exit_code(snapshot, warnings_of(snapshot))


def database_host(file: str) -> str:
    """`host:` of database.yml and the file's name; why not, when it cannot be read."""
    from acmd.config.apart import load_apart
    from acmd.drivers.database_yml import read

    try:
        config = load_apart(file)
        named = config.publish if config.publish.enabled else config.database
        found = read(named.file, named.section)
    except AcmdError as error:
        return f"unknown: {error.what}"
    return f"{found.host or 'none'} ({found.file})"


def info_lines(snapshot: dict[str, Any], host: str) -> Iterator[str]:
    """ACM's page: one point a line, then the services, those of every node first."""
    node, active = snapshot["node"], snapshot["active"]
    yield _line("Local hostname", node)
    yield _line("Active node", f"{active} (me)" if active == node else active or "none")
    yield _line("Status of this node", snapshot["role"])
    yield _line("Status file", _lease(snapshot["lease"]))
    maintenance = snapshot["maintenance"]
    yield _line("Disabled globally", _yes(maintenance["all"] is not None))
    yield _line("Disabled on this node", _yes(node in maintenance["nodes"]))
    yield _line("Database host", host)
    own: list[dict[str, Any]] = next(
        (entry["services"] for entry in snapshot["nodes"] if entry["name"] == node), []
    )
    for title, everywhere in (("Active/active services", True), ("Active/passive services", False)):
        yield f"{title}:"
        listed = [service for service in own if (service["runs_on"] != "active") is everywhere]
        for service in listed:
            yield f"  {_line(service['name'], service['state'], WIDTH - 2)}"
        if not listed:
            yield "  none"


def _line(name: str, value: str, width: int = WIDTH) -> str:
    return f"{name + ':':<{width}}{value}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _lease(lease: dict[str, Any] | None) -> str:
    """acmd has no status file; what tells whether the active node lives is its lease."""
    if lease is None:
        return "no lease"
    words = {"held": "current", "detached": "detached, does not expire"}
    age = f" ({lease['age_s']:.1f} s old)" if lease.get("age_s") is not None else ""
    return f"{words.get(lease['state'], lease['state'])}{age}"


def _back_up(file: str, directory: str, keep: int, limit_s: float) -> int:
    from acmd.cli.status import look
    from acmd.config.apart import load_apart
    from acmd.config.glance import glance
    from acmd.drivers.mysql_dump import back_up

    place = glance(file)
    snapshot = look(place)
    if snapshot["active"] != snapshot["node"]:
        active = snapshot["active"]
        raise AcmdError(
            f"this node ({snapshot['node']}) is not the active one: no backup from here",
            f"run it on {active}" if active else "`acmd status` says why no node is active",
        )
    if os.geteuid():
        raise AcmdError("a backup reads the login of MySQL, which is root's", "run it as root")
    source = source_of(load_apart(file))
    made = back_up(source, Path(directory or f"{place.state_dir}/backup"), keep, limit_s)
    print(f"OK   MySQL was backed up to {made} ({made.stat().st_size} bytes, read back)")
    return OK


def source_of(config: Config) -> Source:
    """Where MySQL is and what of it is backed up. Raises AcmdError when the login cannot be read."""
    from acmd.checks.database import login_of
    from acmd.config.credentials import own_login
    from acmd.drivers.database_yml import read
    from acmd.drivers.mysql_dump import Source

    login = login_of(config)
    database = ""
    if own_login(config.database) is None:
        database = read(config.database.file, config.database.section).database
    return Source(
        user=login.user,
        password=login.password,
        host=login.host or "127.0.0.1",
        port=config.database.port or login.port or DEFAULT_PORT,
        socket=login.socket,
        database=database,
    )


if __name__ == "__main__":
    sys.exit(main())
