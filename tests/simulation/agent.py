"""The fence agent: powers a host off and confirms it, when it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acmd.core.observation import Fenced
from tests.simulation.director import H

if TYPE_CHECKING:
    from tests.simulation.daemon import Daemon
    from tests.simulation.world import World


class FenceAgent:
    """One for the cluster; asks for the same host are one ask."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.works = True
        self.busy: set[str] = set()

    def ask(self, daemon: Daemon, name: str) -> None:
        """Power that host off; the daemon is told how it ended."""
        world = self.world
        if not world.has_agent or name in self.busy:
            return
        self.busy.add(name)
        asked = daemon.host.clock.read(world.now)
        world.at(world.now + world.rng.randrange(H // 20, H), self._done, (daemon, name, asked))

    def _done(self, item: Any) -> None:
        daemon, name, asked = item
        world = self.world
        self.busy.discard(name)
        works = self.works and name in world.by_name
        if works:
            world.count("hosts fenced")
            world.note("fenced", world.by_name[name])
            world.by_name[name].power_off()
            world.safety.confirmed_off(name)
        if daemon.alive:
            daemon.fencing_failed = not works
            if works:
                daemon.fenced = (*daemon.fenced[-8:], Fenced(name, asked))
            daemon.poke(world.now)
