"""`acmd timing [--apply]`: leads a change of the cluster's timing; what is unsafe is refused.

The timing stands in cluster.json and in each node's configuration, and a daemon with another one than the
cluster's does not start. So: everything disabled, all daemons ended with `acmd detach`, the new values in
every node's configuration, then `--apply` on one node writes them into cluster.json. A daemon that was
overlooked finds another cluster.json than it started with, and neither renews nor claims any more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acmd.cli import DEGRADED, OK
from acmd.cli.client import NotRunning, ask
from acmd.cli.confirm import add_yes, confirm
from acmd.cli.init import LIMIT_S, patience
from acmd.cli.offline import look
from acmd.cli.orders import add_json, say
from acmd.config.apart import load_apart
from acmd.config.glance import Glance, glance
from acmd.config.model import Config
from acmd.core.calls import StorageFault
from acmd.core.timing import NS_PER_S
from acmd.drivers.clock import SystemClock
from acmd.drivers.cluster_directory import ClusterDirectory, ClusterFile, timing_differences
from acmd.drivers.lease_directory import LeaseDirectory
from acmd.errors import AcmdError

SILENCE_BEATS = 10
"""A node file that did not change for so many heartbeats belongs to no running daemon."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, in order. `done` None: that cannot be seen from here."""

    what: str
    done: bool | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Look, or do it."""
    parser.add_argument(
        "--apply", action="store_true", help="write this node's configured timing into cluster.json"
    )
    add_yes(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Show the steps with what is done of them, or take the decisive one. Raises AcmdError."""
    config, place = load_apart(args.config), glance(args.config)
    cluster, beats = asyncio.run(_with_directory(config, _read))
    changes = timing_differences(cluster.timing, config.timing)
    steps = _steps(place, bool(changes))
    if args.apply:
        return _apply(args, config, cluster, changes, steps, beats)
    _show(args, cluster, changes, steps)
    return OK if not changes else DEGRADED


def _steps(place: Glance, differs: bool) -> list[Step]:
    snapshot = look(place, LIMIT_S)
    fault = snapshot["storage"]["fault"]
    if fault:
        raise AcmdError(f"the shared directory does not answer: {fault}", "look at its mount, then try again")
    lease = snapshot["lease"]
    return [
        Step("`acmd disable --all` on one node", snapshot["maintenance"]["all"] is not None),
        Step(
            "the lease is detached, or nobody holds it",
            lease is not None and lease["state"] in ("detached", "released"),
        ),
        Step("`acmd detach` on every node, this one too", None if _ended_here(place) else False),
        Step("the new values in [timing] of the configuration on every node", differs),
        Step("`acmd timing --apply` on one node", None),
        Step("`systemctl start acmd` on every node, then `acmd enable --all`", None),
    ]


def _ended_here(place: Glance) -> bool:
    try:
        ask(place, {"do": "status"})
    except NotRunning:
        return True
    except AcmdError:
        return False  # it does not answer, but it is there
    return False


def _show(args: argparse.Namespace, cluster: ClusterFile, changes: list[str], steps: list[Step]) -> None:
    if args.json:
        shown = [{"what": step.what, "done": step.done} for step in steps]
        print(json.dumps({"cluster": cluster.name, "differences": changes, "steps": shown}))
        return
    if changes:
        print("\n".join(changes))
    else:
        print("this node's timing is the cluster's; to change it:")
    signs = {True: "done", False: "to do", None: "     "}
    for number, step in enumerate(steps, 1):
        print(f"  {number}. {signs[step.done]:5}  {step.what}")


def _apply(
    args: argparse.Namespace,
    config: Config,
    cluster: ClusterFile,
    changes: list[str],
    steps: list[Step],
    beats: dict[str, Any],
) -> int:
    if not changes:
        raise AcmdError(
            f"the timing in {config.file} is the cluster's already",
            "change [timing] there first, on every node",
        )
    missing = next((step for step in steps[:3] if step.done is False), None)
    if missing is not None:
        raise AcmdError(f"not yet: {missing.what}", "`acmd timing` shows all steps")
    confirm(args, "timing", "\n".join([*changes, "cluster.json gets this node's values."]))
    wait_s = SILENCE_BEATS * max(cluster.timing.heartbeat_ns, config.timing.heartbeat_ns) / NS_PER_S
    say(f"looking for {wait_s:g} s whether a daemon still runs on any node", aside=args.json)
    time.sleep(wait_s)
    again, later = asyncio.run(_with_directory(config, _read))
    living = sorted(name for name, beat in later.items() if beats.get(name) != beat)
    if living:
        raise AcmdError(f"acmd still runs on {', '.join(living)}", "`acmd detach` there, then try again")
    if again.raw != cluster.raw:
        raise AcmdError("cluster.json was changed meanwhile", "look at `acmd timing` again")

    async def write(directory: ClusterDirectory) -> ClusterFile:
        return await directory.set_timing(cluster, config.timing)

    made = asyncio.run(_with_directory(config, write))
    if args.json:
        print(json.dumps({"ok": True, "cluster": made.name, "changed": changes}))
    else:
        print(f"cluster {made.name} has the timing of {config.file}. {steps[-1].what}")
    sys.stdout.flush()
    return OK


async def _read(directory: ClusterDirectory) -> tuple[ClusterFile, dict[str, Any]]:
    """cluster.json, and for each node file what changes while its daemon lives."""
    cluster = await directory.read()
    found = await directory.read_nodes()
    return cluster, {
        name: (content.get("incarnation"), content.get("beat")) for name, content, _ in found if content
    }


async def _with_directory(config: Config, work: Any) -> Any:
    """Work on the shared directory through a worker process with a limit. Raises AcmdError."""
    path = config.cluster.directory
    store = LeaseDirectory(Path(path), config.node.name, round(LIMIT_S * NS_PER_S), SystemClock())
    try:
        with patience(path):
            return await work(ClusterDirectory(store, path, config.node.name, LIMIT_S))
    except StorageFault as failure:
        raise AcmdError(f"{path}: {failure}", "look at the mount and the file server") from None
    finally:
        await store.close()
