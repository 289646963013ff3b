"""The independent witness' verdict: reads what the stampers and the client wrote, and nothing of acmd."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from tests.hosts.witness import NS_PER_S, Run, overlaps_ns

TAIL_BYTES = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One row that the server acknowledged to the client."""

    number: int
    at_ns: int
    address: str


@dataclass(slots=True)
class Rows:
    """The client's log, read further each time."""

    log: Path
    seen: list[Row] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> list[Row]:
        """Every acknowledged row so far, in order."""
        if self.log.exists():
            with self.log.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._offset += len(whole)
            for line in whole.decode().splitlines():
                number, at_ns, address = line.split()
                self.seen.append(Row(int(number), int(at_ns), address))
        return self.seen

    def since(self, at_ns: int) -> list[Row]:
        """The rows acknowledged at that instant or later."""
        rows = self.read()
        late = list(itertools.takewhile(lambda row: row.at_ns >= at_ns, reversed(rows)))
        return late[::-1]

    def interruption_s(self, since_ns: int) -> float:
        """The longest time without an acknowledged row that ended after `since_ns`."""
        rows = self.read()
        late = self.since(since_ns)
        before = rows[-len(late) - 1 :] if len(rows) > len(late) else late
        gaps = [later.at_ns - earlier.at_ns for earlier, later in itertools.pairwise(before)]
        return max(gaps, default=0) / NS_PER_S


@dataclass(slots=True)
class Stamps:
    """The stampers' files; a file that did not change is not read again."""

    directory: Path
    _known: dict[Path, tuple[int, Run]] = field(default_factory=dict)

    def runs(self) -> list[Run]:
        """All runs so far, in the order of their starts."""
        if not self.directory.is_dir():
            return []
        found = [run for path in self.directory.glob("*-*-*") if (run := self._run(path)) is not None]
        return sorted(found, key=lambda run: run.first_ns)

    def _run(self, path: Path) -> Run | None:
        size = path.stat().st_size
        known = self._known.get(path)
        if known is not None and known[0] == size:
            return known[1]
        with path.open("rb") as file:
            first = file.read(TAIL_BYTES)
            file.seek(max(0, size - TAIL_BYTES))
            last = file.read()
        if b"\n" not in first:
            return None
        node, epoch, _ = path.name.rsplit("-", 2)
        # The last whole line: the one being written, or half of it after a power loss, does not count.
        stamp = int(last[: last.rindex(b"\n")].rsplit(b"\n", 1)[-1])
        run = Run(node, int(epoch), int(first.split(b"\n")[0]), stamp, 0)
        self._known[path] = (size, run)
        return run

    def running(self, now_ns: int, within_s: float = 0.5) -> set[str]:
        """Hosts on which it stamped within the last `within_s`."""
        return {run.node for run in self.runs() if now_ns - run.last_ns < within_s * NS_PER_S}

    def overlap_ns(self, since_ns: int) -> int:
        """The longest overlap of two hosts, among the runs that were there at `since_ns` or later."""
        recent = [run for run in self.runs() if run.last_ns >= since_ns]
        return max((max(1, length) for _, _, length in overlaps_ns(recent)), default=0)

    def takeover_s(self, since_ns: int) -> float | None:
        """From `since_ns` to the first stamp on another host than the one that ran before; None when there
        was none.
        """
        before = [run for run in self.runs() if run.first_ns < since_ns]
        if not before:
            return None
        after = [run for run in self.runs() if run.first_ns >= since_ns and run.node != before[-1].node]
        return (after[0].first_ns - since_ns) / NS_PER_S if after else None


@dataclass(slots=True)
class LateWrites:
    """What writers on network storage left in the file of their epoch, as the file server has it.

    Once a later epoch has a file, that of an earlier one may not change any more.
    """

    _ended: dict[str, dict[int, str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def look(self, text: str) -> list[str]:
        """What changed after its end since the last look, by lines of `MODE-EPOCH: CONTENT`."""
        found: dict[str, dict[int, str]] = {}
        for line in text.splitlines():
            name, _, content = line.partition(": ")
            mode, _, number = name.rpartition("-")
            if content and number.isdigit():
                found.setdefault(mode, {})[int(number)] = content
        late = []
        for mode, files in found.items():
            ended = self._ended.setdefault(mode, {})
            for epoch in sorted(files)[:-1]:
                before = ended.setdefault(epoch, files[epoch])
                if before != files[epoch]:
                    late.append(f"{mode} write of epoch {epoch} landed late: {before} became {files[epoch]}")
                    ended[epoch] = files[epoch]
        self.seen += late
        return late


def numbers(text: str) -> set[int]:
    """What a query for numbers printed."""
    return {int(word) for word in text.split() if word.isdigit()}
