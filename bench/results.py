"""What was measured, and how it is shown: a Markdown table, a JSON file with each single round, a chart.

A program of this directory makes one `Report`, adds a `Series` for each thing and subject, and writes:

    report = Report("takeover", "Takeover after a power loss")
    report.version("keepalived", "2.2.7")
    report.add(Series("power loss", "acmd standard", "s", [14.6, 14.9], most_median=15.5))
    report.add(Series("power loss", "keepalived", "s", [3.1, 3.2], note="two owners for 0.4 s"))
    report.skip("sanlock", "its package is not to be had: apt says ...")
    sys.exit(report.write(directory))
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import acmd
from bench.chart import chart
from bench.page import skips, table

FORMAT = 1


def _now() -> dict[str, Any]:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


@dataclass(frozen=True, slots=True)
class Series:
    """All rounds of one thing (`what`) of one subject. What takes less is better, unless `more_is_better`.

    `most_median` and `most_worst` are promises: a median or a worst round beyond them makes the program
    fail. With `more_is_better` they are the least instead.
    """

    what: str
    subject: str
    unit: str
    values: list[float]
    note: str = ""
    most_median: float | None = None
    most_worst: float | None = None
    more_is_better: bool = False

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.what}, {self.subject}: a series needs a round; use skip() for none")

    @property
    def median(self) -> float:
        """Half of the rounds are no better."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """19 of 20 rounds are no worse (nearest rank)."""
        ordered = sorted(self.values, reverse=self.more_is_better)
        return ordered[math.ceil(0.95 * len(ordered)) - 1]

    @property
    def worst(self) -> float:
        """The one that counts at three in the morning."""
        return (min if self.more_is_better else max)(self.values)

    @property
    def kept(self) -> bool:
        """Whether its promises were kept; those that were not made are."""
        sign = -1 if self.more_is_better else 1
        pairs = ((self.median, self.most_median), (self.worst, self.most_worst))
        return all(limit is None or sign * value <= sign * limit for value, limit in pairs)

    def told(self) -> dict[str, Any]:
        """For the JSON file."""
        found: dict[str, Any] = {"what": self.what, "subject": self.subject, "unit": self.unit}
        found |= {"rounds": len(self.values), "median": _short(self.median), "p95": _short(self.p95)}
        found |= {"worst": _short(self.worst), "values": [_short(value) for value in self.values]}
        optional = {
            "note": self.note,
            "most_median": self.most_median,
            "most_worst": self.most_worst,
            "more_is_better": self.more_is_better or None,
        }
        return found | {key: value for key, value in optional.items() if value not in {"", None}}


@dataclass(slots=True)
class Report:
    """One program's results. `write` ends it."""

    name: str
    title: str
    about: str = ""
    series: list[Series] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=lambda: {"acmd": acmd.__version__})
    begun: dict[str, Any] = field(default_factory=_now)

    def add(self, series: Series) -> None:
        """One more row."""
        if any((old.what, old.subject) == (series.what, series.subject) for old in self.series):
            raise ValueError(f"{series.what}, {series.subject} was added before")
        self.series.append(series)

    def skip(self, subject: str, reason: str) -> None:
        """What could not be measured, and why."""
        self.skipped.append((subject, reason))

    def remark(self, text: str) -> None:
        """A paragraph that is shown below the table."""
        self.remarks.append(text)

    def version(self, program: str, version: str) -> None:
        """What was measured."""
        self.versions[program] = version

    @property
    def kept(self) -> bool:
        """Whether all promises were kept."""
        return all(series.kept for series in self.series)

    def told(self) -> dict[str, Any]:
        """The JSON file's content."""
        return {
            "format": FORMAT,
            "name": self.name,
            "title": self.title,
            "about": self.about,
            "machine": machine(),
            "versions": self.versions,
            "begin": self.begun,
            "end": _now(),
            "kept": self.kept,
            "series": [series.told() for series in self.series],
            "skipped": [{"subject": subject, "reason": reason} for subject, reason in self.skipped],
            "remarks": self.remarks,
        }

    def write(self, directory: Path) -> int:
        """Print the table, write NAME.json and NAME.svg. The exit code: 1 when a promise was not kept."""
        told = self.told()
        print(f"## {self.title}\n\n{table(told)}")
        for line in (*skips(told), *self.remarks):
            print(f"\n{line}")
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"{self.name}.json"
        file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        if self.series:
            file.with_suffix(".svg").write_text(chart(self.title, told["series"]))
        print(f"\nwritten: {file}", flush=True)
        return 0 if self.kept else 1


def machine() -> dict[str, Any]:
    """Where this was measured."""
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "kernel": platform.release().partition("-")[0],  # the number; builds have names of their own
        "python": platform.python_version(),
    }


def _short(value: float) -> float:
    """Six digits are more than any clock here is good for."""
    return float(f"{value:.6g}")


def say(text: str) -> None:
    """Progress, beside the results."""
    print(text, file=sys.stderr, flush=True)
