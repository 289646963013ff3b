"""Epochs and the nodes' events as shared storage shows them."""

from __future__ import annotations

from typing import Any

from acmd.drivers.journal_directory import JournalDirectory
from acmd.history import Entry, epochs, in_order, read_shared


async def past_of(shelf: JournalDirectory, cluster: str, cluster_id: str, newest: int) -> dict[str, Any]:
    """`epochs`, the newest last; `events` of all nodes in order; `ignored`, nodes and why. StorageFault."""
    leases = await shelf.read_leases(newest + 1)  # the one before tells the first one's interruption
    journals: dict[str, list[Entry]] = {}
    ignored: dict[str, str] = {}
    for node, raw in await shelf.read_journals():
        found = read_shared(raw, cluster_id, node)
        if isinstance(found, str):
            ignored[node[:64]] = found
        else:
            journals[node] = found
    return {
        "cluster": cluster,
        "epochs": [epoch.plain() for epoch in epochs(leases, cluster_id, journals)][-newest:],
        "events": [{"node": node, **entry.plain()} for node, entry in in_order(journals)],
        "ignored": ignored,
    }
