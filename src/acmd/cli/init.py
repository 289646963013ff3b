"""`acmd init`: an empty directory on shared storage becomes a new cluster's, once, from one node."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acmd.cli import OK
from acmd.config.apart import examine_apart, load_apart
from acmd.config.model import Config
from acmd.core.calls import StorageFault
from acmd.core.timing import NS_PER_S, seconds
from acmd.drivers.aside import answers
from acmd.drivers.clock import SystemClock
from acmd.drivers.cluster_directory import ClusterDirectory, ClusterFile
from acmd.drivers.lease_directory import LeaseDirectory
from acmd.errors import AcmdError

LIMIT_S = 60.0
"""For the directory's making, for the look at it, and for all that is written there: nobody's safety waits
for that. Storage that takes 0.1 s for each operation needs 10 s in all."""
TELL_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own: directory, name and timing are in the configuration."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Make it and say so. Raises AcmdError, having changed nothing but perhaps made an empty directory."""
    config = load_apart(args.config)
    directory = config.cluster.directory
    _make_directory(directory)
    with patience(directory):
        problems = examine_apart(config, limit_s=LIMIT_S)
    for problem in problems:
        text = f"{problem.key} = {problem.value}: {problem.what}"
        if not problem.warning:
            raise AcmdError(f"{config.file}: {text}", problem.remedy)
        print(f"WARN  {text}\n      -> {problem.remedy}", file=sys.stderr)
    with patience(directory):
        made = asyncio.run(_initialise(config))
    timing = config.timing
    print(
        f"made cluster {made.name} in {config.cluster.directory}\n"
        f"  id       {made.cluster_id}\n"
        f"  timing   profile {config.profile}: heartbeat {seconds(timing.heartbeat_ns)}, "
        f"lease {seconds(timing.lease_duration_ns)}, takeover wait {seconds(timing.takeover_wait_ns)}; "
        "all nodes must have the same\n"
        f"  next     start acmd on each node (systemctl start acmd), then `acmd status`"
    )
    return OK


@contextmanager
def patience(directory: str) -> Iterator[None]:
    """Says what is waited for when it takes longer than people expect."""
    text = f"{directory} is slow: still waiting for it, for up to {LIMIT_S:g} s"
    timer = threading.Timer(TELL_S, print, [text], {"file": sys.stderr, "flush": True})
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _make_directory(directory: str) -> None:
    """The last part of the path only: a missing parent means that the storage is not mounted."""
    try:
        made = answers(lambda: _make(directory), LIMIT_S)  # it forks now, before there is a thread
        with patience(directory):
            list(made)
    except StorageFault:
        raise AcmdError(
            f"{os.path.dirname(directory)} did not answer within {LIMIT_S:g} s; nothing was made",
            "look at the mount, the network and the file server",
        ) from None


def _make(directory: str) -> Iterator[None]:
    """In the process that may hang."""
    try:
        os.mkdir(directory, 0o750)
    except FileExistsError:
        pass
    except FileNotFoundError:
        above = os.path.dirname(directory)
        raise AcmdError(
            f"{directory} cannot be made: {above} does not exist",
            f"mount the shared storage; if it is mounted, make {above} first, or correct cluster.directory",
        ) from None
    except OSError as error:
        raise AcmdError(
            f"{directory} cannot be made: {(error.strerror or str(error)).lower()}",
            "mount the shared storage and make it writable, or correct cluster.directory",
        ) from None
    yield None


async def _initialise(config: Config) -> ClusterFile:
    directory = config.cluster.directory
    store = LeaseDirectory(Path(directory), config.node.name, round(LIMIT_S * NS_PER_S), SystemClock())
    try:
        cluster = ClusterDirectory(store, directory, config.node.name, LIMIT_S)
        return await cluster.initialise(
            config.cluster.name, config.timing, int(time.time()), config.cluster.tier
        )
    finally:
        await store.close()
