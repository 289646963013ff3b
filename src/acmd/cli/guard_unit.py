"""`acmd guard run`: becomes the guard, for the unit acmd-guard.service; `acmd guard release`: see below.

The guard itself knows nothing of configuration files. What it is told is kept in the unit's
runtime directory: one that is lost while armed must come back at once, and with the settings
under which it was armed, also when the configuration was broken or changed meanwhile.

`release` is the guard's own: it starts it when the daemon died for good and everything is gone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from acmd.errors import AcmdError, ConfigError

GUARD = Path(__file__).parents[1] / "guard"
UNIT, RUNTIME, EPOCH = "ACMD_GUARD_UNIT", "RUNTIME_DIRECTORY", "ACMD_EPOCH"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which of the two."""
    parser.add_argument(
        "action",
        choices=["run", "release"],
        help="run: become the guard, for acmd-guard.service; release: for the guard, when the daemon is dead",
    )


def run(args: argparse.Namespace) -> int:
    """`run` becomes another program and never returns; `release` ends with 0 or 1. Raises AcmdError."""
    if args.action == "release":
        return _release(args.config)
    kept = _kept_path()
    settings = _lost_while_armed(kept)
    if settings is None:
        try:
            settings = _configured(args.config)
            _keep(kept, settings)
        except AcmdError as error:
            from acmd.cli.run import tell_unit

            tell_unit(error)
            raise
    _become(settings)


def _release(file: str) -> int:
    import asyncio

    from acmd.config.apart import load_apart
    from acmd.daemon.releasing import release

    epoch = os.environ.get(EPOCH, "")
    if not epoch.isdecimal():
        raise AcmdError(
            f"{EPOCH} does not name the epoch that ended: nothing is released",
            "leave this to the guard; a node gives the lease away by `acmd switchover` or `acmd disable`",
        )
    return 0 if asyncio.run(release(load_apart(file), int(epoch))) else 1


def _configured(file: str) -> dict[str, Any]:
    from acmd.config.apart import load_apart
    from acmd.daemon.building import guard_settings

    config = load_apart(file)
    if config.guard.mode != "unit":
        raise ConfigError(
            f'{file}: guard.mode = "{config.guard.mode}": `acmd run` starts the guard itself, '
            "and there must be only one; this one ends",
            'set guard.mode = "unit", or mask acmd-guard.service',
        )
    return guard_settings(config)


def _become(settings: dict[str, Any]) -> NoReturn:
    # Isolated and without site: the smallest process. PID 1 stays its parent.
    os.execv(sys.executable, [sys.executable, "-I", "-S", str(GUARD), json.dumps(settings)])  # noqa: S606


def _kept_path() -> Path | None:
    """Outside of PID 1's care there is no such place, and nothing is kept."""
    directory = os.environ.get(RUNTIME, "").partition(":")[0]
    return Path(directory, os.environ.get(UNIT, "acmd-guard.service") + ".json") if directory else None


def _keep(kept: Path | None, settings: dict[str, Any]) -> None:
    if kept is None:
        return
    new = kept.with_suffix(".new")
    try:
        new.write_text(json.dumps(settings), encoding="utf-8")
        new.replace(kept)
    except OSError as error:
        raise AcmdError(
            f"{kept} cannot be written: {error.strerror}; the guard does not start, so that this node "
            "cannot become active",
            "make /run writable, and look whether it is full",
        ) from None


def _lost_while_armed(kept: Path | None) -> dict[str, Any] | None:
    """The settings of a guard that ended armed; /run is empty after a boot, so that it was this boot's."""
    if kept is None:
        return None
    try:
        settings: dict[str, Any] = json.loads(kept.read_bytes())
        state = json.loads(Path(settings["run_dir"], "guard.json").read_bytes())["state"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return settings if state == "armed" else None
