"""The host itself: its names and addresses, the clock, memory. `selinux` and `users` have the rest."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

from acmd.checks import selinux, users
from acmd.checks.finding import Check, Finding, all_or, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.config.host import this_host

LOOK_UP_LIMIT_S = 3.0
LOOPBACK = ("127.", "::1")
UNSYNCHRONISED = 0x40  # STA_UNSYNC


def configuration(subject: Subject) -> Iterator[Finding]:
    """A daemon with a configuration that is refused does not start."""
    for what, remedy in subject.refused:
        yield ko(what, remedy)
    if subject.config is not None:
        yield ok(f"{subject.config.file} is in order")


def address_is_own(subject: Subject) -> Iterator[Finding]:
    """The address that clients are sent to."""
    address = subject.settings.node.address
    if not address:
        yield warn(
            "no address is configured, so none is announced while this node is active", "set node.address"
        )
    elif address in this_host().addresses:
        yield ok(f"{address} is an address of this host")
    else:
        yield ko(
            f"{address} is not an address of this host",
            "correct node.address, or bring the interface up; `ip -br address` shows what there is",
        )


def names_resolve(subject: Subject) -> Iterator[Finding]:
    """Each host resolves all nodes' names, to the addresses that those announce."""
    for node in subject.snapshot.get("nodes", ()):
        name, address = node["name"], node["address"]
        ran = subject.run("getent", "ahosts", "--", name, limit_s=LOOK_UP_LIMIT_S)
        found = sorted({line.split()[0] for line in ran.output.splitlines() if line.strip()})
        if ran.late:
            yield ko(
                f"the name service does not answer within {ran.waited_s:g} s for {name}",
                f"add all nodes to /etc/hosts; `timeout 5 getent ahosts {name}` tries it",
            )
        elif not ran.fine or not found:
            yield warn(f"{name} does not resolve", "add all nodes to /etc/hosts or to the name service")
        elif address and address not in found:
            yield _elsewhere(name, address, found)
        else:
            yield ok(f"{name} resolves to {address or ', '.join(found)}")


def _elsewhere(name: str, address: str, found: list[str]) -> Finding:
    if all(each.startswith(LOOPBACK) for each in found):
        return warn(
            f"{name} resolves to this host's loopback, not to {address}",
            "let the name lead to the node's address in /etc/hosts",
        )
    return ko(
        f"{name} resolves to {', '.join(found)}, but announces {address}",
        "correct /etc/hosts or the name service, or node.address there",
    )


def clock_rate(subject: Subject) -> Iterator[Finding]:
    """Steps do not matter; the rate has to stay within the configured error."""
    rate, synchronised = _clock()
    allowed = subject.settings.timing.clock_rate_error_permille / 1000
    if rate is None:
        yield warn(
            "the clock's rate cannot be read", "nothing needs to be done unless the kernel is very unusual"
        )
    elif abs(rate) >= allowed:
        yield ko(
            f"the clock is slewed by {rate:+.2%}, more than the {allowed:.0%} that the deadlines allow for",
            "limit the slewing (chrony: maxslewrate 10000 is 1%), or raise timing.clock_rate_error",
        )
    else:
        source = (
            subject.read("/sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown"
        ).strip()
        apart = "" if synchronised else "; not synchronised, which acmd does not need, but readers of logs do"
        yield ok(f"clock source {source}, slewed by {rate:+.4%}; {allowed:.0%} is allowed for{apart}")


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2), as far as it is read; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time_s", ctypes.c_long),
        ("time_us", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("rest", ctypes.c_char * 128),
    )


def _clock() -> tuple[float | None, bool]:
    """By which part the kernel's clock is made faster or slower, and whether anybody keeps it in step."""
    timex = _Timex()  # modes 0: read only
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        return None, False
    ticks = os.sysconf("SC_CLK_TCK")
    normal = 1_000_000 / ticks
    rate = float((timex.tick - normal) / normal + timex.freq / 65536 / 1e6)
    return rate, not timex.status & UNSYNCHRONISED


def memory_and_limits(subject: Subject) -> list[Finding]:
    """Free memory and process ids: a host without either cannot start what it takes over."""
    text = subject.read("/proc/meminfo") or ""
    values = {
        line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if len(line.split()) >= 2
    }
    total, free = values.get("MemTotal", 0), values.get("MemAvailable", 0)
    if total and free < total // 20:
        return [
            warn(
                f"only {free // 1024} MiB of {total // 1024} MiB of memory is available", "find what takes it"
            )
        ]
    return all_or([], f"{free // 1024} MiB of memory available")


CHECKS = (
    Check("configuration", "host", "The configuration can be loaded.", configuration, False),
    Check("address", "host", "The configured address belongs to this host.", address_is_own),
    Check(
        "names", "host", "The names of all nodes resolve to the addresses that they announce.", names_resolve
    ),
    *selinux.CHECKS,
    Check(
        "clock", "host", "The clock's rate stays within the error that the deadlines allow for.", clock_rate
    ),
    *users.CHECKS,
    Check("memory", "host", "There is memory left for what a takeover starts.", memory_and_limits, False),
)
