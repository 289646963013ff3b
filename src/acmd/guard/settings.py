"""The guard's settings: `--key value` pairs, or one JSON object. Unknown keys and bad values are refused."""

from __future__ import annotations

import json
import os
import zlib
from typing import Any, NamedTuple

from acmd.guard.addresses import packed
from acmd.guard.switch import Limits


class Refused(Exception):
    """The settings cannot be used; the text says which and why."""


class Settings(NamedTuple):
    """Everything the guard is told. Paths are local; only `sync` may lie on shared storage."""

    run_dir: str
    socket: str
    renew_ns: int
    kill_ns: int
    reset_ns: int
    lease_ns: int
    last_resort: str
    cgroup: tuple[str, ...] = ()  # parents of the active-only services' groups
    unit: tuple[str, ...] = ()  # systemd's units among the active-only services
    sync: tuple[str, ...] = ()  # one path on each file system that active-only services write to
    address: tuple[str, ...] = ()  # virtual addresses that active-only services bring up
    watchdog: str = ""  # a device; "" for none
    watchdog_timeout_ns: int = 0
    watchdog_mode: str = "automatic"  # required: without it nothing is armed
    lock: str = ""  # the daemon's lock: `helper` is started only when nobody holds it
    helper: tuple[str, ...] = ()  # what writes the release when the daemon died for good

    @property
    def limits(self) -> Limits:
        """What the switch decides by."""
        return Limits(
            self.renew_ns,
            self.kill_ns,
            self.reset_ns,
            self.lease_ns,
            self.watchdog_timeout_ns,
            self.last_resort,
        )

    @property
    def fingerprint(self) -> int:
        """Differs between different settings, and between versions of the guard's own program.

        How a daemon notices a guard that was told others, or that is older than itself.
        """
        return zlib.crc32(json.dumps(self).encode(), _program())


def _program() -> int:
    """Of all sources of the guard, as they are on disk now: take it before they can be replaced."""
    directory, found = os.path.dirname(os.path.abspath(__file__)), 0
    for name in sorted(os.listdir(directory)):
        if name.endswith(".py"):
            with open(f"{directory}/{name}", "rb") as file:
                found = zlib.crc32(file.read(), found)
    return found


_LISTS = {"cgroup", "unit", "sync", "address", "helper"}
_REQUIRED = {name for name in Settings._fields if name not in Settings._field_defaults}


def parse(arguments: list[str]) -> Settings:
    """From the command line: one JSON object, or `--run-dir DIR --cgroup A --cgroup B`. Raises Refused."""
    if len(arguments) == 1 and arguments[0].startswith("{"):
        try:
            given = json.loads(arguments[0])
        except ValueError as problem:
            raise Refused(f"not JSON: {problem}") from None
        return _checked(given)
    if len(arguments) % 2:
        raise Refused("options come in pairs: --key value")
    given = {}
    for option, text in zip(arguments[::2], arguments[1::2], strict=True):
        key = option[2:].replace("-", "_")
        if not option.startswith("--") or key not in Settings._fields:
            raise Refused(f"unknown option {option}")
        if key in _LISTS:
            given.setdefault(key, []).append(text)
        elif key in given:
            raise Refused(f"{option} is given twice")
        else:
            given[key] = int(text) if key.endswith("_ns") and text.isdecimal() else text
    return _checked(given)


def _checked(given: dict[str, Any]) -> Settings:
    unknown, missing = set(given) - set(Settings._fields), _REQUIRED - set(given)
    if unknown or missing:
        raise Refused(f"unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
    for key, value in given.items():
        if key in _LISTS:
            if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
                raise Refused(f"{key} is {value!r}, but it must be a list of texts")
        elif key.endswith("_ns"):
            if type(value) is not int:
                raise Refused(f"{key} is {value!r}, but it must be a whole number of nanoseconds")
        elif not isinstance(value, str):
            raise Refused(f"{key} is {value!r}, but it must be a text")
    values: dict[str, Any] = {key: tuple(v) if key in _LISTS else v for key, v in given.items()}
    settings = Settings(**values)
    problem = settings.limits.broken()
    if bool(settings.watchdog) != bool(settings.watchdog_timeout_ns):
        problem = "watchdog and watchdog_timeout_ns belong together"
    if settings.watchdog_timeout_ns % 1_000_000_000:
        problem = "a watchdog counts in whole seconds"
    if settings.watchdog_mode not in {"automatic", "required"}:
        problem = f"watchdog_mode is {settings.watchdog_mode!r}, but it must be 'automatic' or 'required'"
    for address in settings.address:
        try:
            packed(address)
        except ValueError as refused:
            problem = str(refused)
    if bool(settings.helper) != bool(settings.lock):
        problem = "helper and lock belong together"
    if problem:
        raise Refused(problem)
    return settings
