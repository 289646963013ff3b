"""Before the first beat: which cluster this is, and whether this node may take part in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from acmd.config.agreement import configured_tier_mismatch, configured_timing_mismatch
from acmd.config.apart import examine_apart
from acmd.config.model import Config
from acmd.config.problems import ConfigRefused
from acmd.core.calls import Fault, StorageFault
from acmd.core.timing import NS_PER_S
from acmd.drivers.cluster_directory import ClusterDirectory, ClusterFile, cluster_file
from acmd.drivers.run_store import FileRunStore
from acmd.errors import ConfigError
from acmd.ports import Notifier

CLUSTER_COPY = "cluster.json"


async def join(
    config: Config,
    documents: ClusterDirectory,
    notifier: Notifier,
    told_to_leave: Callable[[], bool],
    log: Callable[..., None],
    examined: bool,
) -> ClusterFile | None:
    """cluster.json from the storage, or the copy kept from an earlier start while it does not answer.

    Waits as long as neither is there: storage that is down at boot must not loop the unit.
    None: told to leave meanwhile. Raises AcmdError for a cluster that this node must not join.
    """
    copy = Path(config.state_dir) / CLUSTER_COPY
    fault = ""
    while not told_to_leave():
        try:
            raw = await documents.read_raw()
            cluster = _understand(config, raw)
            if not examined:
                await _examine(config)
            _keep_copy(copy, raw)
            return cluster
        except StorageFault as failure:
            if failure.fault is Fault.DENIED and not examined:
                await _examine(config)  # a link in its place is not waited for
            if copy.is_file():
                log("storage-fault", level="warning", fault=failure.fault, detail=failure.detail)
                return _understand(config, copy.read_bytes())
            if fault != failure.fault:
                fault = failure.fault
                log(
                    "waiting-for-storage",
                    level="warning",
                    directory=config.cluster.directory,
                    fault=fault,
                    detail=failure.detail,
                    remedy="mount the shared storage; for a new cluster run `acmd init` once",
                )
            notifier.ready()
            notifier.status(
                f"waiting for {config.cluster.directory}: {failure.fault.value}; "
                "this node cannot become active meanwhile"
            )
            notifier.alive()
        await asyncio.sleep(config.timing.heartbeat_ns / NS_PER_S)
    return None


async def _examine(config: Config) -> None:
    """Links, modes and device of a directory that did not answer at first. Raises ConfigRefused."""
    found = await asyncio.to_thread(examine_apart, config)
    problems = [p for p in found if not p.warning and not p.unavailable]
    if problems:
        raise ConfigRefused(config.file, problems)


def check_history(config: Config, cluster: ClusterFile, runs: FileRunStore) -> None:
    """A directory of another cluster than this node was part of before is refused. Raises ConfigError."""
    known = runs.known_cluster()
    if known and known != cluster.cluster_id:
        raise ConfigError(
            f"{config.cluster.directory} belongs to cluster {cluster.cluster_id}, but this node was "
            f"part of cluster {known} until now ({config.state_dir}/highest); it does not start",
            "mount the right storage; if the cluster was made anew on purpose, remove "
            f"{config.state_dir} on every node while acmd is stopped",
        )
    runs.use_cluster(cluster.cluster_id)


def _understand(config: Config, raw: bytes) -> ClusterFile:
    """Refuse a file that is not one, another cluster's name, or another timing than configured."""
    cluster = cluster_file(raw)
    mismatch = configured_timing_mismatch(config, cluster.timing)
    mismatch = mismatch or configured_tier_mismatch(config, cluster.tier)
    if mismatch is not None:
        raise mismatch
    if cluster.name != config.cluster.name:
        raise ConfigError(
            f"{config.cluster.directory}/cluster.json belongs to cluster {cluster.name!r}, but "
            f"{config.file} says cluster.name = {config.cluster.name!r}; this node does not start",
            "give each cluster a directory of its own, or correct the name",
        )
    return cluster


def _keep_copy(path: Path, raw: bytes) -> None:
    """So that a running cluster's node can restart while the storage does not answer."""
    try:
        if path.is_file() and path.read_bytes() == raw:
            return
        new = path.with_suffix(".new")
        new.write_bytes(raw)
        new.replace(path)
    except OSError:
        return  # without the copy the next start waits for the storage
