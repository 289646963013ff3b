"""The command probe: a program of the operator's, good when it exits with 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from acmd.drivers.probes.probe import CheckFailed


class Ended(Protocol):
    """How a program ended."""

    @property
    def code(self) -> int | None:
        """Its exit code; negative: the signal; None when it was killed at its limit."""
        ...

    @property
    def said(self) -> str:
        """The end of what it wrote."""
        ...


class Run(Protocol):
    """Runs a program in a process group of its own, kills that at the limit or when cancelled."""

    async def __call__(
        self, argv: tuple[str, ...], *, environment: Mapping[str, str], limit_s: float
    ) -> Ended: ...


@dataclass(slots=True)
class CommandCheck:
    """Good when the program exits with 0 within `timeout_s`; its last line says why not."""

    argv: tuple[str, ...]
    run: Run
    timeout_s: float  # may be changed between two runs
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def __call__(self) -> dict[str, Any]:
        """Run it once. Raises CheckFailed."""
        ended = await self.run(self.argv, environment=self.environment, limit_s=self.timeout_s)
        if ended.code == 0:
            return {}
        lines = ended.said.strip().splitlines()
        said = f": {lines[-1][:200]}" if lines else ""
        if ended.code is None:
            raise CheckFailed(f"no end within {self.timeout_s:g} s{said}")
        raise CheckFailed(f"exit code {ended.code}{said}")
