"""The network between a host and the file server: partitions that hold requests or replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.running import Running

if TYPE_CHECKING:
    from tests.simulation.node import Host

HEALTHY, REQUESTS_HELD, REPLIES_HELD = 0, 1, 2


class Network:
    """What is held stays held until the network is healed, whoever still waits for it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.world = host.world
        self.server = host.world.server
        self.cut = HEALTHY
        self.held: list[tuple[Running, bool, Any]] = []  # with whether it was executed, and what came of it
        self.deaf_until = 0  # until then listings and reads fail
        self.abandoned = 0
        self.kept_link: Running | None = None  # its worker is dead; it arrives just before the next one
        self.again: Running | None = None  # a write of which the network holds a second copy

    def execute(self, run: Running) -> None:
        """A request arrives at the server."""
        raise NotImplementedError

    def reply(self, item: tuple[Running, Any]) -> None:
        """A reply arrives at the host."""
        raise NotImplementedError

    def heal(self) -> None:
        """What was held goes on its way, each at a moment of its own."""
        self.cut = HEALTHY
        held, self.held = self.held, []
        world = self.world
        for run, executed, value in held:
            then = world.now + world.latency() * (1 + world.rng.randrange(8))
            if executed:
                world.at(then, self.reply, (run, value))
            else:
                world.at(then, self.execute, run)

    def host_died(self) -> None:
        """Requests that had not left the host are gone with it, or were on the wire already."""
        if self.held and self.world.rng.random() < 0.5:
            self.held = []
        self.abandoned = 0

    def daemon_died(self) -> None:
        """Its workers are gone; what the kernel has taken over stays."""
        self.abandoned = 0
