"""System calls on shared storage for each heartbeat: `python bench/storage_ops.py [--json FILE]`.

Counted by strace on the storage workers of an active and a passive node that are idle, with few
and with many past epochs; the guard, the daemon and the services make none. Only calls that name
a file or descriptor below the cluster's directory count.
"""

from __future__ import annotations

import argparse
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
from bench.bed import running, table, write

WATCH_S = 24.0
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")


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


def count(file: Path, shared: Path) -> Counter[str]:
    """Calls by name; close() is none for the server, and neither is lseek or fcntl."""
    found: Counter[str] = Counter()
    for line in file.read_text(errors="replace").splitlines():
        call = _CALL.match(line)
        if call and os.fspath(shared) in line and call[1] not in {"close", "lseek", "fcntl", "ioctl"}:
            found[call[1]] += 1
    return found


def measure(past_epochs: int) -> dict[str, Any]:
    """Both nodes, for a while."""
    with running("fast", past_epochs) as bed:
        bed.stage.dwell(6.0)
        nodes = {"active": bed.active(), "passive": bed.passive()}
        files = {role: bed.place.root / f"strace.{role}" for role in nodes}
        began = time.monotonic()
        tracers = [watch(node, files[role]) for role, node in nodes.items()]
        bed.stage.dwell(WATCH_S)
        beats = (time.monotonic() - began) / (bed.timing.heartbeat_ns / NS_PER_S)
        for tracer in tracers:
            tracer.terminate()
            tracer.wait()
        found: dict[str, Any] = {"past_epochs": past_epochs, "beats": round(beats, 1)}
        for role, file in files.items():
            calls = count(file, bed.place.shared)
            found[role] = {
                "per_beat": round(sum(calls.values()) / beats, 1),
                "by_call": {name: round(number / beats, 2) for name, number in calls.most_common()},
            }
    return found


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", default="", metavar="FILE", help="write everything there")
    args = parser.parse_args()
    if shutil.which("strace") is None:
        print("strace is missing; install it (Debian: strace)", file=sys.stderr)
        return 1
    results = [measure(past_epochs) for past_epochs in (1, 1000)]
    rows = [
        (
            result["past_epochs"],
            role,
            result[role]["per_beat"],
            " ".join(f"{name}:{number}" for name, number in result[role]["by_call"].items()),
        )
        for result in results
        for role in ("active", "passive")
    ]
    table(("past epochs", "node", "calls a heartbeat", "by call"), rows)
    write(args.json, {"profile": "fast", "results": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
