"""Every duration of the protocol, and the inequalities that make it safe.

The timeline of one lease, on the standard profile, from the moment at which the holder's last
acknowledged renewal *was issued* (not: was acknowledged):

      0.0 s   the renewal is issued
      6.0 s   R: the holder demotes itself; active-only services stop gracefully, in order
      9.0 s   K: what is left is killed through its cgroup; virtual addresses are removed
     10.0 s   D - reset_margin: if anything lives, the host goes down hard
     12.0 s   D: the lease has run out on every clock that is within rho of real time
     14.7 s   W: an observer that saw the record unchanged all that time may take over

W is longer than D by the factor (1+rho)/(1-rho): the holder's clock may be slow and the
observer's fast, each by rho. Only rates matter; offsets and steps of the wall clock do not.

Durations are integers in nanoseconds. An `Instant` is a pair of readings of one host's own
CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW; instants of two hosts are never compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Instant(NamedTuple):
    """A moment on this host's clocks: CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW, in nanoseconds."""

    boot_ns: int
    raw_ns: int


def elapsed_for_holder_ns(since: Instant, now: Instant) -> int:
    """Time that has passed for one who must stop in time: the larger of the two clocks."""
    boot = now[0] - since[0]
    raw = now[1] - since[1]
    return boot if boot > raw else raw


def elapsed_for_observer_ns(since: Instant, now: Instant) -> int:
    """Time that has passed for one who waits for another: the smaller of the two clocks."""
    boot = now[0] - since[0]
    raw = now[1] - since[1]
    return boot if boot < raw else raw


def seconds(duration_ns: int) -> str:
    """A duration as people write it: `14.7 s`."""
    return f"{duration_ns / NS_PER_S:.10g} s"


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing of a cluster; all nodes must have the same. Build it with `Timing.of_seconds`."""

    heartbeat_ns: int
    renew_deadline_ns: int
    stop_budget_ns: int
    kill_deadline_ns: int
    kill_budget_ns: int
    reset_margin_ns: int
    lease_duration_ns: int
    takeover_wait_ns: int
    clock_rate_error_permille: int = 100

    @classmethod
    def of_seconds(
        cls,
        heartbeat_s: float,
        renew_deadline_s: float,
        stop_budget_s: float,
        kill_deadline_s: float,
        kill_budget_s: float,
        reset_margin_s: float,
        lease_duration_s: float,
        takeover_wait_s: float,
        clock_rate_error: float = 0.1,
    ) -> Timing:
        """The same values in seconds (`clock_rate_error` as a fraction). Checks nothing: see `broken()`."""

        def ns(duration_s: float) -> int:
            return round(duration_s * NS_PER_S)

        return cls(
            ns(heartbeat_s),
            ns(renew_deadline_s),
            ns(stop_budget_s),
            ns(kill_deadline_s),
            ns(kill_budget_s),
            ns(reset_margin_s),
            ns(lease_duration_s),
            ns(takeover_wait_s),
            round(clock_rate_error * 1000),
        )

    @property
    def reset_deadline_ns(self) -> int:
        """From the issue of the last acknowledged renewal to the hard end of a host that is not clean."""
        return self.lease_duration_ns - self.reset_margin_ns

    @property
    def call_limit_ns(self) -> int:
        """How long one storage call is waited for before its worker is given up."""
        return 2 * self.heartbeat_ns

    def takeover_wait_for_ns(self, record_duration_ns: int) -> int:
        """W for a record that states its own lease duration: never less than the configured W."""
        own = least_takeover_wait_ns(record_duration_ns, self.clock_rate_error_permille)
        return own if own > self.takeover_wait_ns else self.takeover_wait_ns

    def broken(self) -> list[str]:
        """Each inequality that does not hold, with its arithmetic; empty when the timing is safe."""
        problems = [
            f"{name} is {seconds(value)}, but it must be greater than 0"
            for name, value in (
                ("heartbeat_s", self.heartbeat_ns),
                ("stop_budget_s", self.stop_budget_ns),
                ("kill_budget_s", self.kill_budget_ns),
                ("reset_margin_s", self.reset_margin_ns),
            )
            if value <= 0
        ]
        if not 0 <= self.clock_rate_error_permille <= 500:
            return [
                *problems,
                f"clock_rate_error is {self.clock_rate_error_permille / 1000}, "
                "but it must lie between 0 and 0.5",
            ]
        least_w = least_takeover_wait_ns(self.lease_duration_ns, self.clock_rate_error_permille)
        rho = self.clock_rate_error_permille / 1000
        relations = (
            (
                3 * self.heartbeat_ns,
                self.renew_deadline_ns,
                "3 x heartbeat_s <= renew_deadline_s",
                f"3 x {seconds(self.heartbeat_ns)} = {seconds(3 * self.heartbeat_ns)}",
            ),
            (
                self.renew_deadline_ns + self.stop_budget_ns,
                self.kill_deadline_ns,
                "renew_deadline_s + stop_budget_s <= kill_deadline_s",
                f"{seconds(self.renew_deadline_ns)} + {seconds(self.stop_budget_ns)} = "
                f"{seconds(self.renew_deadline_ns + self.stop_budget_ns)}",
            ),
            (
                self.kill_deadline_ns + self.kill_budget_ns,
                self.reset_deadline_ns,
                "kill_deadline_s + kill_budget_s <= lease_duration_s - reset_margin_s",
                f"{seconds(self.kill_deadline_ns)} + {seconds(self.kill_budget_ns)} = "
                f"{seconds(self.kill_deadline_ns + self.kill_budget_ns)}, and "
                f"{seconds(self.lease_duration_ns)} - {seconds(self.reset_margin_ns)}",
            ),
            (
                least_w,
                self.takeover_wait_ns,
                "lease_duration_s x (1 + clock_rate_error) / (1 - clock_rate_error) <= takeover_wait_s",
                f"{seconds(self.lease_duration_ns)} x {1 + rho:g} / {1 - rho:g} = {seconds(least_w)}",
            ),
        )
        problems += [
            f"{rule} does not hold: {sum_}, which is more than {seconds(right)}"
            for left, right, rule, sum_ in relations
            if left > right
        ]
        return problems


def least_takeover_wait_ns(lease_duration_ns: int, rate_error_permille: int) -> int:
    """The least W for a lease duration D: D (1+rho)/(1-rho), rounded up."""
    return -(-lease_duration_ns * (1000 + rate_error_permille) // (1000 - rate_error_permille))


def may_start(issued: Instant, now: Instant, renew_deadline_ns: int) -> bool:
    """Whether an active-only service may be started at `now`, under a lease renewed at `issued`.

    Asked anew before each single start, with the time of that moment: any pause between
    'the lease is valid' and 'start' would otherwise act on an old truth.
    """
    return elapsed_for_holder_ns(issued, now) < renew_deadline_ns


PROFILES: dict[str, Timing] = {
    "standard": Timing.of_seconds(1, 6, 3, 9, 1, 2, 12, 14.7),
    "fast": Timing.of_seconds(0.4, 2, 1, 3, 0.5, 1, 4.5, 5.5),
    "patient": Timing.of_seconds(5, 60, 30, 90, 10, 10, 110, 134.5),
}
