"""What must never happen, checked at every step against real time; liveness is checked by the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acmd.core.lease import lease_name
from acmd.core.state import FencingPolicy
from acmd.core.timing import Instant, elapsed_for_holder_ns, elapsed_for_observer_ns

if TYPE_CHECKING:
    from tests.simulation.node import Host
    from tests.simulation.server import Inode
    from tests.simulation.world import World


class Violation(Exception):
    """A rule of the protocol was broken."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule
        self.text = text


_RELEASED = b'"state":"released"'
_HELD = b'"state":"held"'


def _field(raw: bytes, key: bytes) -> bytes:
    start = raw.find(b'"' + key + b'":"')
    if start < 0:
        return b""
    start += len(key) + 4
    return raw[start : raw.index(b'"', start)]


class Safety:
    """S1, S2 and S3. Each raises `Violation` at the step that breaks it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.running: dict[str, int] = {}  # host -> processes of active-only services
        self.started: tuple[str, int] = ("", -1)  # host and epoch of the latest start
        self.epochs: dict[int, tuple[Inode, bytes, str]] = {}  # epoch -> file, attempt, host
        self.highest = -1
        self.given_up: dict[int, str] = {}  # epoch -> boot id of the host that erased it
        self.last_issued: dict[int, tuple[Host, str, Instant]] = {}  # what the switch was armed with last
        self.released: set[int] = set()  # epochs whose release has landed at some time
        self.unfenced: set[str] = set()
        self.fenced: set[int] = set()  # epochs whose holder was confirmed off
        self.slack_ns = world.timing.reset_margin_ns // 2 + world.timing.heartbeat_ns // 20

    # -- S1: one active -------------------------------------------------------------------------------

    def process_started(self, host: Host, epoch: int) -> None:
        """A process of an active-only service comes to life."""
        running = self.running
        for other, count in running.items():
            if count and other != host.name:
                raise Violation("S1", f"services start on {host.name} while they run on {other}")
        running[host.name] = running.get(host.name, 0) + 1
        if self.started != (host.name, epoch):
            if self.world.fencing is FencingPolicy.REQUIRED and self.unfenced and epoch == self.highest:
                raise Violation(
                    "S2", f"services start on {host.name} before {sorted(self.unfenced)} were fenced"
                )
            self.world.service_epoch_began(host, epoch)
            self.started = (host.name, epoch)

    def process_ended(self, host: Host) -> None:
        """A process of an active-only service is gone."""
        self.running[host.name] -= 1

    def write_landed(self, host: Host, epoch: int) -> None:
        """A data write of an ended process reaches shared storage."""
        name, latest = self.started
        if name != host.name and latest > epoch:
            raise Violation(
                "S1",
                f"a write of {host.name}'s services of epoch {epoch} lands after those of epoch "
                f"{latest} started on {name}",
            )

    # -- S2: order ------------------------------------------------------------------------------------

    def may_begin(self, host: Host) -> int:
        """A start is let through; returns the epoch under which the service will run."""
        switch = host.switch
        if switch.epoch is None or switch.issued is None:
            if switch.detached and switch.detached_epoch is not None:
                return int(switch.detached_epoch)
            raise Violation("S2", f"a service starts on {host.name} without an armed switch")
        epoch = int(switch.epoch)
        issued = Instant(switch.issued[0], switch.issued[1])
        elapsed = elapsed_for_observer_ns(issued, host.clock.read(self.world.now))
        limit = self.world.timing.renew_deadline_ns + self.slack_ns
        if host.guard is None:  # lost while armed; only the kernel's watchdog has noticed, and closes nothing
            limit = self.world.timing.lease_duration_ns
        if elapsed >= limit:
            raise Violation("S2", f"a service starts on {host.name} {elapsed} ns after the renewal's issue")
        # A claim that was given up (an old view of the directory) does not count: nobody ever armed for it.
        if self.highest > epoch and max(self.last_issued) > epoch:
            raise Violation("S2", f"a service starts on {host.name} under epoch {epoch} after {self.highest}")
        known = self.epochs.get(epoch)
        if known is None or known[2] != host.name:
            raise Violation("S2", f"a service starts on {host.name} under epoch {epoch}, which it never held")
        return epoch

    def armed(self, host: Host, epoch: int, issued: Instant) -> None:
        """The switch is armed, or its deadline moved: the lease file must be as young as the deadline."""
        known = self.epochs.get(epoch)
        if known is None or known[2] != host.name:
            raise Violation("S3", f"{host.name} arms for epoch {epoch}, which it never held")
        if self.given_up.get(epoch) == host.boot_id:
            raise Violation("S3", f"{host.name} arms for epoch {epoch}, which it has given up")
        if epoch not in self.last_issued:
            self._alone(host, epoch)
            self._expired(host, epoch)
        self.last_issued[epoch] = (host, host.boot_id, issued)
        inode = known[0]
        if _HELD not in inode.data:
            return
        since = host.clock.real_time_of(issued) - 1000  # clocks are read in whole nanoseconds
        appeared = inode.first[inode.data]
        if appeared < since:
            raise Violation(
                "S2",
                f"{host.name} extends epoch {epoch} {since - appeared} ns beyond what observers count from",
            )
        if host.listed_at < since:
            raise Violation(
                "S2", f"{host.name} extends epoch {epoch} without a directory listing since the issue"
            )

    def extended(self, host: Host, epoch: int, before: Instant, now: Instant) -> None:
        """A daemon extends a lease: only before the R in force."""
        if elapsed_for_holder_ns(before, now) >= self.world.timing.renew_deadline_ns:
            raise Violation("S3", f"{host.name} extends epoch {epoch} after its renew deadline")

    def claims(self, host: Host) -> None:
        """A daemon issues a claim."""
        services = host.services
        if services.processes or services.undrained:
            raise Violation("S2", f"{host.name} claims while its services of an earlier epoch are not gone")

    # -- S3: epochs grow ------------------------------------------------------------------------------

    def linked(self, name: str, inode: Inode, host: str) -> None:
        """A lease file gets its name."""
        epoch = int(name[6:])
        if epoch in self.epochs:
            raise Violation("S3", f"epoch {epoch} gets a second holder: {host} after {self.epochs[epoch][2]}")
        if epoch < self.highest:
            raise Violation("S3", f"epoch {epoch} begins after epoch {self.highest}")
        inode.epoch = epoch
        before = self.epochs.get(self.highest)
        self._inherited(inode, host, before)
        self.epochs[epoch] = (inode, _field(inode.data, b"try"), host)
        self.highest = epoch
        self.world.epoch_claimed(epoch, host, before)

    def _alone(self, host: Host, epoch: int) -> None:
        """No other switch is armed within its D: any earlier epoch is over by its holder's own clocks."""
        world = self.world
        for holder in world.hosts:
            if holder is host or not holder.up:
                continue
            switch = holder.switch
            if switch.detached and holder.services.processes:
                raise Violation(
                    "S1", f"{host.name} arms for epoch {epoch}; {holder.name} is detached and serves"
                )
            if switch.epoch is None or switch.issued is None:
                continue
            issued = Instant(switch.issued[0], switch.issued[1])
            elapsed = elapsed_for_observer_ns(issued, holder.clock.read(world.now))
            if elapsed < world.timing.lease_duration_ns:
                raise Violation(
                    "S1", f"{host.name} arms for epoch {epoch}, {elapsed} ns into the lease of {holder.name}"
                )

    def _expired(self, host: Host, epoch: int) -> None:
        """Epochs before that were neither released nor fenced have seen their D, by their holders' clocks."""
        for earlier in range(epoch - 1, max(-1, epoch - 4), -1):
            known = self.last_issued.get(earlier)
            if known is None or earlier in self.released or earlier in self.fenced:
                continue
            holder, boot_id, issued = known
            if holder.boot_id != boot_id or not holder.up:
                continue
            elapsed = elapsed_for_observer_ns(issued, holder.clock.read(self.world.now))
            if elapsed < self.world.timing.lease_duration_ns:
                raise Violation(
                    "S3",
                    f"{host.name} holds epoch {epoch}, {elapsed} ns after the last issue of epoch {earlier} "
                    f"of {holder.name}",
                )

    # -- fencing: the set of hosts whose end nobody has confirmed -----------------------------------------

    def _inherited(self, inode: Inode, claimant: str, before: tuple[Inode, bytes, str] | None) -> None:
        over = self.highest in self.given_up or self.highest in self.fenced
        if before is not None and _RELEASED not in before[0].data and not over:
            self.unfenced.add(before[2])
        self.unfenced.discard(claimant)
        self._repeats(inode.data, claimant)

    def _repeats(self, raw: bytes, host: str) -> None:
        """Every record repeats the whole set; more is allowed."""
        if not self.unfenced:
            return
        listed = raw[raw.find(b'"unfenced":[') :].partition(b"]")[0].decode()
        if '"*"' not in listed and any(f'"{name}"' not in listed for name in self.unfenced):
            raise Violation(
                "S2", f"{host}'s record forgets hosts that nobody fenced: {sorted(self.unfenced)}"
            )

    def confirmed_off(self, host: str) -> None:
        """The fence agent said so."""
        self.unfenced.discard(host)
        known = self.epochs.get(self.highest)
        if known is not None and known[2] == host:
            self.fenced.add(self.highest)

    # -- records ----------------------------------------------------------------------------------------

    def written(self, inode: Inode, data: bytes, host: str) -> None:
        """A record is overwritten."""
        epoch = inode.epoch
        known = self.epochs.get(epoch)
        if known is None:
            return
        if known[2] != host or _field(data, b"try") not in (known[1], b""):
            raise Violation("S3", f"{host} writes a record of another attempt into {lease_name(epoch)}")
        if _RELEASED in data:
            self.released.add(epoch)
        if epoch == self.highest and inode.data is data:
            self._repeats(data, host)

    def erased(self, host: Host, epoch: int) -> None:
        """The epoch is over for this boot of this host."""
        self.given_up[epoch] = host.boot_id

    def release_issued(self, host: Host, epoch: int) -> None:
        """The erasing comes before the release is issued; nothing of the epoch's services is left."""
        if self.given_up.get(epoch) is None and host.run is not None and host.run.lease.epoch == epoch:
            raise Violation("S3", f"{host.name} issues the release of epoch {epoch} before erasing it")


def record_state(inode: Inode | None) -> str:
    """The state in a lease file, or '' where there is none to be read."""
    return _field(inode.data, b"state").decode() if inode is not None else ""
