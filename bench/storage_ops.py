"""System calls on shared storage for each heartbeat: `python -m bench.storage_ops`.

Counted by strace on the storage workers of an active and a passive node that are idle, with few
and with many past epochs; the guard, the daemon and the services make none. Only calls that name
a file or descriptor below the cluster's directory count.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from acmd.cli.demo import machine
from acmd.cli.demo.node import Node
from acmd.core.timing import NS_PER_S
from bench.bed import running
from bench.program import cannot, options
from bench.results import Report, Series

WATCH_S = 24.0
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")
_MOVED = re.compile(r"\) += (\d+)$")
_MOVES = re.compile(r"p?(?:read|write)(?:v|64)?2?|getdents64")
PROFILE = "standard"

ABOUT = """Counted by strace on the storage workers of idle nodes, profile `standard`; bytes of listings
are in. Half of them are opens and stats that the client of a network file system answers with
few requests. A renewal is one listing, one synchronous write of 512 bytes, and one read."""


def workers(node: Node) -> list[int]:
    """The nursery and its storage workers."""
    found = []
    for pid in machine.descendants(node.daemon_pid):
        with contextlib.suppress(OSError):
            if b"lease_worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def watch(node: Node, file: Path) -> subprocess.Popen[bytes]:
    """strace on a node's workers, those to come included."""
    words = ["strace", "-f", "-y", "-q", "-o", str(file)]
    for pid in workers(node):
        words += ["-p", str(pid)]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL)


def count(file: Path, shared: Path) -> tuple[Counter[str], int]:
    """Calls by name, and bytes moved; close() is none for the server, and neither is lseek or fcntl."""
    found: Counter[str] = Counter()
    moved = 0
    for line in file.read_text(errors="replace").splitlines():
        call = _CALL.match(line)
        if call and os.fspath(shared) in line and call[1] not in {"close", "lseek", "fcntl", "ioctl"}:
            found[call[1]] += 1
            size = _MOVED.search(line)
            if size and _MOVES.fullmatch(call[1]):
                moved += int(size[1])
    return found, moved


def measure(past_epochs: int) -> dict[str, Any]:
    """Both nodes, for a while."""
    with running(PROFILE, past_epochs) as bed:
        bed.stage.dwell(6.0)
        nodes = {"active": bed.active(), "passive": bed.passive()}
        files = {role: bed.place.root / f"strace.{role}" for role in nodes}
        began = time.monotonic()
        tracers = [watch(node, files[role]) for role, node in nodes.items()]
        bed.stage.dwell(WATCH_S)
        took_s = time.monotonic() - began
        beats = took_s / (bed.timing.heartbeat_ns / NS_PER_S)
        for tracer in tracers:
            tracer.terminate()
            tracer.wait()
        found: dict[str, Any] = {"past_epochs": past_epochs, "beats": round(beats, 1)}
        for role, file in files.items():
            calls, moved = count(file, bed.place.shared)
            found[role] = {
                "per_beat": round(sum(calls.values()) / beats, 1),
                "calls": 60 * sum(calls.values()) / took_s,
                "bytes": 60 * moved / took_s,
                "by_call": {name: round(number / beats, 2) for name, number in calls.most_common()},
            }
    return found


def main() -> int:
    """Measure, print, write."""
    args = options(__doc__).parse_args()
    if shutil.which("strace") is None:
        return cannot("strace is missing; install it (Debian: strace)")
    report = Report(
        "storage_ops",
        "Calls and bytes on shared storage",
        ABOUT,
    )
    results = {past_epochs: measure(past_epochs) for past_epochs in (1, 1000)}
    for what, key, unit in (
        ("calls a heartbeat", "per_beat", ""),
        ("calls a minute", "calls", ""),
        ("read and written a minute", "bytes", "bytes"),
    ):
        for past_epochs, result in results.items():
            for role in ("active", "passive"):
                calls = " ".join(f"{name}:{number}" for name, number in result[role]["by_call"].items())
                note = calls if key == "per_beat" else ""
                values = [result[role][key]]
                report.add(Series(f"{what}, {past_epochs:,} past epochs", f"acmd {role}", unit, values, note))
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
