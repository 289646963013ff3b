"""The host itself: its names and addresses, SELinux, the clock, users."""

from __future__ import annotations

import ctypes
import os
import pwd
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate

from acmd.checks.finding import Check, Finding, all_or, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.config.host import this_host

RESOLVE_LIMIT_S = 3.0
PPM_PER_TICK = 0.1  # adjtimex's frequency unit is 1/65536 ppm; `tick` is microseconds for each 10 ms
LOOPBACK = ("127.", "::1")


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


def _addresses_of(name: str) -> frozenset[str]:
    return frozenset(str(entry[4][0]) for entry in socket.getaddrinfo(name, None))


def resolve(name: str, limit_s: float = RESOLVE_LIMIT_S) -> frozenset[str]:
    """The addresses of a name; none when it does not resolve within the limit."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(_addresses_of, name).result(limit_s)
    except (OSError, TooLate):
        return frozenset()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def names_resolve(subject: Subject) -> Iterator[Finding]:
    """Each host resolves all nodes' names, to the addresses that those announce."""
    for node in subject.snapshot.get("nodes", ()):
        found = resolve(node["name"])
        if not found:
            yield warn(
                f"{node['name']} does not resolve", "add all nodes to /etc/hosts or to the name service"
            )
        elif node["address"] and node["address"] not in found:
            if all(address.startswith(LOOPBACK) for address in found):
                yield warn(
                    f"{node['name']} resolves to this host's loopback, not to {node['address']}",
                    "let the name lead to the node's address in /etc/hosts",
                )
            else:
                yield ko(
                    f"{node['name']} resolves to {', '.join(sorted(found))}, but announces {node['address']}",
                    "correct /etc/hosts or the name service, or node.address there",
                )
        else:
            yield ok(f"{node['name']} resolves to {node['address'] or ', '.join(sorted(found))}")


def selinux(subject: Subject) -> Iterator[Finding]:
    """ACM asked for permissive; acmd needs a policy that lets it start what it manages."""
    mode = (subject.read("/sys/fs/selinux/enforce") or "").strip()
    if mode != "1":
        yield ok("SELinux does not enforce")
        return
    denied = subject.run("ausearch", "-m", "avc", "-c", "acmd", "-ts", "today")
    if denied.fine and "denied" in denied.output:
        yield ko(
            "SELinux enforces and has denied acmd something today", "ausearch -m avc -c acmd; mend the policy"
        )
    else:
        yield warn(
            "SELinux enforces; whether its policy lets acmd and the services work is not known",
            "try a switchover and look at `ausearch -m avc`, or set it permissive as ACM's manual asks",
        )


def clock_rate(subject: Subject) -> Iterator[Finding]:
    """Steps do not matter; the rate has to stay within the configured error."""
    rate = _slew()
    allowed = subject.settings.timing.clock_rate_error_permille / 1000
    if rate is None:
        yield warn(
            "the clock's rate cannot be read", "nothing needs to be done unless the kernel is very unusual"
        )
    elif abs(rate) >= allowed:
        yield ko(
            f"the clock is slewed by {rate:+.2%}, more than the {allowed:.0%} that the deadlines allow for",
            "limit the slewing (chrony: maxslewrate), or raise timing.clock_rate_error on all nodes",
        )
    else:
        source = (
            subject.read("/sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown"
        ).strip()
        yield ok(f"clock source {source}, slewed by {rate:+.4%}; {allowed:.0%} is allowed for")


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


def _slew() -> float | None:
    """By which part the kernel's clock is made faster or slower; read only (modes 0)."""
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    normal = 1_000_000 / ticks
    return float((timex.tick - normal) / normal + timex.freq / 65536 / 1e6)


def users_agree(subject: Subject) -> list[Finding]:
    """Files on shared storage belong to numbers, not to names."""
    own = subject.settings.node.name
    found: list[Finding] = []
    compared = 0
    for node in subject.snapshot.get("nodes", ()):
        if node["name"] == own:
            continue
        for user, ids in (node.get("users") or {}).items():
            compared += 1
            mine = ids_of(user)
            if mine and mine != ids:
                found.append(
                    ko(
                        f"{user} is {mine} here and {ids} on {node['name']} (uid:gid)",
                        "give it the same uid and gid on all nodes, chown its files, and there "
                        "`systemctl restart acmd`",
                    )
                )
    if not compared and not found:
        return [
            warn(
                "no other node has said yet which users its services have",
                "run this again once all nodes run",
            )
        ]
    return all_or(found, "service users have the same uid and gid on all nodes")


def ids_of(user: str) -> str:
    """`uid:gid` of a user; empty when there is none."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return ""
    return f"{entry.pw_uid}:{entry.pw_gid}"


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
    Check("selinux", "host", "SELinux does not enforce, or its policy is fine.", selinux, False),
    Check(
        "clock", "host", "The clock's rate stays within the error that the deadlines allow for.", clock_rate
    ),
    Check("users", "host", "Service users have the same uid and gid on all nodes.", users_agree),
    Check("memory", "host", "There is memory left for what a takeover starts.", memory_and_limits, False),
)
