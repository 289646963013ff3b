"""The page docs/performance/README.md and the figures in README.md, from the JSON files.

`python -m bench.document` writes them. Neither is written by hand; the tests hold them to the files.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.page import number, section
from bench.parts import PARTS
from bench.program import PUBLISHED, ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- figures: python -m bench.document -->", "<!-- end of figures -->"

HEAD = """# Measured

Made by `make bench` from the JSON files beside it, which hold every round; written by no hand. How each
figure comes about: [bench/README.md](../../bench/README.md). Ratios are between medians of one run. Dots in
the charts are rounds, bars are medians, green is acmd. A promise that was missed is in the tables as well.
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of README.md's table: a row of one JSON file."""

    label: str
    file: str
    what: str
    subject: str


FIGURES = (
    Figure(
        "power loss → the other node's service answers, `standard`",
        "failover",
        "power loss to the first answer",
        "acmd standard",
    ),
    Figure("the same, `fast`", "failover", "power loss to the first answer", "acmd fast"),
    Figure(
        "switchover beyond the service's own stop and start, `standard`",
        "failover",
        "switchover beyond the service's stop and start",
        "acmd standard",
    ),
    Figure(
        "memory (PSS) of the active node's daemon with its storage workers",
        "memory",
        "PSS of the daemon",
        "acmd active",
    ),
    Figure("memory (PSS) of its guard", "memory", "PSS of the guard", "acmd active"),
    Figure(
        "processor time of all of acmd's processes on the active node, in an hour",
        "rest",
        "processor, active",
        "acmd, profile `standard`",
    ),
    Figure("`acmd status` in a pipe, beside a daemon", "start", "acmd status beside a daemon", "acmd warm"),
)


def reports(directory: Path) -> list[dict[str, Any]]:
    """All of them: the parts in their order, then what else there is, by name."""
    order = {part.name: place for place, part in enumerate(PARTS)}
    found = [json.loads(file.read_text()) for file in sorted(directory.glob("*.json"))]
    return sorted(found, key=lambda told: (order.get(told["name"], len(order)), told["name"]))


def page(directory: Path) -> str:
    """docs/performance/README.md."""
    return "\n\n".join([HEAD.rstrip("\n"), *(section(told) for told in reports(directory))]) + "\n"


def figures(directory: Path) -> str:
    """README.md's table. Raises LookupError for a row that its file does not have."""
    told = {one["name"]: one for one in reports(directory)}
    lines = ["| | rounds | median | worst |", "| --- | --- | --- | --- |"]
    for figure in FIGURES:
        if figure.file not in told:
            continue
        rows = told[figure.file]["series"]
        row = next((r for r in rows if (r["what"], r["subject"]) == (figure.what, figure.subject)), None)
        if row is None:
            raise LookupError(f"{figure.file}.json has no row {figure.what!r} of {figure.subject!r}")
        cells = (f"{number(row[key])} {row['unit']}" for key in ("median", "worst"))
        lines.append(f"| {figure.label} | {row['rounds']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_figures(text: str, directory: Path) -> str:
    """README.md with its table made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{figures(directory)}\n{END}{tail}"


def write(directory: Path) -> None:
    """The page beside the files; README.md too when they are the published ones."""
    (directory / "README.md").write_text(page(directory))
    if directory == PUBLISHED:
        README.write_text(with_figures(README.read_text(), directory))


if __name__ == "__main__":
    write(PUBLISHED)
