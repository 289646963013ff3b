"""acmd side by side with what one would take instead: takeover, planned move, two active copies (root).

    python bench/compare.py [--peers acmd,keepalived,...] [--faults power,...] [--rounds N] [--out DIR]

Every peer runs on fresh hosts with a real systemd (tests/hosts), has the same service, and is judged by that
service's own stamps. Each round is kept at once in DIR/compare/PEER.json: with `--continue` a run that was
cut short goes on where it was. Peers may be measured by several of these programs at a time. `--report` only
writes the table, the JSON file and the page of what is there.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import program
from bench.peers import PEERS, report
from bench.peers.faults import FAULTS, play
from bench.peers.image import build, versions
from bench.peers.peer import Peer, PeerError
from tests.hosts.bed import Bed, missing_needs
from tests.hosts.image import Template
from tests.hosts.inside import HostError

ROUNDS = {"power": 5, "partition": 2, "isolation": 3, "kill": 3, "stop": 3, "move": 5}
OURS = "quick"  # the lane that acmd is in
SLOW_S = 100.0  # a peer that may take longer than this for one takeover gets few rounds
SLOW_ROUNDS = {"power": 2, "partition": 1, "isolation": 1, "kill": 1, "stop": 1, "move": 1}
TAKEN_OVER = {"power", "isolation"}  # somebody takes over, or the manager's words are kept
WORDS = 200  # of its last lines on each host
TRIES = 3  # how often a peer is put on fresh hosts because it did not become whole


class Rounds:
    """A peer's file: every round so far."""

    def __init__(self, directory: Path, peer: type[Peer]) -> None:
        self.path = directory / report.NAME / f"{peer.name}.json"
        self._peer = peer
        self.told: dict[str, Any] = {
            "peer": peer.name,
            "title": peer.title,
            "versions": {},
            "rounds": [],
            "failed": [],
            "untaken": [],
        }
        if self.path.exists():
            self.told = json.loads(self.path.read_text())

    def of(self, fault: str) -> list[dict[str, Any]]:
        """The rounds of one fault."""
        return [found for found in self.told["rounds"] if found["fault"] == fault]

    def left(self, order: list[str]) -> list[str]:
        """Of these rounds, those that are not there yet."""
        left = list(order)
        for found in self.told["rounds"]:
            if found["fault"] in left:
                left.remove(found["fault"])
        return left

    def keep(self, key: str, value: Any) -> None:
        """Add it to a list, on the disk at once."""
        self.told.setdefault(key, []).append(value)
        self.write()

    def write(self) -> None:
        """Whole, or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(found) for found in self.told["rounds"]]
        head = {key: value for key, value in self.told.items() if key != "rounds"}
        text = (
            json.dumps(head, indent=2)[:-2] + ',\n  "rounds": [\n    ' + ",\n    ".join(lines) + "\n  ]\n}\n"
        )
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)


def wanted(peer: type[Peer], faults: list[str], rounds: int) -> list[str]:
    """The faults that are measured with it, in an order that spreads each over the run."""
    counts = SLOW_ROUNDS if peer.limit_s > SLOW_S else ROUNDS
    chosen = [fault for fault in faults if fault not in peer.cannot]
    if not peer.shared_storage:
        chosen = [fault for fault in chosen if fault != "isolation"]
    left = {fault: rounds or counts[fault] for fault in chosen}
    order = []
    while any(left.values()):
        for fault in chosen:
            if left[fault]:
                left[fault] -= 1
                order.append(fault)
    return order


def measure(kind: type[Peer], order: list[str], kept: Rounds, template: Template) -> None:
    """Those rounds that are not there yet. What goes wrong is kept too, and the next fresh hosts go on."""
    order = kept.left(order)
    tries, doing = 0, ""
    while order and tries < TRIES:
        try:
            with Bed(kind.names, storage=kind.storage, template=template) as bed:
                peer = kind(bed)
                peer.prepare()
                for host in bed.hosts:
                    host.exec(["sync", "-f", "/"])
                doing = ""
                peer.start()
                while order:
                    doing = order[0]
                    found, mend = play(peer, order[0], len(kept.told["rounds"]))
                    if order[0] in TAKEN_OVER and not found.took_over:
                        kept.keep("untaken", {"fault": order[0], "at": found.at, "words": peer.words(WORDS)})
                    kept.keep("rounds", found.as_json())
                    say(kind, f"{found}")
                    del order[0]
                    mend()
        except (PeerError, HostError) as error:
            tries += 1
            say(kind, f"{doing or 'start'}: {error}")
            kept.keep("failed", {"fault": doing or "start", "error": str(error)[:600]})


def say(kind: type[Peer], text: str) -> None:
    """A line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {kind.name}: {text}", flush=True)


def lanes(peers: list[type[Peer]]) -> dict[str, list[str]]:
    """Who is measured after whom: each lane is a process of its own."""
    found: dict[str, list[str]] = {}
    for peer in peers:
        found.setdefault(peer.lane, []).append(peer.name)
    return found


def beside_one_another(peers: list[type[Peer]], options: list[str]) -> None:
    """All lanes. Those of slow peers do little but wait and run beside all; acmd's has no other beside it."""
    command = [sys.executable, __file__, "--lane", "--no-report", *options, "--peers"]
    slow = {peer.lane for peer in peers if peer.limit_s > SLOW_S}
    found = lanes(peers)
    running: list[subprocess.Popen[bytes]] = []

    def start(chosen: set[str]) -> list[subprocess.Popen[bytes]]:
        begun = [subprocess.Popen([*command, ",".join(found[lane])]) for lane in found if lane in chosen]
        running.extend(begun)
        return begun

    try:
        start(slow)
        for stage in ({OURS}, found.keys() - slow - {OURS}):
            for process in start(set(stage)):
                process.wait()
        for process in running:
            process.wait()
    finally:
        for process in running:
            process.terminate()
            process.wait()


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = program.options(__doc__)
    parser.add_argument("--peers", default=",".join(PEERS), help="default: %(default)s")
    parser.add_argument("--faults", default=",".join(FAULTS), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=0, help="of each fault (default: by how long it takes)")
    parser.add_argument("--json-dir", type=Path, dest="out", metavar="DIR", help="the same as --out")
    parser.add_argument(
        "--continue", action="store_true", dest="go_on", help="keep the rounds that are there"
    )
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--no-report", action="store_true", help="only measure")
    parser.add_argument("--lane", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        args.peers, args.faults, args.rounds = "acmd,keepalived", "power,move", 1
    return args


def main() -> int:
    """Measure what is missing, then write what is there."""
    args = arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # a bed is removed on the way out
    peers = [PEERS[name] for name in args.peers.split(",")]
    if lack := missing_needs():
        return program.cannot(lack)
    if not args.report:
        template = build()
        if not args.go_on and not args.lane:
            for kind in peers:
                Rounds(args.out, kind).path.unlink(missing_ok=True)
        if not args.lane and len(lanes(peers)) > 1:
            passed = ["--out", str(args.out), "--faults", args.faults, "--rounds", str(args.rounds)]
            beside_one_another(peers, passed)
        else:
            found = versions(template)
            for kind in peers:
                kept = Rounds(args.out, kind)
                kept.told["versions"] = {name: found[name] for name in kind.packages}
                if kept.told.setdefault("missing", kind.missing()):
                    kept.write()
                    say(kind, kept.told["missing"])
                    continue
                measure(kind, wanted(kind, args.faults.split(","), args.rounds), kept, template)
    return program.KEPT if args.no_report else report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
