"""The demo's client: asks both nodes' web servers every few milliseconds, measures and checks."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from acmd.cli.demo.place import NodePlace

EVERY_S = 0.008
ASK_LIMIT_S = 0.25
SILENCE_S = 0.1
NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class Served:
    """When one epoch's server answered: the first and the last moment, on this machine's clock."""

    epoch: int
    node: str
    first_ns: int
    last_ns: int
    answers: int = 1


class Overlap(Exception):
    """Two nodes answered at the same time, or in the wrong order: what must never happen."""


@dataclass(slots=True)
class Record:
    """All answers so far, and the proof that no two servers' times overlap.

    Answers of an epoch reach from `first_ns` to `last_ns`. An epoch belongs to one node for ever,
    and every moment of an epoch lies before every moment of all higher ones.
    """

    epochs: dict[int, Served] = field(default_factory=dict)
    answers: int = 0

    def add(self, node: str, epoch: int, at_ns: int) -> bool:
        """Take one answer in; True when it is the first of its epoch. Raises Overlap."""
        self.answers += 1
        served = self.epochs.get(epoch)
        new = served is None
        if served is None:
            self.epochs[epoch] = served = Served(epoch, node, at_ns, at_ns)
        elif served.node != node:
            raise Overlap(f"epoch {epoch} was served by {served.node} and by {node}")
        else:
            served.first_ns = min(served.first_ns, at_ns)
            served.last_ns = max(served.last_ns, at_ns)
            served.answers += 1
        for other in self.epochs.values():
            if other.epoch < epoch and other.last_ns >= served.first_ns:
                raise Overlap(_words(other, served))
            if other.epoch > epoch and other.first_ns <= served.last_ns:
                raise Overlap(_words(served, other))
        return new


def _words(earlier: Served, later: Served) -> str:
    behind_ms = (earlier.last_ns - later.first_ns) / 1e6
    return (
        f"{earlier.node} (epoch {earlier.epoch}) still answered {behind_ms:.1f} ms after the first answer of "
        f"{later.node} (epoch {later.epoch})"
    )


def check_servers_records(places: Iterable[NodePlace]) -> Record:
    """The same check on what the servers themselves wrote down, each answer of them. Raises Overlap."""
    record = Record()
    for place in places:
        for line in place.record.read_text().splitlines():
            at_ns, _, epoch = line.partition(" ")
            record.add(place.name, int(epoch), int(at_ns))
    return record


class Client(threading.Thread):
    """Asks all servers in turn, each on a new connection, from `start` to `stop`.

    `tell` gets what changes for a client: the `time.monotonic()` of it, the node, and the words.
    """

    def __init__(self, places: Iterable[NodePlace], tell: Callable[[float, str, str], None]) -> None:
        super().__init__(name="demo-client", daemon=True)
        self.record = Record()
        self.overlap = ""
        self.serving = ""  # who answered last; empty while nobody does
        self.last_ns = 0  # the last answer of anybody
        self.worst_gap_ns = 0
        self._places = tuple(places)
        self._tell = tell
        self._ending = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Until told to stop, or until two nodes answered."""
        while not self._ending.is_set():
            began = time.monotonic()
            for place in self._places:
                self._ask(place)
            if self.serving and time.monotonic_ns() - self.last_ns > SILENCE_S * NS_PER_S:
                self._tell(self.last_ns / NS_PER_S, self.serving, "no answers any more")
                self.serving = ""
            self._ending.wait(max(0.0, EVERY_S - (time.monotonic() - began)))

    def stop(self) -> None:
        """End it."""
        self._ending.set()
        if self.is_alive():
            self.join()

    def gap_s(self) -> float:
        """The longest time without an answer since the last `forget_gap`, the present one included."""
        with self._lock:
            return max(self.worst_gap_ns, time.monotonic_ns() - self.last_ns) / NS_PER_S

    def forget_gap(self) -> None:
        """Measure anew from here."""
        with self._lock:
            self.worst_gap_ns = 0

    def newest(self) -> Served | None:
        """The highest epoch that has answered."""
        with self._lock:
            return max(self.record.epochs.values(), key=lambda served: served.epoch, default=None)

    def _ask(self, place: NodePlace) -> None:
        answer = ask_server(place.port)
        if answer is None:
            return
        node, epoch, at_ns = str(answer["node"]), int(answer["epoch"]), int(answer["at_ns"])
        with self._lock:
            gap_ns = at_ns - self.last_ns if self.last_ns else 0
            self.worst_gap_ns = max(self.worst_gap_ns, gap_ns)
            self.last_ns = max(self.last_ns, at_ns)
            self.serving = node
            try:
                new = self.record.add(node, epoch, at_ns)
            except Overlap as overlap:
                self.overlap = self.overlap or str(overlap)
                return
        if new:
            after = f" after {gap_ns / NS_PER_S:.2f} s without" if gap_ns else ""
            self._tell(at_ns / NS_PER_S, node, f"answers come from {node}, epoch {epoch}{after}")


def ask_server(port: int) -> dict[str, str | int] | None:
    """What the server on that port answers; None when nobody does."""
    with socket.socket() as connection:
        connection.settimeout(ASK_LIMIT_S)
        try:
            connection.connect(("127.0.0.1", port))
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            received = b""
            while piece := connection.recv(4096):
                received += piece
        except OSError:
            return None
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.0 200") or not body.endswith(b"\n"):
        return None
    answer: dict[str, str | int] = json.loads(body)
    return answer
