"""Puts the demo together: place, nodes, client, watcher and screen; and cleans up whatever happens."""

from __future__ import annotations

import contextlib
import io

from acmd.cli import init
from acmd.cli.demo import place as places
from acmd.cli.demo.node import Node
from acmd.cli.demo.scenes import SCENES, play
from acmd.cli.demo.screen import Screen, verdict
from acmd.cli.demo.stage import Stage
from acmd.cli.demo.story import Story, Watcher
from acmd.cli.main import Parser
from acmd.core.timing import PROFILES

PROFILE = "fast"
SHORT = ("start and election", "planned switchover", "power loss", "shutdown", "proof")


def direct(screen: Screen, *, keep: bool = False, short: bool = False) -> bool:
    """Play it on a screen. True when all went as it must. Leaves no process, and no file but with `keep`."""
    place = places.make(PROFILE)
    nodes = tuple(Node(node) for node in place.nodes)
    story = Story(place, nodes, screen.event)
    watcher = Watcher(story)
    scenes = tuple(scene for scene in SCENES if not short or scene[0] in SHORT)
    try:
        make_cluster(place)
        screen.begin(story)
        watcher.start()
        went_well = play(Stage(story, PROFILES[PROFILE]), scenes)
    finally:
        _end_quietly(story, watcher, screen)
        if not keep and not _failed(story):
            place.remove()
    screen.table(story.results)
    print(verdict(story.results, story.client.overlap))
    if not went_well:
        for node in nodes:
            print(f"\nthe last words of node {node.name}:\n{node.last_words()}")
    if keep:
        print(f"kept: {place.root}")
    else:
        place.remove()
    return went_well


def _failed(story: Story) -> bool:
    """Whether the logs are still to be shown."""
    return bool(story.results) and not story.results[-1].ok


def _end_quietly(story: Story, watcher: Watcher, screen: Screen) -> None:
    """In this order: nobody is to be shown dying who was told to."""
    watcher.stop()
    story.client.stop()
    screen.end()
    for node in story.nodes:
        node.close()


def make_cluster(place: places.Place) -> None:
    """`acmd init`, as an operator would; its warning about the root disk is out of place here."""
    parser = Parser(prog="acmd init")
    parser.add_argument("--config")
    args = parser.parse_args(["--config", str(place.nodes[0].config)])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        init.run(args)
