"""What happened, for history, logs and report: from the daemon, else from shared storage.

Without a daemon everything on shared storage is read by a process that is given up at its limit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from acmd.cli.client import NotRunning, ask
from acmd.config.glance import Glance
from acmd.errors import AcmdError

LIMIT_S = 5.0
READ_LIMIT_S = 30.0
"""Without a daemon: storage that takes 0.1 s for each operation is slow, and not dead."""
CLOCKS = "times are by each host's own clock"


def past(place: Glance, newest: int, read_limit_s: float = READ_LIMIT_S) -> dict[str, Any]:
    """`epochs`, `events` of all nodes in order, `ignored`. Raises AcmdError."""
    try:
        return ask(place, {"do": "history", "n": newest}, LIMIT_S)
    except NotRunning:
        return read_past(place, newest, read_limit_s)


def read_past(place: Glance, newest: int, limit_s: float) -> dict[str, Any]:
    """The same without a daemon. Raises AcmdError."""
    from acmd.core.calls import StorageFault
    from acmd.drivers.aside import answers

    remedy = f"look at the mount; this node's own journal is {place.state_dir}/events.jsonl (`acmd events`)"
    try:
        (found,) = answers(lambda: _read(place, newest), limit_s)
    except StorageFault as failure:
        raise AcmdError(f"{place.directory} cannot be read: {failure}", remedy) from None
    return dict(found)


def _read(place: Glance, newest: int) -> Iterator[dict[str, Any]]:
    """In the process that may hang."""
    from acmd.core import annals, board
    from acmd.drivers.cluster_directory import cluster_file
    from acmd.drivers.lease_worker.directory import Directory
    from acmd.history import told

    directory = Directory(place.directory, place.node)
    cluster = cluster_file(directory.run(board.read_cluster()))
    leases = directory.run(annals.read_leases(newest + 1))
    yield told(leases, directory.run(annals.read_journals()), cluster.name, cluster.cluster_id, newest)


def moment(at_s: float | None, *, fraction: bool = False) -> str:
    """A Unix time in this host's time zone."""
    if at_s is None:
        return "?"
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))
    return f"{text}.{int(at_s * 1000) % 1000:03d}" if fraction else text


def span(length_s: float | None) -> str:
    """A duration as people say it."""
    if length_s is None:
        return "?"
    if length_s < 100:
        return f"{length_s:.1f} s"
    minutes, seconds = divmod(round(length_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def line(event: Mapping[str, Any], node: str = "") -> str:
    """An event on one line; nothing in it can begin another, or steer a terminal."""
    fields = event.get("fields", {})
    words = [
        moment(event["at_s"], fraction=True),
        *([f"{node:<12}"] if node else []),
        f"{str(event['level']).upper():<7}",
        str(event["event"]),
        *(f"{key}={value!r}" for key, value in fields.items() if value not in (None, "")),
    ]
    text = " ".join(words)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
