"""The dead man's switch under any order of requests, times and sights."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from acmd.guard.switch import OPEN, SHUT, Do, Limits, Sight, Switch, elapsed_ns

BOTH = [
    Limits(renew_ns=6, kill_ns=9, reset_ns=10, lease_ns=12, watchdog_timeout_ns=2),
    Limits(renew_ns=6, kill_ns=9, reset_ns=10, lease_ns=12, last_resort="none"),
]
EPOCHS = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arm"), EPOCHS, st.integers(-1, 8)),
        st.tuples(st.sampled_from(["close", "shut"]), EPOCHS),
        st.tuples(st.just("disarm"), EPOCHS, st.booleans()),
        st.tuples(st.just("tick"), st.builds(Sight, st.booleans(), st.booleans(), st.booleans())),
        st.tuples(st.just("tick"), st.just(Sight(processes=False, jobs=False, drained=True))),
        st.tuples(st.just("tick"), st.just(Sight(processes=False, jobs=False, drained=True))),
        st.tuples(st.just("pass"), st.integers(0, 4), st.integers(0, 4)),
    ),
    max_size=40,
)


class Run:
    """One switch, its clocks, and what must hold between its steps."""

    def __init__(self, limits: Limits) -> None:
        self.switch = Switch(limits)
        self.now = (0, 0)
        self.sight = Sight(processes=True, jobs=True, drained=False)
        self.put = ""  # the gate's position in the world
        self.sight_while = ""  # the same, when the last sight was taken

    def memory(self) -> dict[str, Any]:
        return {name: getattr(self.switch, name) for name in Switch.__slots__}

    def step(self, name: str, *args: Any) -> None:
        if name == "pass":
            self.now = (self.now[0] + args[0], self.now[1] + args[1])
        elif name == "tick":
            self.tick(args[0])
        else:
            self.request(name, *args)

    def request(self, name: str, epoch: int, *args: Any) -> None:
        switch, before = self.switch, self.memory()
        if name == "arm":
            issued = (self.now[0] - args[0], self.now[1] - args[0])
            refusal = switch.arm(epoch, issued, self.now)
            if not refusal:
                assert switch.epoch == epoch
                assert elapsed_ns(switch.issued or (-99, -99), self.now) < switch.limits.renew_ns
                if before["epoch"] is None:
                    assert before["clean"] or before["detached_epoch"] == epoch
                    assert epoch > before["ended"]
                else:
                    assert switch.issued is not None
                    assert switch.issued >= before["issued"]
                    assert switch.gate == before["gate"]
        elif name == "disarm":
            refusal = switch.disarm(epoch, *args)
            if not refusal and before["epoch"] is not None and not args[0]:
                assert self.sight == (False, False, True)
                assert self.sight_while != OPEN
        else:
            refusal = getattr(switch, name)(epoch)
            assert switch.gate == before["gate"] or switch.gate != OPEN
        if refusal:
            assert self.memory() == before

    def tick(self, sight: Sight) -> None:
        switch, limits = self.switch, self.switch.limits
        self.sight, self.sight_while = sight, self.put
        actions = switch.tick(self.now, sight)
        self.put = switch.gate
        passed = elapsed_ns(switch.issued, self.now) if switch.issued else 0
        if switch.epoch is None:
            assert switch.detached or switch.gate == SHUT
        elif passed >= limits.renew_ns:
            assert switch.gate != OPEN
            assert passed < limits.kill_ns or switch.gate == SHUT
        proven = sight == (False, False, True) and self.sight_while not in {OPEN, ""}
        if switch.clean:
            assert proven
        assert (Do.KILL in actions) <= (switch.gate == SHUT)
        if switch.gate == SHUT and (sight.processes or sight.jobs):
            assert Do.KILL in actions
        late = switch.epoch is not None and passed >= limits.reset_ns and not proven
        assert (Do.RESET in actions) == (late and limits.last_resort == "reset")
        if Do.FEED in actions and switch.epoch is not None and not switch.spent:
            assert passed + limits.watchdog_timeout_ns <= limits.lease_ns
        assert switch.wake_in_ns(self.now) >= 0


@given(limits=st.sampled_from(BOTH), steps=STEPS)
def test_invariants_hold_in_any_order(limits: Limits, steps: list[tuple[Any, ...]]) -> None:
    """Whatever is asked, when, and seen: an open gate has a live deadline or a detached epoch behind it,
    a refusal changes nothing, no ended epoch returns, and a reset comes exactly when proof is missing."""
    run = Run(limits)
    for step in steps:
        run.step(*step)
