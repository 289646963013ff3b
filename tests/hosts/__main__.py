"""Two hosts to play with. Ctrl-C removes everything.

python -m tests.hosts [NAME ...]                  bring hosts up (alpha and beta when none is named)
python -m tests.hosts --storage faultfs           the same, with shared storage that can be made to fail
python -m tests.hosts shell NAME [COMMAND ...]    root's shell, or one command, on a host that is up
python -m tests.hosts template                    build the template, or find it in the cache, and stop
python -m tests.hosts clean                       remove what crashed runs left behind
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from typing import NoReturn

from tests.hosts import inside
from tests.hosts.bed import PREFIX, Bed, clean, missing_needs
from tests.hosts.cgroups import Cgroup, unified_root
from tests.hosts.image import build_template

VERBS = ("shell", "template", "clean")


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit code."""
    lack = missing_needs()
    if lack:
        print(lack, file=sys.stderr)
        return 2
    verb = arguments[0] if arguments and arguments[0] in VERBS else "up"
    if verb == "shell":
        return _shell(arguments[1:])
    if verb == "template":
        print("\n".join(str(layer) for layer in build_template().lower))
        return 0
    if verb == "clean":
        print("removed: " + (", ".join(clean()) or "nothing was left"))
        return 0
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__, formatter_class=raw)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--storage", choices=("plain", "faultfs"), default="plain")
    return _up(parser.parse_args(arguments))


def _up(options: argparse.Namespace) -> int:
    # A terminal that is closed, or a `kill`, must remove the hosts as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    started = time.monotonic()
    print("bringing hosts up (the first time takes a minute: their template is built) ...", flush=True)
    try:
        with Bed(options.names or ["alpha", "beta"], storage=options.storage) as bed:
            took_s = time.monotonic() - started
            print(f"up after {took_s:.1f} s; /shared is {bed.shared}; no address leaves this machine")
            for host in bed.hosts:
                print(f"  {host.name}  {host.address}   {sys.executable} -m tests.hosts shell {host.name}")
            outside = " ".join(bed.network.client_command(["ping", bed.hosts[0].address]))
            print(f"a client outside of the hosts: {outside}")
            print("Ctrl-C removes everything", flush=True)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        print("\nremoved")
        return 0


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _shell(words: list[str]) -> int:
    if not words:
        print("shell on which host?", file=sys.stderr)
        return 2
    name, command = words[0], words[1:] or ["bash", "-l"]
    found = sorted(unified_root().glob(f"{PREFIX}*/{name}.host"))
    if len(found) != 1:
        print(f"{len(found)} hosts named {name} are up: {', '.join(map(str, found)) or '-'}", file=sys.stderr)
        return 2
    group = Cgroup(str(found[0].relative_to(unified_root())))
    line = inside.command_line(name, group, command, {"PS1": f"{name}# "})
    os.execvp(line[0], line)  # noqa: S606 - becomes the shell that was asked for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
