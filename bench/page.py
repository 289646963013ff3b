"""Measurements as Markdown: a table for the terminal, a section of the page in docs/performance."""

from __future__ import annotations

import math
from typing import Any

OURS = "acmd"


def number(value: float) -> str:
    """Three digits that count."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}" if abs(value) < 1e9 else f"{value:.2e}"


def base_of(series: list[dict[str, Any]], what: str) -> dict[str, Any] | None:
    """Whose median the others of the same thing are divided by: acmd, or the first acmd of several."""
    ours = [one for one in series if one["what"] == what and one["subject"].startswith(OURS)]
    exact = [one for one in ours if one["subject"] == OURS]
    return next(iter(exact or ours), None)


def ratio(series: list[dict[str, Any]], one: dict[str, Any]) -> str:
    """Its median in acmd's, "" where there is none to compare with."""
    base = base_of(series, one["what"])
    beside = any(other["what"] == one["what"] and not other["subject"].startswith(OURS) for other in series)
    if base is None or not base["median"] or not beside:
        return ""
    return f"× {number(one['median'] / base['median'])}"


def _promise(one: dict[str, Any]) -> str:
    limits = [one.get("most_median"), one.get("most_worst")]
    if limits == [None, None]:
        return ""
    words = " / ".join("-" if limit is None else number(limit) for limit in limits)
    sign = -1 if one.get("more_is_better") else 1
    pairs = zip((one["median"], one["worst"]), limits, strict=True)
    kept = all(limit is None or sign * value <= sign * limit for value, limit in pairs)
    return f"{words}{'' if kept else ', **missed**'}"


def table(told: dict[str, Any]) -> str:
    """The rows of a JSON file, things together, in the order in which they came."""
    series = told["series"]
    if not series:
        return "Nothing was measured.\n"
    compared = any(
        base_of(series, what) is not None
        and any(one["what"] == what and not one["subject"].startswith(OURS) for one in series)
        for what in {one["what"] for one in series}
    )
    promised = any(_promise(one) for one in series)
    noted = any(one.get("note") for one in series)
    heads = ["what", "subject", "rounds", "median", "p95", "worst"]
    heads += ["ratio"] * compared + ["promise: median / worst"] * promised + ["note"] * noted
    lines = [heads, ["---"] * len(heads)]
    for what in dict.fromkeys(one["what"] for one in series):
        for one in (one for one in series if one["what"] == what):
            unit = one["unit"]
            cells = [what, one["subject"], str(one["rounds"])]
            cells += [f"{number(one[key])} {unit}".rstrip() for key in ("median", "p95", "worst")]
            cells += [ratio(series, one)] * compared + [_promise(one)] * promised
            cells += [one.get("note", "")] * noted
            lines.append(cells)
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def skips(told: dict[str, Any]) -> list[str]:
    """What could not be measured, a line each."""
    return [f"Not measured: {one['subject']}, {one['reason']}" for one in told["skipped"]]


def section(told: dict[str, Any]) -> str:
    """A JSON file as a section of the page."""
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    loads = " to ".join(f"{told[when]['load'][0]:g}" for when in ("begin", "end"))
    parts = [f"## {told['title']}", told["about"], table(told).rstrip("\n")]
    parts += [f"![{told['title']}]({told['name']}.svg)"] if told["series"] else []
    parts += skips(told) + told["remarks"]
    place = told["machine"]
    file = f"{told['name']}.json"
    parts.append(
        f"{told['begin']['at']} to {told['end']['at']}, load {loads}; {place['cpus']} CPUs "
        f"({place['machine']}), Linux {place['kernel']}, Python {place['python']}; {versions}. "
        f"Each round: [{file}]({file})"
    )
    return "\n\n".join(part for part in parts if part)
