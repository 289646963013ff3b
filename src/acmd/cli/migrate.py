"""`acmd migrate`: from ACM to acmd on this node, and back."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from acmd.cli import DEGRADED, OK
from acmd.cli import init as init_command
from acmd.config.apart import load_apart
from acmd.errors import AcmdError, UsageError
from acmd.migrate import autostart, handover, storage
from acmd.migrate.installation import LINK, Installation, read
from acmd.migrate.originals import Change, Originals
from acmd.migrate.plan import changes, diff

UNIT = "acmd.service"
ADDRESS, SERVICES = "address", "services"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Look, do it, or take it back."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="show every change, make none (the default)")
    what.add_argument("--apply", action="store_true", help="make the changes; may be repeated")
    what.add_argument("--undo", action="store_true", help="put every file back byte for byte")
    parser.add_argument("--root", default="/", metavar="DIR", help="a host that is not booted, below DIR")
    parser.add_argument(
        "--force",
        action="store_true",
        help="the other node's manager is known not to run; with --undo also over files edited since",
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Do it. Raises AcmdError; what was changed until then is kept and goes on with the same command."""
    root = Path(args.root).resolve()
    if args.json and (args.apply or args.undo):
        raise UsageError("migrate: --json shows the plan", "leave it out with --apply and --undo")
    if not args.apply and not args.undo:
        return _plan(args, root)
    if os.geteuid() != 0 and root == Path("/"):
        raise AcmdError("only root may change this host", "run it as root")
    return _undo(args, root) if args.undo else _apply(args, root)


def _plan(args: argparse.Namespace, root: Path) -> int:
    originals = Originals(root)
    found = read(root)
    listed = changes(found, root, args.config)
    off = autostart.starting(root, autostart.units(found.services))
    if args.json:
        rows = [{"path": one.path, "why": one.why, "diff": diff(one, originals)} for one in listed]
        facts = {
            "services": found.services,
            "address": found.address,
            "device_id": found.device_id,
            "storage": found.real,
            "status_age_s": found.status_age_s,
            "profile": found.profile,
            "profile_why": found.profile_why,
            "cluster_initialised": found.initialised,
        }
        print(json.dumps({"found": facts, "changes": rows, "autostart_off": off}, indent=2))
        return OK
    _say(found)
    for one in listed:
        print(diff(one, originals), end="")
    for path in off:
        print(f"autostart off: {path}")
    if not found.initialised:
        print("the cluster's directory is made (`acmd init`)")
    print("nothing was changed; `acmd migrate --apply` does all this")
    return OK


def _say(found: Installation) -> None:
    mount = found.mount
    on = f" on {mount.kind} {mount.source} ({','.join(sorted(mount.options))})" if mount else ""
    print(f"ACM        {LINK} is {found.real}{on}")
    age = found.status_age_s
    fresh = age is not None and age < handover.FRESH_S
    serves = ": ACM serves" if fresh else ""
    print(f"status     {'no status file' if age is None else f'touched {age:.0f} s ago{serves}'}")
    print(f"services   {' '.join(found.services)}")
    if "MYSQL" not in found.services or found.services == ("MYSQL",):
        print("tier       one of two: the other tier has nodes and a shared folder of its own")
    print(f"timing     {found.profile}: {found.profile_why}")
    if not found.lines:
        print("cron       no line starts ACM here")


def _apply(args: argparse.Namespace, root: Path) -> int:
    originals = Originals(root)
    found = read(root)
    address = found.address or originals.notes.get(ADDRESS, "")
    if not address:
        raise AcmdError("no crontab starts ACM here", "without ACM use `acmd setup`")
    originals.note(ADDRESS, address)
    originals.note(SERVICES, list(found.services))
    listed = changes(found, root, args.config)
    cron_files = {line.file for line in found.lines}
    if not found.lines:  # went on after an interruption: the configuration is written already
        listed = [one for one in listed if one.path != args.config]
    _make([one for one in listed if one.path not in cron_files], originals)
    if root == Path("/"):
        load_apart(args.config)
        if not found.initialised:
            init_command.run(args)
    for path in autostart.turn_off(root, autostart.units(found.services), originals):
        print(f"autostart off: {path}")
    _make([one for one in listed if one.path in cron_files], originals)
    if root != Path("/"):
        print("not booted: the cluster's directory and the start of acmd are left to the host itself")
        return OK
    storage.write(handover.mark_path(address), "cron no longer starts ACM there\n")
    return _hand_over(args, address)


def _make(listed: list[Change], originals: Originals) -> None:
    for one in listed:
        if originals.make(one):
            print(f"written: {one.path} ({one.why})")


def _hand_over(args: argparse.Namespace, address: str) -> int:
    if not args.force and not handover.peer_done(address):
        print(
            "acmd is not started here yet: cron still starts ACM on the other node, as far as is known\n"
            "  -> run `acmd migrate --apply` there, then once more here; --force if no ACM can run there"
        )
        return DEGRADED
    if not args.force:
        print(f"watching for {handover.WATCH_S:g} s that ACM has ended on all nodes", flush=True)
        handover.watch(handover.status_touched)
    autostart.systemctl(Path("/"), "try-restart", "rsyslog.service")
    autostart.systemctl(Path("/"), "enable", "--now", UNIT)
    print("acmd runs here; `acmd status` shows the cluster, `acmd check` what is left to do")
    return OK


def _undo(args: argparse.Namespace, root: Path) -> int:
    originals = Originals(root)
    if not originals.begun:
        raise AcmdError("there is nothing to put back on this host", "`acmd migrate` shows what would change")
    edited = originals.changed_since()
    if edited and not args.force:
        raise AcmdError(
            f"{', '.join(edited)} was edited after the migration", "keep a copy, then add --force"
        )
    address = originals.notes.get(ADDRESS, "")
    if root == Path("/"):
        autostart.systemctl(root, "disable", "--now", UNIT)
        storage.write(handover.mark_path(address), "")
        if not args.force and handover.peer_done(address):
            print(
                "acmd is stopped here; ACM's cron line stays out, since the other node is still migrated\n"
                "  -> run `acmd migrate --undo` there, then once more here; --force if no acmd runs there"
            )
            return DEGRADED
    autostart.put_back(root, autostart.units(tuple(originals.notes.get(SERVICES, []))), originals)
    # the crontabs were changed last and are put back last
    for path in list(originals.entries):
        originals.put_back(path)
        print(f"as before: {path}")
    originals.notes.clear()
    originals.save()
    if root == Path("/"):
        autostart.systemctl(root, "daemon-reload")
    return OK
