"""A chart of measurements as SVG: each round a dot, the median a bar. Only the standard library.

It brings its own background, dark where the reader's system is, so that it can be read on any page.
"""

from __future__ import annotations

import math
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT, ROW, HEAD = 860, 270, 90, 20, 30
LOG_FROM = 30.0  # largest to smallest value: from here on a linear scale shows nothing

STYLE = """
 .back{fill:#fff} text{fill:#24292f;font:11px sans-serif} .title{font-size:14px;font-weight:bold}
 .what{font-weight:bold} .axis{stroke:#8c959f;stroke-width:1} .bar{fill:#54aeff;fill-opacity:.45}
 .ours{fill:#2da44e;fill-opacity:.5} .dot{fill:#0550ae;fill-opacity:.6}
 .promise{stroke:#cf222e;stroke-dasharray:3 2}
 @media (prefers-color-scheme: dark){ .back{fill:#0d1117} text{fill:#e6edf3} .axis{stroke:#6e7681}
 .dot{fill:#a5d6ff} .bar{fill:#1f6feb} .ours{fill:#3fb950} .promise{stroke:#ff7b72} }
"""


def chart(title: str, series: list[dict[str, Any]]) -> str:
    """A panel for each thing that was measured, a row for each subject."""
    parts: list[str] = []
    top = HEAD + 10
    for what in dict.fromkeys(one["what"] for one in series):
        rows = [one for one in series if one["what"] == what]
        parts += _panel(what, rows, top)
        top += ROW * (len(rows) + 2)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
            f'viewBox="0 0 {WIDTH} {top}">',
            f"<style>{STYLE}</style>",
            '<rect class="back" width="100%" height="100%"/>',
            f'<text class="title" x="10" y="22">{escape(title)}</text>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _panel(what: str, rows: list[dict[str, Any]], top: int) -> list[str]:
    values = [value for one in rows for value in one["values"]]
    highest = max(values) or 1.0
    lowest = min((value for value in values if value > 0), default=highest)
    logarithmic = min(values) > 0 and highest / lowest >= LOG_FROM
    room = WIDTH - LEFT - RIGHT

    def at(value: float) -> float:
        if logarithmic:
            low = math.log10(lowest) - 0.2
            return LEFT + room * (math.log10(max(value, lowest / 1.5)) - low) / (math.log10(highest) - low)
        return LEFT + room * max(value, 0.0) / highest

    unit = rows[0]["unit"] + (", logarithmic" if logarithmic else "")
    head = escape(what + (f" [{unit}]" if unit else ""))
    parts = [f'<text class="what" x="10" y="{top + 12}">{head}</text>']
    bottom = top + ROW * (len(rows) + 1)
    parts.append(f'<path class="axis" d="M{LEFT} {top + 16}V{bottom}" fill="none"/>')
    for number, one in enumerate(rows, 1):
        y = top + ROW * number + 8
        kind = "ours" if one["subject"].startswith("acmd") else "bar"
        width = max(1.0, at(one["median"]) - LEFT)
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(one["subject"])}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y - 6}" width="{width:.1f}" height="12"/>',
            *(f'<circle class="dot" cx="{at(value):.1f}" cy="{y}" r="2"/>' for value in _few(one["values"])),
            f'<text x="{at(max(one["values"])) + 8:.1f}" y="{y + 4}">{one["median"]:.3g}</text>',
        ]
        limit = one.get("most_median")
        if limit is not None and limit <= highest * 1.1:
            parts.append(f'<path class="promise" d="M{at(limit):.1f} {y - 8}v16"/>')
    return parts


def _few(values: list[float], most: int = 200) -> list[float]:
    """The extremes, and not more dots than can be told apart."""
    ordered = sorted(values)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(at * (len(ordered) - 1) / (most - 1))] for at in range(most)]
