"""What is wrong with the dead man's switch of this node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.display.words import NOTE, WARN, Finding


def of_guard(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    """A guard that does not answer, is faulty or outdated; a watchdog that is missing; no last resort."""
    guard = snapshot["guard"]
    alive = guard.get("alive")
    if alive is False:
        yield Finding(
            WARN,
            "the guard (the dead man's switch) does not answer: this node cannot become or stay active",
            "`systemctl status acmd-guard`; `journalctl -u acmd-guard` says why it ended",
        )
    missing = guard["watchdog"] == "missing"
    for fault in guard.get("faults", ()) if alive is not False else ():
        if not (missing and fault.startswith("watchdog ")):
            yield Finding(
                WARN,
                f"the guard says: {fault}",
                "`journalctl -u acmd-guard`; docs/guard.md says what it needs",
            )
    if missing:
        yield Finding(
            WARN,
            "the watchdog that guard.watchdog requires is missing: this node cannot become active, and "
            "nothing resets it should its guard be stuck",
            "load the watchdog's kernel module (`modprobe softdog` at least); without any, set "
            'guard.watchdog = "off" and `systemctl restart acmd`',
        )
    yield from _settings(guard)


def _settings(guard: Mapping[str, Any]) -> Iterator[Finding]:
    if guard.get("outdated") and guard["armed"]:
        yield Finding(
            NOTE,
            "the guard is of another version, or has other settings, than this daemon; it protects this "
            "node as it did before",
            "`acmd switchover`: it is replaced once nothing is armed",
        )
    if guard["last_resort"] == "none":
        yield Finding(
            NOTE,
            "last resort none: services that cannot be killed would run on after the lease has ended, "
            "so two nodes could be active. For tests only",
            'set guard.last_resort = "reset" on every node, and `systemctl restart acmd` there',
        )
