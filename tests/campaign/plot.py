"""A plain SVG of a few curves; nothing but the standard library."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, MARGIN, TITLE = 640, 120, 50, 30
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Series:
    """One panel: a title, and a curve for each name."""

    title: str
    curves: dict[str, Points]


def chart(title: str, panels: list[Series]) -> str:
    """All panels, one below the other, over the same time in minutes."""
    end = (
        max((x for panel in panels for points in panel.curves.values() for x, _ in points), default=1.0)
        or 1.0
    )
    height = TITLE + len(panels) * (HEIGHT + MARGIN) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 2 * MARGIN}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{MARGIN}" y="20" font-size="14">{escape(title)}, minutes</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TITLE + number * (HEIGHT + MARGIN) + 15, end)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Series, top: int, end: float) -> list[str]:
    highest = max((y for points in panel.curves.values() for _, y in points), default=0.0) * 1.1 or 1.0
    bottom = top + HEIGHT
    parts = [
        f'<text x="{MARGIN}" y="{top - 4}">{escape(panel.title)}</text>',
        f'<path d="M{MARGIN} {top}V{bottom}H{MARGIN + WIDTH}" fill="none" stroke="#888"/>',
        f'<text x="{MARGIN - 4}" y="{top + 9}" text-anchor="end">{highest:.0f}</text>',
        f'<text x="{MARGIN - 4}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{MARGIN + WIDTH}" y="{bottom + 13}" text-anchor="end">{end:.0f}</text>',
    ]
    for index, (name, points) in enumerate(panel.curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        where = " ".join(
            f"{MARGIN + WIDTH * x / end:.1f},{bottom - HEIGHT * y / highest:.1f}" for x, y in points
        )
        parts.append(f'<polyline points="{where}" fill="none" stroke="{colour}"/>')
        x = MARGIN + WIDTH - 60 * (index + 1)
        parts.append(f'<text x="{x}" y="{top - 4}" fill="{colour}">{escape(name)}</text>')
    return parts
