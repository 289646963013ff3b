"""`tasks.hooks`: what is told to whom, how often, and what nothing waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from acmd.history import Entry
from acmd.tasks.hooks import QUEUE, Hook, Hooks
from tests.tasks.kit import Log
from tests.tasks.virtual_time import virtual

ABOUT = {"ACMD_NODE": "a", "ACMD_CLUSTER": "c"}


@dataclass
class Bench:
    """Hooks whose commands take `takes_s` and are written down; the marks are what a disk would hold."""

    takes_s: float = 0.0
    told: list[Mapping[str, str]] = field(default_factory=list)
    saved: dict[str, Any] = field(default_factory=dict)
    fails: str = ""

    def hooks(self, *on: str, repeat_s: float = 0.0) -> Hooks:
        """As a daemon makes them that begins now."""
        self.log = Log()
        hook = Hook(frozenset(on), ("/bin/tell",), 10.0, repeat_s)
        return Hooks([hook], ABOUT, self, self.run, self.log)

    async def run(self, command: tuple[str, ...], environment: Mapping[str, str], limit_s: float) -> str:
        """The command."""
        assert (command, limit_s) == (("/bin/tell",), 10.0)
        self.told.append(environment)
        await asyncio.sleep(self.takes_s)
        return self.fails

    def load(self) -> Mapping[str, Any]:
        """The marks."""
        return self.saved

    async def save(self, content: Mapping[str, Any]) -> None:
        """The marks."""
        self.saved = dict(content)

    def go(self, hooks: Hooks, *entries: Entry, for_s: float = 60.0) -> list[str]:
        """Tell the entries, let time pass. Which events and roles the command was run for."""
        self.told.clear()

        async def story() -> None:
            loops = [asyncio.ensure_future(loop) for loop in hooks.loops()]
            for entry in entries:
                hooks.listen(entry)
            await hooks.settle(for_s)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

        virtual(lambda clock: story())()
        return [f"{env['ACMD_EVENT']} {env['ACMD_EPOCH']} {env['ACMD_ROLE']}" for env in self.told]


def role(number: int, now: str, epoch: int, was: str = "passive") -> Entry:
    """A change of role."""
    fields = {"role": now, "was": was, "epoch": epoch, "reason": "holding", "active": None}
    return Entry(number, float(number), "info", "role", fields)


def alarm(
    number: int, service: str, epoch: int = 1, level: str = "warning", event: str = "service-ended"
) -> Entry:
    """A service that ended."""
    return Entry(number, float(number), level, event, {"service": service, "epoch": epoch, "role": "active"})


def test_each_event_once_in_an_epoch() -> None:
    """Again in the next epoch; another role or service is another event."""
    bench = Bench()
    hooks = bench.hooks("role", "alarm")
    told = bench.go(
        hooks,
        role(1, "active", 1),
        role(2, "active", 1),
        role(3, "active", 2),
        alarm(4, "web"),
        alarm(5, "web"),
        alarm(6, "db"),
        alarm(7, "web", epoch=2),
    )
    assert told == [
        "role 1 active",
        "role 2 active",
        "service-ended 1 active",
        "service-ended 1 active",
        "service-ended 2 active",
    ]


def test_not_twice_over_a_restart() -> None:
    """What the daemon before began is not told; what it did not get to is, if that is not long ago."""
    bench = Bench(takes_s=5.0)
    first = bench.hooks("role")
    assert bench.go(first, role(1, "claiming", 1), role(2, "active", 1), for_s=3.0) == ["role 1 claiming"]
    second = bench.hooks("role")
    second.catch_up([role(1, "claiming", 1), role(2, "active", 1), role(-700, "passive", 0)], now_s=3.0)
    assert bench.go(second, role(3, "claiming", 1)) == ["role 1 active"]


def refused(number: int, because: str) -> Entry:
    """A start that was refused, before any role."""
    return Entry(number, float(number), "error", "daemon-refused", {"because": because, "remedy": "mend"})


def test_before_any_epoch() -> None:
    """A start refused again and again is told once; another cause is, and the same after a role again."""
    bench, past = Bench(), [role(1, "active", 1)]

    def start(*entries: Entry) -> list[str]:
        hooks = bench.hooks("alarm")
        hooks.catch_up(past, now_s=float(len(past)))
        told = bench.go(hooks, *entries)
        past.extend(entries)
        return told

    assert start(refused(2, "no guard")) == ["daemon-refused  "]
    assert start(refused(3, "no guard"), role(4, "starting", 1)) == []
    assert start(refused(5, "another cluster")) == ["daemon-refused  "]
    assert start(refused(6, "no guard")) == []
    assert start(role(7, "passive", 3)) == []
    assert start(refused(8, "no guard")) == ["daemon-refused  "]


def test_each_order_is_one() -> None:
    """About another node, of another kind, or given again: it runs the hook; and once over a restart."""
    bench = Bench()

    def order(number: int, what: str, about: str) -> Entry:
        fields = {"what": what, "by": "alice", "about": about, "epoch": 1}
        return Entry(number, float(number), "info", "order-given", fields)

    given = [order(1, "enable", "a"), order(2, "enable", "b"), order(3, "enable", "a")]
    assert len(bench.go(bench.hooks("order-given"), *given)) == 3
    again = bench.hooks("order-given")
    again.catch_up(given, now_s=4.0)
    assert bench.go(again, order(5, "disable", "a")) == ["order-given 1 "]


def test_a_new_hook_is_told_nothing_old() -> None:
    """Only what happens from then on."""
    bench = Bench(saved={"hooks": ["another"], "told": {}})
    hooks = bench.hooks("role")
    hooks.catch_up([role(1, "active", 1)], now_s=3.0)
    assert bench.go(hooks) == []


def test_marks_that_are_nonsense() -> None:
    """They count as none."""
    for saved in ({"told": 3, "hooks": 4}, {"told": {"x": "y", "z": None}, "hooks": [{}]}, {}):
        bench = Bench(saved=saved)
        assert bench.go(bench.hooks("role"), role(1, "active", 1)) == ["role 1 active"]


def test_which_events() -> None:
    """What a hook asks for; no alarm that is over; not the daemon's own roles, nor hooks' own events."""
    bench = Bench()
    entries = (
        role(1, "stopped", 1),
        role(2, "active", 1),
        alarm(3, "web", level="info"),
        alarm(4, "web"),
        alarm(5, "", event="hook-failed"),
        alarm(6, "", event="fenced"),
    )
    assert bench.go(bench.hooks("alarm"), *entries) == ["service-ended 1 active"]
    assert bench.go(Bench.hooks(bench, "fenced"), *entries) == ["fenced 1 active"]
    bench.saved = {}
    assert bench.go(bench.hooks("role", "failover"), *entries) == ["role 1 active"]


def test_the_same_alarm_again_later() -> None:
    """Within an epoch only where `repeat_s` says so."""
    bench = Bench()
    hooks = bench.hooks("alarm", repeat_s=100.0)
    assert len(bench.go(hooks, alarm(1, "web"), alarm(90, "web"), alarm(101, "web"), alarm(150, "web"))) == 2


def test_a_hook_that_is_too_slow() -> None:
    """It keeps nobody waiting: what has no room is dropped, and the number is logged."""
    bench = Bench(takes_s=1.0)
    hooks = bench.hooks("role")
    told = bench.go(hooks, *(role(n, "active", n) for n in range(QUEUE + 10)), for_s=600)
    assert len(told) == QUEUE
    assert [fields["count"] for event, fields in bench.log.lines if event == "hooks-dropped"] == [10]


def test_a_hook_that_fails() -> None:
    """It is logged with the program and the event; the next one is told all the same."""
    bench = Bench(fails="exit code 3")
    hooks = bench.hooks("role")
    assert len(bench.go(hooks, role(1, "active", 1), role(2, "active", 2))) == 2
    assert [fields for event, fields in bench.log.lines if event == "hook-failed"] == [
        {"level": "info", "command": "/bin/tell", "of": "role", "problem": "exit code 3"}
    ] * 2


def test_the_environment() -> None:
    """Everything as text; what is not known is empty; a zero byte is none."""
    bench = Bench()
    entry = role(1, "active", 7, was="promoting")
    entry = Entry(1, 1.5, "info", "role", {**entry.fields, "says": "a\0b"})
    bench.go(bench.hooks("role"), entry)
    (env,) = bench.told
    assert env["ACMD_DETAIL"].endswith("says='a\ufffdb'")
    assert {key: value for key, value in env.items() if key != "ACMD_DETAIL"} == {
        "ACMD_NODE": "a",
        "ACMD_CLUSTER": "c",
        "ACMD_EVENT": "role",
        "ACMD_KIND": "role",
        "ACMD_LEVEL": "info",
        "ACMD_TIME": "1.500",
        "ACMD_EPOCH": "7",
        "ACMD_ROLE": "active",
        "ACMD_PREVIOUS_ROLE": "promoting",
        "ACMD_REASON": "holding",
        "ACMD_ACTIVE": "",
        "ACMD_SERVICE": "",
    }
