"""`acmd setup`: the first configuration of a host without ACM, asked for or given by options."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

from acmd.cli import OK, proposals
from acmd.config.apart import load_apart
from acmd.config.defaults import DEFAULT_DIRECTORY, default_node_name
from acmd.config.presets import PRESETS
from acmd.config.problems import ConfigRefused, toml
from acmd.core.timing import PROFILES
from acmd.errors import AcmdError, UsageError
from acmd.migrate.originals import replace

MODE = 0o640


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Each answer as an option; what is missing is asked for on a terminal."""
    parser.add_argument("--name", help="of this node (else the host's name)")
    parser.add_argument("--address", help="this host's own IP address")
    parser.add_argument("--directory", help=f"on shared storage (else as found, or {DEFAULT_DIRECTORY})")
    parser.add_argument("--device-id", metavar="N", help="of that storage, to be checked; - for none")
    parser.add_argument("--services", metavar="A,B", help=f"presets out of {', '.join(PRESETS)}; - for none")
    parser.add_argument("--profile", choices=sorted(PROFILES), help="timing (else standard)")
    parser.add_argument("--init", action="store_true", help="make the cluster too: once, on one node")
    parser.add_argument("--yes", action="store_true", help="take what is proposed, ask nothing")
    parser.add_argument("--force", action="store_true", help="replace a configuration; the old one is kept")
    parser.add_argument("--no-check", action="store_true", help="do not run `acmd check` at the end")


def run(args: argparse.Namespace) -> int:
    """Write it, load it, check it. Raises AcmdError; a configuration that is refused is not left behind."""
    file = Path(args.config)
    if file.exists() and not args.force:
        raise AcmdError(f"{file} is there already", "edit it, or add --force; the old one is kept then")
    if not args.yes and not sys.stdin.isatty():
        raise UsageError("setup: nobody can answer here", "add --yes, with options for what is not proposed")
    text = _text(args)
    _put(file, text)
    print(f"written: {file}")
    if args.init:
        from acmd.cli import init

        init.run(args)
    if args.no_check:
        return OK
    from acmd.cli.main import main

    return main(["--config", args.config, "check"])


def _text(args: argparse.Namespace) -> str:
    offered = proposals.addresses()
    if args.yes and args.address is None and len(offered) > 1:
        raise UsageError(
            f"setup: this host has several addresses: {', '.join(offered)}", "name one: --address"
        )
    shown = ", ".join(f"{address} on {interface}" for address, interface in offered.items())
    name = _answer(args, "name", default_node_name(socket.gethostname()), "name of this node")
    address = _answer(args, "address", next(iter(offered), ""), f"own address ({shown or 'none found'})")
    seen = ", ".join(f"{one.point} is {one.kind} of {one.source}" for one in proposals.shared_mounts())
    directory = _answer(
        args, "directory", proposals.directory(), f"directory on shared storage ({seen or 'none mounted'})"
    )
    device = _device(args, directory)
    services = _answer(
        args, "services", ",".join(proposals.services()), f"services of {', '.join(PRESETS)}, - for none"
    )
    profile = _answer(args, "profile", "standard", f"timing of {', '.join(PROFILES)}")
    names = [one.strip().upper() for one in services.split(",") if one.strip() not in {"", "-"}]
    return (
        "# Written by `acmd setup`. `acmd config defaults` prints every option.\n"
        f"services = {toml(names)}\n\n"
        f"[cluster]\ndirectory = {toml(directory)}\n"
        + (f"device_id = {device}\n" if device else "")
        + f"\n[node]\nname = {toml(name)}\naddress = {toml(address)}\n\n"
        f"[timing]\nprofile = {toml(profile)}\n"
    )


def _device(args: argparse.Namespace, directory: str) -> str:
    """The device id to be checked; empty for none. A root file system is none that is shared."""
    found = proposals.storage(directory)
    if found is None or found.device_id is None:
        proposed, now = "", "not known, since no storage is mounted there or it does not answer"
    else:
        proposed = str(found.device_id) if found.keeps_its_id else ""
        now = f"{found.device_id} now, on {found.mount.point}"
        now += "" if proposed else "; NFS can get another one at a reboot"
    answer = _answer(args, "device_id", proposed, f"device id to be checked ({now}), - for none")
    if answer in {"", "-"}:
        return ""
    if not (answer.isascii() and answer.isdigit()):
        raise UsageError(f"setup: {answer!r} is no device id", "say what `stat -c %d DIRECTORY` prints")
    return answer


def _answer(args: argparse.Namespace, key: str, proposed: str, question: str) -> str:
    given = getattr(args, key)
    if given is not None:
        return str(given)
    if args.yes:
        return proposed
    try:
        return input(f"{question} [{proposed}]: ").strip() or proposed
    except EOFError:
        raise UsageError("setup: no more answers; nothing was written", "run it again") from None


def _put(file: Path, text: str) -> None:
    """A draft is loaded first: what is refused never takes the configuration's place."""
    draft = file.with_name(f"{file.name}.draft")
    user, group = os.geteuid(), os.getegid()
    replace(draft, text.encode(), MODE, user, group)
    try:
        load_apart(str(draft))
    except ConfigRefused as refused:
        said = "; ".join(f"{problem.key} = {problem.value}: {problem.what}" for problem in refused.problems)
        remedies = "; ".join(problem.remedy for problem in refused.problems)
        raise AcmdError(f"nothing was written, since it would be refused: {said}", remedies) from None
    finally:
        draft.unlink()
    if file.exists():
        replace(file.with_name(f"{file.name}.old"), file.read_bytes(), MODE, user, group)
        print(f"kept: {file}.old")
    replace(file, text.encode(), MODE, user, group)
