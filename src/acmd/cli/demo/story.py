"""What happens in the demo, as everybody sees it: events, results, the nodes' latest snapshots."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from acmd.cli.demo.client import Client
from acmd.cli.demo.node import Node
from acmd.cli.demo.place import Place

LOOK_EVERY_S = 0.1
STRIP_S = 60.0

SCENE, ACT, CLIENT, GOOD, BAD = "scene", "act", "client", "good", "bad"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline: seconds since the demo began, who (a node, a kind of above), what."""

    at_s: float
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """How one scene went. `interruption_s` None: not a matter of this scene."""

    scene: str
    expected: str
    measured: str
    interruption_s: float | None
    epochs: str
    ok: bool


@dataclass(slots=True)
class Story:
    """Shared by the scenes, the watcher and the screen; `tell` may be called from any thread."""

    place: Place
    nodes: tuple[Node, ...]
    show: Callable[[Event], None]
    began: float = field(default_factory=time.monotonic)
    title: str = ""
    explanation: str = ""
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=200))
    results: list[Result] = field(default_factory=list)
    snapshots: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    strip: deque[str] = field(default_factory=lambda: deque(maxlen=round(STRIP_S / LOOK_EVERY_S)))
    client: Client = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.client = Client([node.place for node in self.nodes], self._client_tells)

    def now_s(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self.began

    def tell(self, who: str, text: str, at: float | None = None) -> None:
        """One more event, now or at a `time.monotonic()`."""
        at_s = (time.monotonic() if at is None else at) - self.began
        event = Event(at_s, who, text)
        with self._lock:
            self.events.append(event)
            self.show(event)

    def _client_tells(self, at: float, _: str, text: str) -> None:
        self.tell(CLIENT, text, at)

    def node(self, name: str) -> Node:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def other(self, name: str) -> Node:
        """The node that is not of that name."""
        return next(node for node in self.nodes if node.name != name)

    def says(self, name: str, key: str) -> Any:
        """One value of a node's latest snapshot, None without one."""
        snapshot = self.snapshots.get(name)
        return None if snapshot is None else snapshot.get(key)


class Watcher(threading.Thread):
    """Asks each daemon for its status every tenth of a second, and tells what has changed."""

    def __init__(self, story: Story) -> None:
        super().__init__(name="demo-watcher", daemon=True)
        self._story = story
        self._ending = threading.Event()
        self._told: dict[str, tuple[Any, ...]] = {}

    def run(self) -> None:
        """Until told to stop."""
        while not self._ending.wait(LOOK_EVERY_S):
            for node in self._story.nodes:
                self._look(node)
            self._story.strip.append(self._story.client.serving)

    def stop(self) -> None:
        """End it."""
        self._ending.set()
        if self.is_alive():
            self.join()

    def _look(self, node: Node) -> None:
        snapshot = node.status()
        self._story.snapshots[node.name] = snapshot
        if snapshot is None:
            return
        told = (snapshot["role"], snapshot["reason_code"])
        if told != self._told.get(node.name):
            self._told[node.name] = told
            reason = f": {snapshot['reason']}" if snapshot["reason"] else ""
            self._story.tell(node.name, f"{snapshot['role']}{reason}")
