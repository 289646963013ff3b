"""Memory of a running node: `python -m bench.memory`.

Proportional set size (PSS) of the daemon with its storage workers, of the guard, and of a
service's runner; for the guard also what is locked. On the active and the passive node, after
some idle time, with the fast profile.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from acmd.cli.demo import machine
from acmd.cli.demo.node import Node
from bench.bed import running
from bench.program import options
from bench.results import Report, Series

IDLE_S = 10.0
DAEMON_LIMIT_MB, GUARD_LIMIT_MB = 64.0, 16.0
_KB = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)

ABOUT = """Proportional set size (PSS) of all processes of a part, on the nodes of the demo after ten idle
seconds."""


def kilobytes(file: str, key: str) -> int:
    """One value of a file below /proc."""
    values = {name: int(value) for name, value in _KB.findall(Path(file).read_text())}
    return values.get(key, 0)


def part_of(pid: int) -> str:
    """Which part of a node a process is."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    line = b" ".join(words)
    if b"lease_worker" in line or Path(f"/proc/{pid}/comm").read_text().strip() == "acmd-storage":
        return "daemon"
    if b"acmd run" in line:
        return "daemon"
    if b"/acmd/guard" in line or b"acmd.guard" in line:
        return "guard"
    return "runner" if b"runner" in line else "service"


def measure(node: Node) -> dict[str, dict[str, float]]:
    """Each part's processes, PSS and locked memory, in MB."""
    parts: dict[str, dict[str, float]] = {}
    for pid in machine.descendants(node.machine_pid):
        part = parts.setdefault(part_of(pid), {"processes": 0, "pss_mb": 0.0, "locked_mb": 0.0})
        part["processes"] += 1
        part["pss_mb"] += kilobytes(f"/proc/{pid}/smaps_rollup", "Pss") / 1024
        part["locked_mb"] += kilobytes(f"/proc/{pid}/status", "VmLck") / 1024
    return {name: {key: round(value, 1) for key, value in part.items()} for name, part in parts.items()}


def main() -> int:
    """Measure, print, write. 1 when a promise was not kept."""
    args = options(__doc__).parse_args()
    report = Report(
        "memory",
        "Memory of a node",
        ABOUT,
    )
    with running("fast") as bed:
        bed.stage.dwell(IDLE_S)
        found = {"active": measure(bed.active()), "passive": measure(bed.passive())}
    for role, parts in found.items():
        for name, part in sorted(parts.items()):
            limit = {"daemon": DAEMON_LIMIT_MB, "guard": GUARD_LIMIT_MB}.get(name)
            note = f"{part['processes']:g} processes, {part['locked_mb']:.1f} MB locked"
            if name != "service":
                report.add(
                    Series(
                        f"PSS of the {name}", f"acmd {role}", "MB", [part["pss_mb"]], note, most_worst=limit
                    )
                )
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
