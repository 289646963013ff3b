"""What must stay flat over a soak: acmd's memory, descriptors, processes, and files in the directory."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.place import Place
from tests.campaign.plot import Series, chart

UNITS = ("acmd.service", "acmd-guard.service")


@dataclass(slots=True)
class Sampler:
    """Appends a line for each host after each fault."""

    file: Path
    began: float = field(default_factory=time.monotonic)

    def take(self, place: Place) -> None:
        """One sample of each host."""
        files = int(place.at_server("find . -type f | wc -l"))
        recent = int(place.at_server("ls lease.* | wc -l"))
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as out:
            for host in place.hosts:
                sample: dict[str, object] = {
                    "minute": round((time.monotonic() - self.began) / 60, 3),
                    "place": place.bed.name,
                    "host": host.name,
                    "files": files,
                    "leases": recent,
                }
                for unit in UNITS:
                    pids = [pid for pid in host.cgroup.pids() if _in_unit(pid, unit)]
                    sample[unit] = {"processes": len(pids), "fds": _fds(pids), "pss_kib": _pss_kib(pids)}
                out.write(json.dumps(sample) + "\n")

    def plot(self) -> Path:
        """An SVG of all samples, beside them."""
        target = self.file.with_suffix(".svg")
        target.write_text(chart("Soak with random faults", series(read(self.file))))
        return target


def read(file: Path) -> list[dict[str, object]]:
    """The samples of a file."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def quarters(panel: Series) -> tuple[float, float]:
    """The medians of the first and of the last quarter of its time: alike when it is flat."""
    points = sorted(point for curve in panel.curves.values() for point in curve)
    quarter = max(1, len(points) // 4)
    first, last = ([y for _, y in part] for part in (points[:quarter], points[-quarter:]))
    return statistics.median(first), statistics.median(last)


def series(samples: list[dict[str, object]]) -> list[Series]:
    """What is plotted."""
    found = []
    for unit in UNITS:
        for key, unit_of in (("pss_kib", "KiB"), ("fds", "descriptors"), ("processes", "processes")):
            lines = {
                host: [
                    (_number(s["minute"]), _number(_table(s[unit])[key]))
                    for s in samples
                    if s["host"] == host
                ]
                for host in sorted({str(s["host"]) for s in samples})
            }
            found.append(Series(f"{unit.removesuffix('.service')}: {unit_of}", lines))
    for key in ("files", "leases"):
        points = [(_number(s["minute"]), _number(s[key])) for s in samples]
        found.append(Series(f"cluster directory: {key}", {"": points}))
    return found


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no table")
    return value


def _in_unit(pid: int, unit: str) -> bool:
    try:
        return f"/{unit}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def _fds(pids: Iterable[int]) -> int:
    count = 0
    for pid in pids:
        try:
            count += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            continue
    return count


def _pss_kib(pids: Iterable[int]) -> int:
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total
