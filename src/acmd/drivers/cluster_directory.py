"""The shared directory beside the lease: `init`, `cluster.json`, node files, commands, housekeeping.

All of it runs in the *board*, a worker process of its own with a limit for each job: whatever it
waits for, neither the daemon nor the lease does. Nothing here matters for safety. Files written
by others are looked at with suspicion: each comes back as a `Document` with its content or a defect.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from acmd.core.board import DOCUMENT_LIMIT
from acmd.core.calls import CLUSTER_FILE_LIMIT, Fault, StorageFault
from acmd.core.lease import LeaseState, Record, encode
from acmd.core.timing import NS_PER_MS, NS_PER_S, Timing
from acmd.errors import AcmdError
from acmd.ports import Control, Document

FORMAT = 1
_TIMING_NS = tuple(name for name in Timing.__slots__ if name.endswith("_ns"))


class ClusterDirectoryError(AcmdError):
    """The cluster directory cannot be used; nothing was changed unless `what` says so."""


class JobRunner(Protocol):
    """Runs the procedures of `core.board` in a worker process (`drivers.lease_directory` does)."""

    async def run_job(self, name: str, arguments: list[Any], limit_s: float) -> Any:
        """The procedure's result, bytes as Latin-1 strings. Raises StorageFault."""
        ...


@dataclass(frozen=True, slots=True)
class ClusterFile:
    """What `cluster.json` says; `raw` are its very bytes, which must not change underneath a daemon."""

    cluster_id: str
    name: str
    tier: str
    timing: Timing
    created_at: int
    raw: bytes


class ClusterDirectory:
    """Jobs on the directory that `runner` works in. `limit_s` bounds each; they run one at a time."""

    def __init__(self, runner: JobRunner, path: str, node: str, limit_s: float, cluster_id: str = "") -> None:
        if not node or "/" in node or node.startswith("."):
            raise ClusterDirectoryError(
                f"{node!r} cannot be a node's name", "use the host's name: letters, digits, dots and dashes"
            )
        self._runner = runner
        self._path = path
        self._node = node
        self._limit_s = limit_s
        self._cluster_id = cluster_id
        self._control = Control(-1, Document("", None))

    async def _run(self, job: str, *arguments: Any) -> Any:
        return await self._runner.run_job(job, list(arguments), self._limit_s)

    # -- the cluster itself -------------------------------------------------------------------

    async def initialise(self, name: str, timing: Timing, created_at: int, tier: str = "") -> ClusterFile:
        """Make an empty directory a cluster's: `cluster.json`, the directories, epoch 0 as released.

        Raises ClusterDirectoryError when it is one already, is not empty, or storage fails. A crash
        at any point leaves a directory that can be initialised again, or one that works.
        """
        cluster_id = str(uuid.uuid4())
        wire: dict[str, Any] = {"v": FORMAT, "id": cluster_id, "name": name, "tier": tier}
        wire |= {"created_at": created_at, "timing": _timing_to_wire(timing)}
        raw = json.dumps(wire, indent=2).encode("ascii") + b"\n"
        duration_ms = timing.lease_duration_ns // NS_PER_MS
        first = Record(
            cluster_id,
            0,
            0,
            "",
            "",
            "",
            "",
            "",
            duration_ms,
            LeaseState.RELEASED,
            "init",
            written_at=created_at,
        )
        try:
            await self._run("initialise", raw.decode(), encode(first).decode(), uuid.uuid4().hex)
        except StorageFault as failure:
            if failure.fault is Fault.EXISTS:
                found = await self.read()
                raise ClusterDirectoryError(
                    f"{self._path} already belongs to the cluster {found.name!r} ({found.cluster_id}"
                    + (f", tier {found.tier!r})" if found.tier else ")"),
                    "to join it start acmd with this directory; for another cluster take another directory",
                ) from None
            raise self._refused("initialise", failure) from None
        self._cluster_id = cluster_id
        return cluster_file(raw)

    async def read(self) -> ClusterFile:
        """What `cluster.json` says now. Raises ClusterDirectoryError."""
        try:
            raw = await self.read_raw()
        except StorageFault as failure:
            raise self._refused("read", failure) from None
        found = cluster_file(raw)
        self._cluster_id = found.cluster_id
        return found

    async def read_raw(self) -> bytes:
        """The very bytes of `cluster.json`. Raises StorageFault."""
        return str(await self._run("read_cluster")).encode("latin-1")

    async def set_timing(self, found: ClusterFile, timing: Timing) -> ClusterFile:
        """Give the cluster other timing, unless cluster.json is not the one `found` any more.

        Nobody may run then. Raises ClusterDirectoryError.
        """
        wire = json.loads(found.raw) | {"timing": _timing_to_wire(timing)}
        raw = json.dumps(wire, indent=2).encode("ascii") + b"\n"
        try:
            await self._run("replace_cluster", found.raw.decode("latin-1"), raw.decode(), uuid.uuid4().hex)
        except StorageFault as failure:
            raise self._refused("change", failure) from None
        return cluster_file(raw)

    def use_cluster(self, cluster_id: str) -> None:
        """From now on, files of other clusters are refused, and own ones carry this id."""
        self._cluster_id = cluster_id

    def _refused(self, verb: str, failure: StorageFault) -> ClusterDirectoryError:
        return ClusterDirectoryError(
            f"acmd cannot {verb} the cluster directory {self._path}: {failure}",
            _REMEDIES.get(failure.fault, "look at the mount (findmnt, dmesg) and at the file server"),
        )

    # -- nodes and commands; all raise StorageFault -------------------------------------------

    async def write_node(self, content: dict[str, Any]) -> None:
        """Replace this node's file."""
        wire = {"v": FORMAT, "cluster": self._cluster_id, "node": self._node, "content": content}
        await self._run("write_node", self._node, json.dumps(wire), uuid.uuid4().hex)

    async def read_nodes(self) -> tuple[Document, ...]:
        """The files of all nodes, this one's too."""
        found = await self._run("read_nodes")
        return tuple(
            document(name, raw.encode("latin-1"), self._cluster_id, "node", name) for name, raw in found
        )

    async def remove_node(self, node: str) -> None:
        """Take the file of a node that is gone away; nothing there is fine. `node` is one that was read."""
        await self._run("remove_node", node)

    async def read_control(self) -> Control:
        """The newest command. A listing each time; the file is read when its number is new."""
        known = self._control.number
        number, raw = await self._run("read_command", known)
        if raw is not None:
            found = document(str(number), raw.encode("latin-1"), self._cluster_id, "number", number)
            self._control = Control(number, found)
        elif number != known:
            self._control = Control(number, Document("", None))
        return self._control

    async def post_control(self, number: int, content: dict[str, Any]) -> bool:
        """Make `content` the command of that number; False when somebody else's was faster.

        To change what the newest says: read it, change it, post it as its number plus one, and
        begin again when that returns False.
        """
        unique = uuid.uuid4().hex
        wire = {"v": FORMAT, "cluster": self._cluster_id, "number": number, "id": unique, "by": self._node}
        try:
            await self._run("post_command", number, json.dumps(wire | {"content": content}), unique)
        except StorageFault as failure:
            if failure.fault is Fault.EXISTS:
                return False
            raise
        return True

    # -- housekeeping; raise StorageFault ------------------------------------------------------

    async def prepare_reserve(self) -> None:
        """Have a preallocated file for this node's next claim, should the disk be full then."""
        await self._run("prepare_reserve", self._node, uuid.uuid4().hex)

    async def keep_house(self) -> int:
        """For the holder, now and then: old leases and commands to history/, sweep tmp/. How many went."""
        return int(await self._run("keep_house", uuid.uuid4().hex))


_REMEDIES = {
    Fault.NOT_A_CLUSTER: "mount the shared storage, or check cluster.directory in the configuration",
    Fault.MISSING: "mount the shared storage; if this is a new cluster run `acmd init` once, on one node",
    Fault.OTHER: "choose an empty directory of its own on the shared storage",
    Fault.DENIED: "it must be a directory that root may write to, not a link; with NFS check no_root_squash",
    Fault.READ_ONLY: "mount it read-write, and export it so",
    Fault.NO_SPACE: "make room on the shared storage",
    Fault.TIMEOUT: "the storage does not answer: look at the mount and the file server, then try again",
}


def cluster_file(raw: bytes) -> ClusterFile:
    """What these bytes of `cluster.json` say. Raises ClusterDirectoryError."""
    remedy = "restore it from a backup or initialise another directory; do not edit it while a node runs"
    try:
        wire = json.loads(raw[:CLUSTER_FILE_LIMIT])
        version = wire["v"]
        if type(version) is int and version > FORMAT:
            raise ClusterDirectoryError(
                f"cluster.json has format {version}; this acmd knows {FORMAT}", "upgrade acmd on this node"
            )
        fields = [wire[key] for key in ("id", "name", "tier", "created_at")]
        if [type(field) for field in fields] != [str, str, str, int] or version != FORMAT:
            raise ValueError("a value of the wrong type")
        cluster_id, name, tier, created_at = fields
        return ClusterFile(cluster_id, name, tier, _timing_from_wire(wire["timing"]), created_at, raw)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ClusterDirectoryError(f"cluster.json cannot be understood: {error!r}", remedy) from None


def timing_differences(cluster: Timing, configured: Timing) -> list[str]:
    """Each value in which this node's configuration differs from the cluster's, with both."""
    ours, theirs = _timing_to_wire(configured), _timing_to_wire(cluster)
    return [
        f"{key} is {ours[key]:.10g} in this node's configuration, but {theirs[key]:.10g} in cluster.json"
        for key in ours
        if ours[key] != theirs[key]
    ]


def _timing_to_wire(timing: Timing) -> dict[str, float]:
    values = asdict(timing)
    wire = {name[: -len("_ns")] + "_s": values[name] / NS_PER_S for name in _TIMING_NS}
    return wire | {"clock_rate_error": timing.clock_rate_error_permille / 1000}


def _timing_from_wire(wire: dict[str, Any]) -> Timing:
    keys = [name[: -len("_ns")] + "_s" for name in _TIMING_NS]
    values = {key: wire[key] for key in (*keys, "clock_rate_error")}
    if not all(type(value) in (int, float) for value in values.values()):
        raise TypeError("a duration that is not a number")
    return Timing.of_seconds(**values)


def document(name: str, raw: bytes, cluster_id: str, key: str, expected: Any) -> Document:
    """What a file says, if it is this cluster's, of a known format, and where it belongs. Never raises."""
    if len(raw) > DOCUMENT_LIMIT:
        return Document(name, None, f"larger than {DOCUMENT_LIMIT} bytes")
    try:
        wire = json.loads(raw)
    except (ValueError, RecursionError):
        return Document(name, None, "not JSON, or torn")
    if not isinstance(wire, dict) or type(wire.get("v")) is not int or wire["v"] < 1:
        return Document(name, None, "not a file of acmd")
    if wire["v"] > FORMAT:
        return Document(name, None, f"format {wire['v']} of a newer acmd")
    if wire.get("cluster") != cluster_id:
        return Document(name, None, "of another cluster")
    content = wire.get("content")
    if wire.get(key) != expected or not isinstance(content, dict):
        return Document(name, None, f"its {key} is not {expected!r}, or it has no content")
    return Document(name, content)
