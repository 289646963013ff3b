"""The few values that a command needs to find a running daemon, read without the schema.

`acmd status` has 300 ms in all and importing the schema takes a good part of them. These values
are the same that `load` gives for a configuration that it accepts; a test holds that. A file
that cannot even be glanced at is loaded after all, for the same words.
"""

from __future__ import annotations

import os
import socket
import stat
import tomllib
from typing import Any, NamedTuple

from acmd.config.defaults import (
    DEFAULT_CLUSTER,
    DEFAULT_DIRECTORY,
    default_node_name,
    default_run_dir,
    default_state_dir,
)
from acmd.errors import ConfigError


class Glance(NamedTuple):
    """Where things are."""

    file: str
    cluster: str
    directory: str
    node: str
    run_dir: str
    state_dir: str
    guard_socket: str


def glance(file: str, *, hostname: str | None = None) -> Glance:
    """Where a configured cluster keeps its things. Raises ConfigError when the file does not say."""
    try:
        # A named pipe that was put there must not make this wait for a writer.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _refused(file)
            raw = tomllib.load(stream)
    except (OSError, ValueError, RecursionError):
        raise _refused(file) from None
    return _places(file, raw, hostname)


def default_place(file: str) -> Glance:
    """Where things are when nobody says otherwise."""
    return _places(file, {}, None)


def _places(file: str, raw: dict[str, Any], hostname: str | None) -> Glance:
    name = _text(file, raw, "cluster", "name") or DEFAULT_CLUSTER
    run_dir = _text(file, raw, "run", "run_dir") or default_run_dir(name)
    return Glance(
        file=os.fspath(file),
        cluster=name,
        directory=_text(file, raw, "cluster", "directory") or DEFAULT_DIRECTORY,
        node=_text(file, raw, "node", "name") or default_node_name(hostname or socket.gethostname()),
        run_dir=run_dir,
        state_dir=_text(file, raw, "run", "state_dir") or default_state_dir(name),
        guard_socket=_text(file, raw, "guard", "socket") or f"{run_dir}/guard.sock",
    )


def _refused(file: str) -> ConfigError:
    """In the words, and with the line, of a full load, which nobody waits for now."""
    from acmd.config.host import this_host  # noqa: PLC0415 - slow
    from acmd.config.load import load  # noqa: PLC0415 - slow

    try:
        load(file, host=this_host())
    except ConfigError as error:
        return error
    return ConfigError(f"{file}: was changed while it was read", "try again")


def _text(file: str, raw: dict[str, Any], section: str, key: str) -> str:
    table = raw.get(section, {})
    value = table.get(key, "") if isinstance(table, dict) else None
    if not isinstance(value, str):
        raise _refused(file)
    return value.rstrip("/") if value.startswith("/") and value != "/" else value
