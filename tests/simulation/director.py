"""The timing of the simulated clusters, and who brings them trouble. The one here brings none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acmd.core.observation import Leave
from acmd.core.timing import Timing, least_takeover_wait_ns

if TYPE_CHECKING:
    from tests.simulation.node import Host
    from tests.simulation.world import World

S = 1_000_000_000
H = S
# As tight as the inequalities allow: R = 3h, K = R + stop, D - margin = K + kill, W = D(1+rho)/(1-rho).
TIGHT = Timing(
    heartbeat_ns=H,
    renew_deadline_ns=3 * H,
    stop_budget_ns=H // 2,
    kill_deadline_ns=3 * H + H // 2,
    kill_budget_ns=H // 4,
    reset_margin_ns=H // 2,
    lease_duration_ns=4 * H + H // 4,
    takeover_wait_ns=least_takeover_wait_ns(4 * H + H // 4, 100),
)


class Director:
    """What happens to the world beside the benign run of things. This one: nothing."""

    world: World

    def begin(self) -> None:
        """Called once, before the first event."""

    def services_began(self, host: Host, epoch: int) -> None:
        """The first service of an epoch has started."""

    def host_down(self, host: Host) -> None:
        """Power is lost."""
        self.world.at(self.world.now + H, host.power_on, None)

    def daemon_crashed(self, host: Host) -> None:
        """PID 1 will restart it."""
        self.world.at(self.world.now + H // 10, host.start_daemon, host.boot)

    def daemon_left(self, host: Host, leave: Leave) -> None:
        """The daemon ended by itself."""
        self.world.at(self.world.now + H // 10, host.start_daemon, host.boot)

    def rates(self) -> tuple[int, int]:
        """Rates of a new clock, in thousandths."""
        return 1000, 1000
