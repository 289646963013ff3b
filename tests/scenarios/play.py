"""Reads a story line by line and plays it; every line is an order, a wait, or something that must hold."""

from __future__ import annotations

import re
from collections.abc import Callable

from acmd.core.lease import lease_name
from acmd.core.observation import Fenced, Leave, SwitchoverRequest
from acmd.core.timing import NS_PER_S, Instant
from tests.scenarios.world import Host, World

HOLDS = re.compile(r"(\w+) active(?: epoch (\d+))?|record (\w+)|(\w+) is ([\w-]+)")


def holds(world: World, claim: str) -> bool:
    """`a active epoch 3`, `nobody active`, `record released`, `a is passive`."""
    match = HOLDS.fullmatch(claim)
    if match is None:
        raise ValueError(f"cannot understand {claim!r}")
    name, epoch, record, host, role = match.groups()
    if record:
        return world.record() == record
    if host:
        is_now = world.hosts[host]
        return role == ("off" if not is_now.on else str(is_now.state.role) if is_now.state else "stopped")
    answering = next((host.name for host in world.hosts.values() if host.alive), "nobody")
    return answering == name and (epoch is None or world.epoch == int(epoch))


def expect(world: World, how: str, seconds: float, claim: str) -> None:
    """`within 5 s X`: X holds at some moment; `for 5 s X`: at each; otherwise: now."""
    until = world.now + round(seconds * NS_PER_S)
    while how == "within" and not holds(world, claim):
        if world.now >= until:
            raise AssertionError(f"not within {seconds} s: {claim}\n{picture(world)}")
        world.tick()
    while how == "for" and world.now < until:
        if not holds(world, claim):
            raise AssertionError(f"no longer: {claim}\n{picture(world)}")
        world.tick()
    if not holds(world, claim):
        raise AssertionError(f"does not hold: {claim}\n{picture(world)}")


def picture(world: World) -> str:
    """Where everybody stands, for a line that failed."""
    lines = [f"at {world.now / NS_PER_S} s, epoch {world.epoch}, record {world.record()}"]
    for host in world.hosts.values():
        role = host.state.role if host.state else "no daemon"
        lines.append(
            f"  {host.name}: {role}, services {'alive' if host.alive else 'gone'}, gate {host.switch.gate}"
        )
    return "\n".join(lines)


def order(world: World, verb: str, name: str, seconds: float) -> None:
    """What happens to a host, or what an operator says. `all` is everybody."""
    orders = world.orders
    everywhere: dict[str, Callable[[], None]] = {
        "disable": lambda: setattr(orders, "all_disabled", True),
        "enable": lambda: setattr(orders, "all_disabled", False),
    }
    if name == "all" and verb in everywhere:
        everywhere[verb]()
        return
    if verb == "tear":
        file = world.directory.files[lease_name(world.epoch)]
        file.data = file.data[:256] + b"?" * 256
        return
    if verb == "bury":
        orders.dead_holder = (world.epoch, world.sequence())
        return
    for host in list(world.hosts.values()) if name == "all" else [world.hosts[name]]:
        _order_host(world, host, verb, seconds)


def _order_host(world: World, host: Host, verb: str, seconds: float) -> None:
    orders = world.orders
    does: dict[str, Callable[[], None]] = {
        "disable": lambda: orders.disabled.add(host.name),
        "enable": lambda: orders.disabled.discard(host.name),
        "switchover": lambda: setattr(orders, "switchover", SwitchoverRequest(world.epoch, host.name)),
        "pause": lambda: setattr(host, "paused_until", world.now + round(seconds * NS_PER_S)),
        "stall": lambda: setattr(host, "stalled", True),
        "heal": lambda: setattr(host, "stalled", False),
        "cut": host.power_off,
        "boot": lambda: host.power_on(world.now),
        "kill": lambda: setattr(host, "state", None),
        "start": lambda: host.start(world.now),
        "stop": lambda: setattr(host, "leave", Leave.RELEASE),
        "detach": lambda: setattr(host, "leave", Leave.DETACH),
        "restart": host.order_restart,
        "break": lambda: host.set_broken(broken=True),
        "mend": lambda: host.set_broken(broken=False),
        "fenced": lambda: _fenced(world, host.name),
    }
    does[verb]()


def _fenced(world: World, host: str) -> None:
    for node in world.hosts.values():
        node.fenced += (Fenced(host, Instant(world.now, world.now)),)


LINE = re.compile(r"(?:(within|for) ([\d.]+) s )?(.+)")
ORDER = re.compile(r"(\w+)(?: (?:to )?(\w+))?(?: for ([\d.]+) s)?")


def play(text: str) -> World:
    """Play a story. Raises AssertionError with the line's number at the first line that does not hold."""
    lines = [(number, line.split("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line]
    world = World(lines[0][1].removeprefix("nodes ").split())
    for number, line in lines[1:]:
        how, seconds, rest = LINE.fullmatch(line).groups()  # type: ignore[union-attr]
        try:
            if how or HOLDS.fullmatch(rest):
                expect(world, how or "now", float(seconds or 0), rest)
            else:
                verb, name, length = ORDER.fullmatch(rest).groups()  # type: ignore[union-attr]
                order(world, verb, name or "", float(length or 0))
        except AssertionError as failure:
            failure.add_note(f"line {number}: {line}")
            raise
    return world
