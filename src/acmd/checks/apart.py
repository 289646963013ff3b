"""The checks in a process of their own: one that hangs is given up, and another process goes on after it.

Whatever a check may hang on (a file that turns out to be on dead storage, a name service, a server that
accepts and says nothing), it has a limit, and the report says that this could not be looked at.
`python -m acmd.checks.apart` reads a subject and the ids of checks from its standard input.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from acmd.checks import registry
from acmd.checks.finding import Check, Finding, ko
from acmd.checks.subject import Subject, give_up

LIMIT_S = 25.0  # longer than all that a check waits for by its own limits
START_LIMIT_S = 30.0
HANGS = (
    "something that it looks at does not answer: `findmnt -t nfs,nfs4` names mounts, "
    "`timeout 5 getent passwd root` tries the name service"
)


def run(
    subject: Subject, checks: Sequence[Check] = registry.ALL, limit_s: float = LIMIT_S
) -> Iterator[tuple[Check, Finding]]:
    """Each finding as it comes, in the order of the checks. What hangs is a KO of its own."""
    left = {check.id: check for check in checks}
    while left:
        looker = Looker(subject, left)
        try:
            for name in tuple(left):
                check = left.pop(name)
                for finding in looker.findings(limit_s):
                    yield check, finding
                if not looker.answers:
                    yield check, ko(f"{check.about.rstrip('.')}: {looker.because}", HANGS)
                    break
        finally:
            looker.end()


class Looker:
    """The process. `answers` is False from the moment that it did not."""

    def __init__(self, subject: Subject, ids: Iterable[str]) -> None:
        self.answers = True
        self.because = ""
        self._buffer = b""
        self._started = False
        # -P: what lies in the current directory is not imported
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "acmd.checks.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # else what hangs in the kernel would hold the caller's pipe
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            start_new_session=True,
        )
        if self._child.stdin is not None:
            self._child.stdin.write(pickle.dumps((subject, tuple(ids))))
            self._child.stdin.close()

    def findings(self, limit_s: float) -> Iterator[Finding]:
        """Those of the next check. `limit_s` is for all of them together."""
        if not self._started:
            self._started = self._line(time.monotonic() + START_LIMIT_S) is not None
        deadline = time.monotonic() + limit_s
        while self.answers:
            line = self._line(deadline)
            if line is None:
                self.because = self.because or f"no answer within {limit_s:g} s, given up"
            elif not line:
                return
            else:
                yield pickle.loads(bytes.fromhex(line.decode()))  # noqa: S301 - our own process's

    def end(self) -> None:
        """Leave nothing running."""
        give_up(self._child)

    def _last_words(self) -> str:
        pipe = self._child.stderr
        if pipe is None or not select.select([pipe], [], [], 0)[0]:
            return ""
        words = os.read(pipe.fileno(), 65536).decode("utf-8", "replace").strip()
        return f": {words.splitlines()[-1]}" if words else ""

    def _line(self, deadline: float) -> bytes | None:
        """The next line; None when there is none by the deadline, and never will be."""
        if self._child.stdout is None:
            raise RuntimeError("a process without a pipe")
        while self.answers and b"\n" not in self._buffer:
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self._child.stdout], [], [], left_s)[0]:
                self.answers = False
            elif piece := os.read(self._child.stdout.fileno(), 65536):
                self._buffer += piece
            else:
                self.answers = False
                self.because = f"the process that looked ended with {self._child.wait()}{self._last_words()}"
        if not self.answers:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def main(say: Callable[[str], object] = sys.stdout.write) -> int:
    """Print an empty line at the start; each finding; an empty line after each check."""
    subject, ids = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own process's
    known = {check.id: check for check in registry.ALL}
    _tell(say)
    for name in ids:
        for finding in registry.findings(subject, known[name]):
            _tell(say, pickle.dumps(finding).hex())
        _tell(say)
    return 0


def _tell(say: Callable[[str], object], line: str = "") -> None:
    say(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
