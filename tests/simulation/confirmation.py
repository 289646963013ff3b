"""The narrowest places of an observer's look, aimed at: random faults alone hardly ever meet them.

- A look that begins before the holder's last write and ends after it: `first_seen` must be its end.
- A confirmation that begins before W has passed and ends after it, with a renewal of the last moment in
  between: it must be judged by its beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acmd.core.calls import Fault, ListDir, Overwrite, ReadFile
from tests.simulation import storage as st
from tests.simulation.director import TIGHT, H

if TYPE_CHECKING:
    from tests.simulation.faults import Trouble
    from tests.simulation.node import Host

LEAST_W = TIGHT.takeover_wait_ns * 1000 // 1100  # on the fastest clock
MS = 1_000_000


class Confirmation:
    """Answers SERVE for seeds with the focus `confirm`; is asked at each system call."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self.began = -10 * H  # when the last write of a plan executed
        self.renewal_at = 0  # when the renewal of the last moment executes
        self.host = ""

    def answer(self, host: Host, kind: Any) -> Any:
        """What happens to this system call; 0: nothing."""
        trouble = self.trouble
        rng, now = trouble.rng, trouble.world.now
        if now < self.began + 5 * H:
            return self._planned(host, kind, now)
        if trouble.is_bystander(host):
            return (
                self._look_over_the_last_write(host, now) if kind is ReadFile and rng.random() < 0.04 else 0
            )
        if kind is Overwrite and rng.random() < 0.2:
            self.began, self.host = now, host.name
            self.renewal_at = now + 3 * H + rng.randrange(H // 4)
        return 0

    def _look_over_the_last_write(self, host: Host, now: int) -> Any:
        """This read executes late; just before, the holder is cut off."""
        trouble = self.trouble
        rng = trouble.rng
        limit = TIGHT.call_limit_ns * 1000 // host.clock.boot_rate
        delay = trouble.cap(limit - rng.randrange(H // 5, H // 2))
        world = trouble.world
        holder = world.by_name[world.safety.epochs[world.safety.highest][2]]

        def cut(_: Any) -> None:
            if holder.up and world.now < trouble.end:
                holder.storage.cut = st.REQUESTS_HELD
                world.at(world.now + trouble.cap(8 * H), heal, None)

        def heal(_: Any) -> None:
            holder.storage.heal()

        world.at(now + max(1, delay - MS), cut, None)
        return st.SLOW, delay

    def _planned(self, host: Host, kind: Any, now: int) -> Any:
        """The holder fails one round and writes the next one late; one look of an observer spans W."""
        trouble = self.trouble
        if host.name == self.host:
            if kind is ListDir and now < self.began + 2 * H:
                return st.ERROR, Fault.IO
            if kind is Overwrite and now < self.renewal_at:
                return st.SLOW, trouble.cap(self.renewal_at - now)
            return 0
        daemon = host.daemon
        if kind is not ReadFile or now >= self.renewal_at or daemon is None or daemon.state.seen is None:
            return 0
        limit = TIGHT.call_limit_ns * 1000 // host.clock.boot_rate - 8 * trouble.world.base_latency
        over = host.clock.real_time_of(daemon.state.seen.first_seen) + LEAST_W + 20 * MS
        if H < over - now < limit:
            return st.SLOW_REPLY, trouble.cap(over - now)
        # The look before: it ends when the one that spans W can begin.
        before = over - limit + 10 * MS - now
        if H // 4 < before < limit:
            return st.SLOW_REPLY, trouble.cap(before)
        return 0
