"""Operators' orders: each command file on shared storage holds all orders in force, so the newest is enough.

The file with the highest number wins. Who changes them reads the newest, changes it, and links
the next number; when that number is taken by then, he begins again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from acmd.core.observation import Intent, SwitchoverRequest
from acmd.core.text import printable

TEXT_LIMIT = 400
NUMBERS_END = 10**11
"""No epoch, count or time (seconds since 1970, up to the year 5138) reaches it."""


@dataclass(frozen=True)
class Disabled:
    """Who disabled something, when (wall clock, for people) and why.

    `until`: when it ends by itself, in seconds since 1970 by the wall clock of the node that ends it
    (`ended_by_time` says which); 0: it does not.
    """

    by: str
    at: int
    reason: str = ""
    forced: bool = False
    until: int = 0


@dataclass(frozen=True)
class Orders:
    """All orders in force."""

    by: str = ""
    at: int = 0
    what: str = ""  # the change that this file made, as a person would say it
    everywhere: Disabled | None = None
    nodes: dict[str, Disabled] = field(default_factory=dict)
    switchover_epoch: int = -1
    switchover_to: str = ""
    dead_holder: int = -1  # a detached epoch
    dead_holder_sequence: int = -1  # of the record that was declared on; void in any other one
    hold_downs_cleared: dict[str, int] = field(default_factory=dict)
    interlock_override: int = -1  # the epoch that is to end although the interlock blocks

    def overrides(self, epoch: int) -> bool:
        """Whether whoever takes over from this epoch may do so against an interlock."""
        return epoch == self.interlock_override


class Held(NamedTuple):
    """An operator's word on one service of this node: acmd leaves it stopped, or leaves it alone."""

    how: str  # "stopped" or "paused"
    by: str
    at: int  # wall clock, for people
    reason: str = ""
    epoch: int = -1  # an active-only service is held in this epoch only

    @property
    def stopped(self) -> bool:
        """Whether it is kept from running."""
        return self.how == "stopped"


class BadOrders(ValueError):
    """A command file that cannot be followed; the message says why."""


def from_content(content: dict[str, Any]) -> Orders:
    """The orders in a command file. Raises BadOrders; the orders known before stay in force then."""
    try:
        everywhere = content["everywhere"]
        return Orders(
            by=_text(content["by"]),
            at=_number(content["at"]),
            what=_text(content["what"]),
            everywhere=None if everywhere is None else _disabled(everywhere),
            nodes={_text(name): _disabled(value) for name, value in content["nodes"].items()},
            switchover_epoch=_number(content["switchover_epoch"]),
            switchover_to=_text(content["switchover_to"]),
            dead_holder=_number(content["dead_holder"]),
            dead_holder_sequence=_number(content.get("dead_holder_sequence", -1)),
            hold_downs_cleared={
                _text(name): _number(count) for name, count in content["hold_downs_cleared"].items()
            },
            interlock_override=_number(content.get("interlock_override", -1)),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BadOrders(f"it is incomplete or of the wrong type: {error}") from None


def to_content(orders: Orders) -> dict[str, Any]:
    """The orders as JSON values."""
    return asdict(orders)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"a {type(value).__name__} where a text belongs")
    return printable(value, TEXT_LIMIT)


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"a {type(value).__name__} where a number belongs")
    if not -1 <= value < NUMBERS_END:
        raise TypeError(f"{value} is no number that belongs there")
    return value


def _disabled(value: Any) -> Disabled:
    if type(value.get("forced")) is not bool:
        raise TypeError("forced is not true or false")
    until = _number(value.get("until", 0))
    return Disabled(_text(value["by"]), _number(value["at"]), _text(value["reason"]), value["forced"], until)


def intent_of(orders: Orders, node: str) -> Intent:
    """What the orders mean for one node."""
    here = orders.nodes.get(node)
    request = None
    if orders.switchover_epoch >= 0:
        request = SwitchoverRequest(orders.switchover_epoch, orders.switchover_to)
    return Intent(
        known=True,
        all_disabled=orders.everywhere is not None,
        disabled_here=here is not None,
        forced=here is not None and here.forced,
        switchover=request,
        dead_holder=(orders.dead_holder, orders.dead_holder_sequence) if orders.dead_holder >= 0 else None,
        clear_hold_down=orders.hold_downs_cleared.get(node, 0),
    )


# -- changes, each with who, when and why ---------------------------------------------------------


def disable_node(orders: Orders, node: str, mark: Disabled) -> Orders:
    """This node is no candidate any more."""
    return _signed(orders, mark, f"disable {node}", nodes={**orders.nodes, node: mark})


def enable_node(orders: Orders, node: str, mark: Disabled) -> Orders:
    """This node may be a candidate again."""
    left = {name: value for name, value in orders.nodes.items() if name != node}
    return _signed(orders, mark, f"enable {node}", nodes=left)


def disable_all(orders: Orders, mark: Disabled) -> Orders:
    """Maintenance of the whole cluster."""
    return _signed(orders, mark, "disable all", everywhere=mark)


def enable_all(orders: Orders, mark: Disabled, dead_holder: tuple[int, int] | None = None) -> Orders:
    """The end of it. Nodes that were disabled one by one stay so. `dead_holder`: epoch and sequence of the
    detached record whose holder the operator declares dead; the same holder's later ones are not meant."""
    epoch, sequence = dead_holder or (-1, -1)
    return _signed(
        orders, mark, "enable all", everywhere=None, dead_holder=epoch, dead_holder_sequence=sequence
    )


def switch_over(orders: Orders, mark: Disabled, epoch: int, target: str) -> Orders:
    """Move the services once; void in any other epoch."""
    what = f"switchover of epoch {epoch} to {target or 'any fit node'}"
    return _signed(orders, mark, what, switchover_epoch=epoch, switchover_to=target)


def clear_hold_down(orders: Orders, mark: Disabled, node: str) -> Orders:
    """This node may be a candidate again although it gave up after failures."""
    counts = {**orders.hold_downs_cleared, node: orders.hold_downs_cleared.get(node, 0) + 1}
    return _signed(orders, mark, f"clear the hold-down of {node}", hold_downs_cleared=counts)


def override_interlock(orders: Orders, mark: Disabled, epoch: int) -> Orders:
    """Whoever takes over from this epoch does so although an interlock blocks; void in any other one."""
    return _signed(orders, mark, f"override the interlock for epoch {epoch}", interlock_override=epoch)


def forget_node(orders: Orders, mark: Disabled, node: str) -> Orders:
    """Nothing that was ordered for this node stays."""
    nodes = {name: value for name, value in orders.nodes.items() if name != node}
    cleared = {name: count for name, count in orders.hold_downs_cleared.items() if name != node}
    return _signed(orders, mark, f"forget {node}", nodes=nodes, hold_downs_cleared=cleared)


def ended_by_time(orders: Orders, node: str, now: int, *, ends_all: bool) -> Orders:
    """The orders without what has ended by itself at `now`, by this node's wall clock; else the very same.

    A node ends its own; that of all is ended by the node that keeps the lease (`ends_all`). A clock that is
    wrong ends it early or late and does no more: enabling is an order like any other.
    """
    mark = orders.everywhere
    if ends_all and mark is not None and 0 < mark.until <= now:
        return enable_all(orders, Disabled(f"acmd on {node}", now))
    own = orders.nodes.get(node)
    if own is not None and 0 < own.until <= now:
        return enable_node(orders, node, Disabled(f"acmd on {node}", now))
    return orders


def _signed(orders: Orders, mark: Disabled, what: str, **changes: Any) -> Orders:
    return replace(orders, by=mark.by, at=mark.at, what=what, **changes)
