"""Hosts with kernels of their own to play with; Ctrl-C removes everything.

python -m tests.uml [--nfs 3]                     alpha and beta, and their NFS server
"""

from __future__ import annotations

import argparse
import signal
import sys

from tests.hosts.bed import missing_needs
from tests.uml import image
from tests.uml.bed import UmlBed


def main(arguments: list[str]) -> int:
    """Bring them up and run what is typed: `NAME COMMAND`."""
    lack = missing_needs() or image.missing_needs()
    if lack:
        print(lack, file=sys.stderr)
        return 2
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.uml", description=__doc__, formatter_class=raw)
    parser.add_argument("--nfs", choices=("3", "4.2"), default="4.2")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    print("bringing guests up ...", flush=True)
    try:
        with UmlBed(nfs=options.nfs) as bed:
            names = ", ".join(guest.name for guest in bed.guests)
            print(f"up: {names}; type NAME COMMAND, as in: alpha systemctl status", flush=True)
            while True:
                _carry_out(bed, input("> "))
    except (KeyboardInterrupt, EOFError):
        print("\nremoved")
        return 0


def _carry_out(bed: UmlBed, line: str) -> None:
    name, _, command = line.strip().partition(" ")
    if name not in {guest.name for guest in bed.guests}:
        print("which host?")
        return
    try:
        done = bed[name].exec(command, check=False, timeout_s=120)
    except Exception as error:  # noqa: BLE001 - a prompt goes on
        print(error)
    else:
        print(done.stdout + done.stderr, end="")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
