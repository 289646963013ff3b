"""The nodes' journals and all lease files in the cluster's directory, through a worker process."""

from __future__ import annotations

import uuid
from typing import Any, Protocol


class JobRunner(Protocol):
    """Runs the procedures of `core.board` in a worker process (`drivers.lease_directory` does)."""

    async def run_job(self, name: str, arguments: list[Any], limit_s: float) -> Any:
        """The procedure's result, bytes as Latin-1 strings. Raises StorageFault."""
        ...


class JournalDirectory:
    """`tasks.journal.Shelf`, and what `acmd history` and `acmd logs` read. Everything raises StorageFault."""

    def __init__(self, runner: JobRunner, node: str, limit_s: float) -> None:
        self._runner = runner
        self._node = node
        self._limit_s = limit_s

    async def write_journal(self, document: str) -> None:
        """Replace this node's document."""
        await self._runner.run_job("write_journal", [self._node, document, uuid.uuid4().hex], self._limit_s)

    async def read_journals(self) -> list[tuple[str, bytes]]:
        """Each node's name and document, as found."""
        found = await self._runner.run_job("read_journals", [], self._limit_s)
        return [(str(node), raw.encode("latin-1")) for node, raw in found]

    async def read_leases(self, newest: int) -> list[tuple[int, bytes]]:
        """Epoch and bytes of the newest lease files, those in history/ too, oldest first."""
        found = await self._runner.run_job("read_leases", [newest], self._limit_s)
        return [(int(epoch), raw.encode("latin-1")) for epoch, raw in found]
