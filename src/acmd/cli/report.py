"""`acmd report [-o FILE]`: one archive with what support needs, whatever of it can be had."""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from acmd.cli import OK
from acmd.config.glance import Glance, default_place, glance
from acmd.config.secret import scrubbed
from acmd.errors import AcmdError, ConfigError

PART_BYTES = 4 << 20
"""Of one part at most; of a longer one its end is kept."""
MODE = 0o600
Part = Callable[[], str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to."""
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="default: acmd-report-NODE-TIME.tar.gz in this directory"
    )


def run(args: argparse.Namespace) -> int:
    """Write it, mode 0600, and say what could not be had. Raises AcmdError when it cannot be written."""
    from acmd.cli.report_parts import parts

    try:
        place, unread = glance(args.config), ""
    except ConfigError as error:  # then above all: what can be had where a cluster is by default
        place, unread = default_place(args.config), error.what
    stamp = time.strftime("%Y%m%dT%H%M%S")
    name = f"acmd-report-{place.node}-{stamp}"
    target = Path(args.output or f"{name}.tar.gz")
    missing = write(target, name, place, parts(args.config, place))
    print(f"{target} written ({target.stat().st_size // 1024} KiB)")
    if unread:
        print(f"WARN the configuration cannot be read, so default places were looked at: {unread}")
    for part, why in missing.items():
        print(f"WARN {part} could not be had: {why}")
    print("It holds no passwords that acmd knows of; look through it before you give it away.")
    return OK


def write(target: Path, name: str, place: Glance, parts: dict[str, Part]) -> dict[str, str]:
    """The archive with each part that can be had; which could not, and why. Raises AcmdError."""
    missing: dict[str, str] = {}
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    except OSError as error:
        raise AcmdError(
            f"{target} cannot be made: {(error.strerror or str(error)).lower()}",
            "name another file with --output; it must not exist yet",
        ) from None
    try:
        with open(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            for part, collect in parts.items():
                text, why = _collected(collect)
                if why:
                    missing[part] = why
                _add(archive, f"{name}/{part}", text or f"could not be had: {why}\n")
            said = "".join(f"{part}: {why}\n" for part, why in missing.items()) or "nothing\n"
            _add(archive, f"{name}/MISSING", f"cluster {place.cluster}, node {place.node}\n{said}")
    except BaseException as error:  # ^C too: half an archive is of no use, and would be in the way
        target.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise AcmdError(
            f"{target} cannot be written: {(error.strerror or str(error)).lower()}",
            "name a file where there is room with --output",
        ) from None
    return missing


def _collected(collect: Part) -> tuple[str, str]:
    """What a part says, and why it could not be had; sometimes both."""
    try:
        return collect(), ""
    except AcmdError as error:
        return "", error.what
    except (OSError, ValueError) as error:
        return "", str(error)


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = scrubbed(text).encode("utf-8", "backslashreplace")[-PART_BYTES:]
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), MODE, int(time.time())
    archive.addfile(entry, io.BytesIO(data))
