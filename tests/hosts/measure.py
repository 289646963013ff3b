"""`python -m tests.hosts.measure [ROUNDS]`: how long the bed's verbs take on this machine."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.hosts.bed import Bed
from tests.hosts.image import VENV, build_template


def _measure(
    name: str, rounds: int, verb: Callable[[], object], undo: Callable[[], object] | None = None
) -> None:
    taken: list[float] = []
    for _ in range(rounds):
        started = time.monotonic()
        verb()
        taken.append(time.monotonic() - started)
        if undo is not None:
            undo()
    print(f"{name:44} median {statistics.median(taken):6.3f} s   worst {max(taken):6.3f} s   n {rounds}")


def main(rounds: int) -> None:
    """Print one line for each verb."""
    template = build_template()
    for count in (1, 2, 3):
        taken: list[float] = []
        for _ in range(max(3, rounds // 3)):
            started = time.monotonic()
            with Bed([f"m{number}" for number in range(count)], template=template):
                taken.append(time.monotonic() - started)
        print(f"{count} hosts from nothing to running{'':14} median {statistics.median(taken):6.3f} s")
    with Bed(["one", "two"], template=template) as bed:
        one = bed["one"]
        one.start_service("mariadb")
        memory = Path("/sys/fs/cgroup/memory", one.cgroup.path, "memory.usage_in_bytes")
        if memory.exists():
            print(f"memory of a host with MariaDB, page cache included: {int(memory.read_text()) >> 20} MiB")
        _measure("exec of true", rounds * 5, lambda: one.exec(["true"]))
        _measure("start of the venv's python", rounds, lambda: one.exec([f"{VENV}/bin/python", "-c", ""]))
        _measure("freeze, packets dropped", rounds, one.freeze, one.thaw)
        _measure("cut of a link", rounds, one.cut_link, one.heal_link)
        _measure("cut of a pair", rounds, lambda: bed.partition(one, bed["two"]), bed.heal)
        _measure("power off, until nothing is left", rounds, one.power_off, one.boot)
        _measure("power off with its cache lost", rounds, lambda: one.power_off(lose_cache=True), one.boot)
        _measure("power cycle, until running", rounds, one.power_cycle)
        one.remember()
        _measure("reset between tests, nothing to undo", rounds, one.reset)
        _measure("reset on an empty disk", rounds, one.disk_reset)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
