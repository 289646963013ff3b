"""The shared directory, from the daemon's side (`ports.LeaseStore`): hands calls to worker processes.

No system call on shared storage happens here. A call that does not return within its limit has
its worker *abandoned*: the caller gets TIMEOUT, the next call of that class a new worker, and the
answer that may come after all is reported as a late outcome. Abandoned workers are bounded, so
that storage which is gone for an hour costs eight processes and not a thousand.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from acmd.core.calls import Call, Kind, Listing, ReadBack, StorageFault
from acmd.core.observation import Outcome
from acmd.core.timing import NS_PER_S
from acmd.drivers.lease_directory.workers import BOARD, LOOKING, RELEASING, WRITING, Answer, Workers
from acmd.ports import Clock

_CLASS = {
    Kind.LIST: LOOKING,
    Kind.READ: LOOKING,
    Kind.WRITE: WRITING,
    Kind.LINK: WRITING,
    Kind.RELEASE: RELEASING,
}


class LeaseDirectory:
    """`ports.LeaseStore` on a directory, and `run_job` for `drivers.cluster_directory`.

    `run_dir` is where renewals leave their mark for an adopting daemon (see `drivers.run_store`);
    None leaves none, for commands that never renew. The first renewal's worker takes a lock
    there: load what the predecessor left before issuing one.
    """

    def __init__(
        self, directory: Path, node: str, call_limit_ns: int, clock: Clock, run_dir: Path | None = None
    ) -> None:
        self.changed = asyncio.Event()
        self.last_detail = ""  # of the newest fault, for the log
        self.workers = Workers(directory, node, clock, run_dir)
        self._limit_s = call_limit_ns / NS_PER_S
        self._outcomes: list[Outcome] = []
        self._jobs = 0
        self._board_turn = asyncio.Lock()

    def start(self) -> None:
        """Start the first process now, not with the first call. Raises OSError when there is none."""
        self.workers.start()

    def issue(self, call: Call) -> None:
        """Start the call. An outcome follows within the call's limit."""

        def ended(answer: Answer) -> None:
            self._outcomes.append(self._outcome(call, answer))
            self.changed.set()

        request = ["call", call.number, call.kind.value, call.epoch]
        request += [call.raw.decode("latin-1"), call.attempt, call.inode, call.sequence]
        self.workers.ask(_CLASS[call.kind], request, self._limit_s, ended)

    def take_outcomes(self) -> tuple[Outcome, ...]:
        """What has ended since the last time, in the order of ending; clears `changed`."""
        taken = tuple(self._outcomes)
        self._outcomes.clear()
        self.changed.clear()
        return taken

    def abandoned(self) -> int:
        """Workers given up that have not returned yet."""
        return self.workers.hanging()

    async def close(self) -> None:
        """End all workers. A renewal that is cut short stays marked as outstanding for the next daemon."""
        await self.workers.close()

    async def run_job(self, name: str, arguments: list[Any], limit_s: float) -> Any:
        """The result of a procedure of `core.board`, bytes as Latin-1 strings. Raises StorageFault.

        One at a time, in a worker of their own: whatever they wait for, the lease does not.
        """
        async with self._board_turn:
            self._jobs += 1
            done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

            def ended(answer: Answer) -> None:
                if not done.done():  # a late answer interests nobody
                    done.set_result(answer)

            self.workers.ask(BOARD, ["job", self._jobs, name, arguments], limit_s, ended)
            answer = await done
        if answer.fault is not None:
            raise StorageFault(answer.fault, answer.detail)
        return answer.value

    def _outcome(self, call: Call, answer: Answer) -> Outcome:
        value: Listing | ReadBack | None = None
        if answer.fault is not None:
            self.last_detail = answer.detail
        elif call.kind is Kind.LIST:
            epochs, cluster_file = answer.value
            value = Listing(tuple(epochs), cluster_file.encode("latin-1"))
        elif call.kind is Kind.READ:
            data, inode, cluster_file = answer.value
            value = ReadBack(data.encode("latin-1"), inode, cluster_file.encode("latin-1"))
        return Outcome(call, answer.began, answer.ended, value, answer.fault, answer.late)
