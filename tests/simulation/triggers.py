"""What befalls the cluster from outside: power, partitions, crashes, operators. Pulled after promotions."""

from __future__ import annotations

from typing import Any, Callable

from acmd.core.lease import Record, decode, lease_name
from acmd.core.observation import Intent, Interlock, Leave, SwitchoverRequest
from acmd.core.state import Role
from tests.simulation import oracle as o
from tests.simulation import storage as st
from tests.simulation.checkers import record_state
from tests.simulation.director import TIGHT, H
from tests.simulation.faults import Trouble
from tests.simulation.node import Host

W = TIGHT.takeover_wait_ns


class Campaign(Trouble):
    """Trouble, with triggers."""

    kept_down: str = ""
    last_promotion: int = 0

    def services_began(self, host: Host, epoch: int) -> None:
        self.last_promotion = self.world.now
        if self.adverse:  # a slow holder, fast observers: where W is at its bound
            for each in self.world.hosts:
                if each.up:
                    each.set_rates(*((900, 900) if each is host else (1100, 1100)))
        self._soon(host)

    def _soon(self, host: Host) -> None:
        world, rng = self.world, self.rng
        soon = "brisk" in self.features or rng.random() < 0.5
        then = world.now + (rng.randrange(H // 50, H) if soon else rng.randrange(H, 4 * H))
        if "links" in self.features and rng.random() < 0.4:
            then += 7 * H  # long enough for an observer with an old view to claim
        if then < self.end:
            world.at(then, self._pull, (host, self.last_promotion))

    def _pull(self, item: Any) -> None:
        host, promotion = item
        if promotion != self.last_promotion or self.world.now >= self.end:
            return
        name = self.triggers[self.rng.randrange(len(self.triggers))]
        self._do(name, host)
        if "alone" not in self.features:
            self._soon(host)  # unless somebody else is promoted meanwhile

    def _nag(self, _: Any) -> None:
        """Now and then something happens to anybody."""
        world, rng = self.world, self.rng
        if world.now >= self.end:
            return
        if rng.random() < 0.5 and "alone" not in self.features:
            self._do(self.triggers[rng.randrange(len(self.triggers))], rng.choice(world.hosts))
        world.at(world.now + rng.randrange(4 * H, 14 * H), self._nag, None)

    def _do(self, name: str, host: Host) -> None:
        if not host.up:
            return
        self.world.count("trigger " + name)
        self.world.note("trigger " + name, host)
        TRIGGERS[name](self, host)

    def later(self, what: Callable[[Any], None], item: Any, least: int, most: int) -> None:
        """At some time, at the end of the faults at the latest."""
        self.world.at(self.world.now + self.cap(self.rng.randrange(least, most)), what, item)

    # -- what comes back ------------------------------------------------------------------------------

    def host_down(self, host: Host) -> None:
        if self.kept_down == host.name:
            self.later(host.power_on, None, 4 * W, 6 * W)
        elif "brisk" in self.features or self.rng.random() < 0.5:
            self.later(host.power_on, None, H // 2, 3 * H)
        else:
            self.later(host.power_on, None, H, 3 * W)

    def daemon_crashed(self, host: Host) -> None:
        if self.rng.random() < 0.5:
            self.later(host.start_daemon, host.boot, H // 20, H)
        else:
            self.world.at(self.world.now + self.aim(host), host.start_daemon, host.boot)

    def daemon_left(self, host: Host, leave: Leave) -> None:
        if leave is Leave.ADOPT:
            self.daemon_crashed(host)
        else:
            self.later(host.start_daemon, host.boot, H // 4, 10 * H)

    # -- endings of triggers --------------------------------------------------------------------------

    def heal(self, host: Host) -> None:
        """The partition ends."""
        if self.world.now < self.end:
            host.storage.heal()
            host.data_cut = False
            if host.up:
                host.services.data_healed()

    def enable(self, _: Any) -> None:
        """Everything is enabled again."""
        if self.world.now < self.end:
            self.world.disabled = {}
            self.world.command(Intent(known=True))

    def cut_while_detaching(self, host: Host) -> None:
        """The holder is cut off as it writes `detached`; the operator enables all again, unheard by it."""
        host.storage.cut = st.REQUESTS_HELD
        self.later(self.heal, host, W, 3 * W)
        self.later(self.enable, None, H // 4, 2 * H)

    def leave(self, host: Host, how: Leave) -> None:
        """PID 1 tells the daemon to end."""
        daemon = host.daemon
        if daemon is not None:
            daemon.leave = how
            daemon.poke(self.world.now)


def _power(c: Campaign, host: Host) -> None:
    host.power_off()


def _crash(how: int) -> Callable[[Campaign, Host], None]:
    return lambda c, host: host.crash(how)


def _run_lost(c: Campaign, host: Host) -> None:
    """Somebody empties /run/acmd, and the daemon dies."""
    host.run = None
    host.crash(o.CRASH_DAEMON)


def _cut(c: Campaign, host: Host) -> None:
    rng = c.rng
    host.storage.cut = st.REQUESTS_HELD if rng.random() < 0.7 else st.REPLIES_HELD
    if c.resets and (rng.random() < 0.25 or ("data" in c.features and rng.random() < 0.5)):
        host.data_cut = True
    c.world.count("partitions")
    if rng.random() < 0.4:
        c.world.at(c.world.now + c.aim(host), c.heal, host)
    else:
        c.later(c.heal, host, H, 3 * W)


def _deaf(c: Campaign, host: Host) -> None:
    """An observer whose reads fail for about W, while the holder goes on."""
    others = [other for other in c.world.hosts if other is not host]
    if others:
        until = c.world.now + c.cap(W * 1000 // 1100 + c.rng.randrange(-H, 3 * H))
        c.rng.choice(others).storage.deaf_until = until


def _pause(c: Campaign, host: Host) -> None:
    if host.daemon is not None:
        host.daemon.pause(c.aim(host) if c.rng.random() < 0.6 else c.cap(c.rng.randrange(H, 2 * W)))


def _switchover(c: Campaign, host: Host) -> None:
    others = [other.name for other in c.world.hosts if other is not host] or [host.name]
    target = c.rng.choice(others) if c.rng.random() < 0.7 else ""
    c.world.command(c.world.intent._replace(switchover=SwitchoverRequest(c.world.safety.highest, target)))


def _leave(how: Leave) -> Callable[[Campaign, Host], None]:
    return lambda c, host: c.leave(host, how)


def _disable(c: Campaign, host: Host) -> None:
    c.world.disabled = {host.name: True}
    c.world.command(c.world.intent._replace(forced=c.rng.random() < 0.3))
    c.later(c.enable, None, H, 2 * W)


def _detach(c: Campaign, host: Host) -> None:
    c.world.command(Intent(known=True, all_disabled=True))
    rng = c.rng
    if rng.random() < 0.6:
        follow = rng.choice(
            (_power, _crash(o.CRASH_DAEMON), _crash(o.CRASH_SWITCH), _cut, _pause, _leave(Leave.ADOPT))
        )
        c.later(lambda item: follow(c, host) if host.up else None, None, H, W)
    c.later(c.enable, None, H, 3 * W)


def _dead_holder(c: Campaign, host: Host) -> None:
    """Maintenance of all; the holder is lost for good; an operator says so on another node."""
    if not _holds(c, host):
        return
    c.world.command(Intent(known=True, all_disabled=True))
    c.later(_lose_holder, (c, host), 2 * H, W)


def _holds(c: Campaign, host: Host) -> bool:
    safety = c.world.safety
    return safety.highest in safety.epochs and safety.epochs[safety.highest][2] == host.name


def _lose_holder(item: Any) -> None:
    c, host = item
    if host.up and _holds(c, host) and c.world.now < c.end:
        c.kept_down = host.name
        host.power_off()
        c.kept_down = ""
        c.later(_declare_dead, (c, host), H, 2 * W)


def _declare_dead(item: Any) -> None:
    c, host = item
    if c.world.now < c.end and not host.up and _holds(c, host):
        c.world.count("holders declared dead")
        epoch = c.world.safety.highest
        found = decode(c.world.server.names[lease_name(epoch)].data, c.world.cluster_id, epoch)
        named = (epoch, found.sequence) if isinstance(found, Record) else None
        c.world.command(Intent(known=True, dead_holder=named))


def _unlink(c: Campaign, host: Host) -> None:
    """Somebody removes the lease file in force; every node has noted its epoch before."""
    world = c.world
    highest = world.safety.highest
    name = lease_name(highest) if highest > 0 else ""
    if record_state(world.server.names.get(name)) != "held" or world.intent.all_disabled:
        return  # a detached epoch has no second line of defence: its record must stay
    if all(other.up and other.highest_epoch >= highest for other in world.hosts):
        world.count("leases unlinked")
        world.server.unlink(name)


def _service(c: Campaign, host: Host) -> None:
    """A service ends by itself, close to a deadline perhaps; PID 1 restarts it."""
    unit = c.rng.choice(host.services.units)
    boot = host.boot

    def end_it(_: Any) -> None:
        if host.up and host.boot == boot:
            host.services.crash(unit, restart=c.rng.random() < 0.8)

    if c.rng.random() < 0.5:
        _cut(c, host)
        c.world.at(c.world.now + c.aim(host), end_it, None)
    else:
        end_it(None)


def _unfit(c: Campaign, host: Host) -> None:
    host.fit = False
    c.world.peers_changed()

    def fit(_: Any) -> None:
        host.fit = True
        c.world.peers_changed()

    c.later(fit, None, H, 2 * W)


def _interlock(c: Campaign, host: Host) -> None:
    c.world.interlock = Interlock.BLOCKED

    def clear(_: Any) -> None:
        c.world.interlock = Interlock.CLEAR

    c.later(clear, None, H, 2 * W)
    host.power_off()


TRIGGERS: dict[str, Callable[[Campaign, Host], None]] = {
    "power": _power,
    "crash": _crash(o.CRASH_DAEMON),
    "crash-switch": _crash(o.CRASH_SWITCH),
    "crash-both": _crash(o.CRASH_BOTH),
    "run-lost": _run_lost,
    "cut": _cut,
    "deaf": _deaf,
    "pause": _pause,
    "switchover": _switchover,
    "stop": _leave(Leave.RELEASE),
    "adopt": _leave(Leave.ADOPT),
    "detach-here": _leave(Leave.DETACH),
    "disable": _disable,
    "detach": _detach,
    "dead-holder": _dead_holder,
    "unlink": _unlink,
    "service": _service,
    "unfit": _unfit,
    "interlock": _interlock,
}
__all__ = ["TRIGGERS", "Campaign", "Role"]
