"""Showing the demo: plain lines. In a terminal `screen_rich` shows it live instead."""

from __future__ import annotations

from typing import Protocol

from acmd.cli.demo.story import ACT, BAD, CLIENT, GOOD, SCENE, Event, Result, Story

_MARKS = {SCENE: "##", ACT: "!!", CLIENT: "client", GOOD: "ok", BAD: "FAILED"}
HEADS = ("scene", "expected", "interruption", "epochs", "what happened")


class Screen(Protocol):
    """Where the demo is seen."""

    def begin(self, story: Story) -> None:
        """Before the first event."""
        ...

    def event(self, event: Event) -> None:
        """One more line of the timeline; called from any thread."""
        ...

    def end(self) -> None:
        """No more events."""
        ...

    def table(self, results: list[Result]) -> None:
        """The final table."""
        ...


class Plain:
    """One line an event; for logs, pipes and tests."""

    def begin(self, story: Story) -> None:
        """Say where it happens."""
        print(f"acmd demo in {story.place.root}", flush=True)

    def event(self, event: Event) -> None:
        """Print it."""
        if event.who == SCENE:
            print(flush=True)
        print(f"{event.at_s:7.2f} s  {_MARKS.get(event.who, event.who):<6}  {event.text}", flush=True)

    def end(self) -> None:
        """Nothing to be done."""

    def table(self, results: list[Result]) -> None:
        """Aligned columns."""
        rows = [HEADS, *map(cells, results)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS))]
        print()
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        print(flush=True)


def cells(result: Result) -> tuple[str, ...]:
    """A row of the final table."""
    gap_s = result.interruption_s
    gap = "-" if gap_s is None else f"{gap_s:.2f} s" if gap_s >= 0.1 else "none"
    scene = result.scene if result.ok else f"FAILED: {result.scene}"
    return scene, result.expected, gap, result.epochs or "-", result.measured


def verdict(results: list[Result], overlap: str) -> str:
    """The last line."""
    if overlap:
        return f"FAILED: two nodes answered: {overlap}"
    if not results or not all(result.ok for result in results):
        return "FAILED: a scene did not go as it must"
    return "At no instant did two nodes answer."
