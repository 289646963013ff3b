"""Epochs and the nodes' events as shared storage shows them."""

from __future__ import annotations

from typing import Any

from acmd.drivers.journal_directory import JournalDirectory
from acmd.history import told


async def past_of(shelf: JournalDirectory, cluster: str, cluster_id: str, newest: int) -> dict[str, Any]:
    """As `history.told`. Raises StorageFault."""
    leases = await shelf.read_leases(newest + 1)
    return told(leases, await shelf.read_journals(), cluster, cluster_id, newest)
