"""The demo in a terminal, live: two nodes side by side, what a client sees, the timeline."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from acmd.cli.demo.node import Node
from acmd.cli.demo.screen import HEADS, cells
from acmd.cli.demo.story import ACT, BAD, CLIENT, GOOD, LOOK_EVERY_S, SCENE, STRIP_S, Event, Result, Story
from acmd.cli.status_rich import ROLES, SERVICES

NODE_COLOURS = ("green", "dodger_blue1")
_EVENTS = {SCENE: "bold", ACT: "bold yellow", CLIENT: "cyan", GOOD: "bold green", BAD: "bold white on red"}
_TIMELINE_LINES = 12
_BAR = 24


class Rich:
    """Implements `screen.Screen` on a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live: Live | None = None
        self._story: Story | None = None

    def begin(self, story: Story) -> None:
        """Start drawing."""
        self._story = story
        self._live = Live(
            console=self._console,
            get_renderable=self._page,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def event(self, event: Event) -> None:
        """The next drawing shows it."""

    def end(self) -> None:
        """Leave the last picture where it is."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def table(self, results: list[Result]) -> None:
        """The final table."""
        table = Table(box=box.ROUNDED, title="acmd demo", title_style="bold", show_lines=False)
        for head in HEADS:
            table.add_column(head, justify="right" if head == "interruption" else "left")
        for result in results:
            table.add_row(*cells(result), style="" if result.ok else "bold red")
        self._console.print(table)

    # -- the picture ------------------------------------------------------------------------------

    def _page(self) -> RenderableType:
        story = self._story
        if story is None:
            return Text()
        head = Text.assemble(
            (f" {story.title or 'getting ready'} ", "bold reverse"),
            f"  {story.now_s():5.1f} s  ",
            (story.explanation, "italic"),
            no_wrap=True,
            overflow="ellipsis",
        )
        nodes = Table.grid(expand=True)
        for _ in story.nodes:
            nodes.add_column(ratio=1)
        nodes.add_row(
            *(self._node(story, node, colour) for node, colour in zip(story.nodes, NODE_COLOURS, strict=True))
        )
        return Group(head, nodes, self._client(story), self._timeline(story))

    def _node(self, story: Story, node: Node, colour: str) -> Panel:
        snapshot = story.snapshots.get(node.name)
        role = "no power" if not node.powered else str(snapshot["role"]) if snapshot else "starting"
        grid = Table.grid(padding=(0, 1))
        grid.add_column(style="dim", min_width=7, no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_row("role", Text(role, ROLES.get(role, "bold red" if not node.powered else "yellow")))
        for label, value in _facts(snapshot if node.powered else None):
            grid.add_row(label, value)
        if node.stalled:
            grid.add_row("storage", Text("HANGS", "bold white on red"))
        serving = story.client.serving == node.name
        return Panel(
            grid,
            title=Text(f"node {node.name}", f"bold {colour}"),
            border_style=colour if serving else "dim",
            box=box.HEAVY if serving else box.ROUNDED,
            height=10,
        )

    def _client(self, story: Story) -> Panel:
        """The last minute from a client's view: one cell for half a second, by who answered."""
        colours = {node.name: colour for node, colour in zip(story.nodes, NODE_COLOURS, strict=True)}
        strip = list(story.strip)
        width = max(20, min(120, self._console.width - 4))
        each = max(1, -(-round(STRIP_S / LOOK_EVERY_S) // width))
        line = Text(no_wrap=True)
        for at in range(0, len(strip), each):
            part = strip[at : at + each]
            names = {name for name in part if name}
            if len(names) == 1 and "" not in part:
                line.append("█", colours[names.pop()])
            else:
                line.append("▁" if not names else "▄", "red" if not names else colours[names.pop()])
        served = story.client.newest()
        title = Text("client, every 8 ms: ", "bold cyan")
        if story.client.serving and served is not None:
            title.append(f"{served.node} answers, epoch {served.epoch}", colours[served.node])
        else:
            title.append(
                f"no answer for {story.client.gap_s():.1f} s" if served else "no answer yet", "bold red"
            )
        return Panel(line, title=title, title_align="left", border_style="cyan", height=3)

    def _timeline(self, story: Story) -> Panel:
        colours = {node.name: colour for node, colour in zip(story.nodes, NODE_COLOURS, strict=True)}
        lines = Text(no_wrap=True, overflow="ellipsis")
        for event in list(story.events)[-_TIMELINE_LINES:]:
            style = _EVENTS.get(event.who) or colours.get(event.who, "")
            lines.append(f"{event.at_s:6.2f} s ", "dim")
            lines.append(f"{event.who:<6} ", style)
            lines.append(f"{event.text}\n", style if event.who in {SCENE, ACT, GOOD, BAD} else "")
        return Panel(
            lines, title="timeline", title_align="left", border_style="dim", height=_TIMELINE_LINES + 2
        )


def _facts(snapshot: dict[str, Any] | None) -> list[tuple[str, Text]]:
    if snapshot is None:
        return []
    facts = [("why", Text(snapshot["reason"]))]
    lease, guard = snapshot["lease"], snapshot["guard"]
    if lease is not None:
        own = lease["holder"] == snapshot["node"]
        whose = "own" if own else f"{lease['holder'] or 'nobody'}'s"
        facts.append(("lease", Text(f"{whose}, epoch {snapshot['epoch']}, sequence {lease['sequence']}")))
        if lease["remaining_s"] is not None:
            until = "renew_deadline_s" if own else "takeover_wait_s"
            left_s = lease["remaining_s"] if own else lease["expires_in_s"]
            what = "to its own stop" if own else "to takeover"
            facts.append(("", _bar(left_s, snapshot["timing"][until], what)))
    armed = f"armed, epoch {guard['epoch']}" if guard["armed"] else "disarmed"
    facts.append(("guard", Text(f"{armed}, gate {guard['gate']}" if guard["alive"] else "does not answer")))
    for row in snapshot["nodes"]:
        if row["name"] == snapshot["node"]:
            for service in row["services"]:
                style = SERVICES.get(service["state"], "yellow")
                facts.append((service["name"], Text(service["state"], style)))
    return facts


def _bar(left_s: float, whole_s: float, what: str) -> Text:
    share = max(0.0, min(1.0, left_s / whole_s))
    full = round(share * _BAR)
    colour = "green" if share > 0.5 else "yellow" if share > 0.2 else "red"
    text = Text("━" * full, colour).append("━" * (_BAR - full), "grey30")
    return text.append(f" {max(0.0, left_s):4.1f} s {what}", "dim")
