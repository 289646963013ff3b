"""ACM's line in every crontab that cron reads."""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from acmd.checks.crontab import PROGRAM, starts_acm
from acmd.errors import AcmdError

FILES = ("etc/crontab", "etc/anacrontab")
DIRECTORIES = ("etc/cron.d", "var/spool/cron", "var/spool/cron/crontabs", "var/spool/cron/tabs")
LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class CronLine:
    """One line that starts ACM. `file` is the path on the host."""

    file: str
    number: int
    text: str
    address: str
    device_id: int | None


def find(root: Path) -> list[CronLine]:
    """All of them. Raises AcmdError for one whose arguments make no sense."""
    places = [root / name for name in FILES]
    for name in DIRECTORIES:
        if (root / name).is_dir():
            places += sorted(path for path in (root / name).iterdir() if path.is_file())
    found = []
    for place in places:
        if not place.is_file() or place.stat().st_size > LARGEST:
            continue
        name = f"/{place.relative_to(root)}"
        lines = place.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        found += [_parse(name, number, line) for number, line in enumerate(lines, 1) if starts_acm(line)]
    return found


def _parse(file: str, number: int, line: str) -> CronLine:
    match = PROGRAM.search(line)
    rest = match["rest"] if match else ""
    where = f"{file}, line {number}"
    try:
        words = shlex.split(re.sub(r"\s\d$", "", rest))
    except ValueError:
        raise AcmdError(f"{where}: {rest.strip()!r} cannot be understood", "correct its quotes") from None
    if not words:
        raise AcmdError(
            f"{where}: acm4orchestrator has no address", "write this node's own IP address after it"
        )
    try:
        address = str(ipaddress.ip_address(words[0]))
    except ValueError:
        raise AcmdError(
            f"{where}: {words[0]!r} is no IP address", "write this node's own one, as `ip addr` shows it"
        ) from None
    device = words[1] if len(words) > 1 else ""
    if device and not (device.isascii() and device.isdigit()):
        raise AcmdError(
            f"{where}: {device!r} is no device id", "write what `stat -c %d` says of the mount point"
        )
    return CronLine(file, number, line, address, int(device) if device else None)
