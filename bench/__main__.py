"""Measure everything, one part after the other: `make bench`, or `python -m bench [--only NAME] [--quick]`.

Each part is a program of this directory and runs in a process of its own with a limit. It writes NAME.json
and NAME.svg; then the page docs/performance/README.md and the figures in README.md are made from the files.
A part that cannot run here is skipped with its reason, and its earlier files stay. As root everything runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import acmd
from bench import document
from bench.parts import PARTS, Part
from bench.program import CANNOT, KEPT, MISSED, PUBLISHED, ROOT
from bench.results import say

ENDING_S = 60.0
FAILED = -1


@dataclass(frozen=True, slots=True)
class Ended:
    """How a part went."""

    part: Part
    code: int
    took_s: float
    said: str = ""

    def words(self) -> str:
        """For the table at the end."""
        known = {KEPT: "measured", MISSED: "a promise was missed", CANNOT: f"skipped: {self.said}"}
        return known.get(self.code, f"failed: {self.said or self.code}")


def run(part: Part, quick: bool, out: Path) -> Ended:
    """One part, for its limit at most; then it is asked to end as by ^C, and killed if it does not."""
    limit_s = part.quick_limit_s if quick else part.limit_s
    command = [sys.executable, "-m", f"bench.{part.name}", "--out", str(out), *["--quick"] * quick]
    sources = os.pathsep.join((str(Path(acmd.__file__).parent.parent), str(ROOT)))
    began, begun_s = time.monotonic(), time.time()
    errors = out / f".{part.name}.stderr"
    with errors.open("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=said, start_new_session=True, env=os.environ | {"PYTHONPATH": sources}
        )
        try:
            code, words = process.wait(limit_s), ""
        except subprocess.TimeoutExpired:
            code, words = FAILED, f"not done within {limit_s:g} s"
        finally:
            _end(process)
        said.seek(0)
        lines = [line.strip() for line in said if line.strip()]
    errors.unlink()
    written = out / f"{part.name}.json"
    if code == MISSED and not (written.exists() and written.stat().st_mtime >= begun_s):
        code = FAILED  # Python's own exit code for an exception is 1 as well
    if code not in {KEPT, MISSED}:
        words = words or (lines[-1] if lines else "")
        say("\n".join(lines[-20:]))
    return Ended(part, code, time.monotonic() - began, words.removeprefix("cannot be measured here: "))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its cleaning up included; nothing of it is left."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main() -> int:
    """Measure, write, tell. 1 when a promise was missed or a part failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.formatter_class = argparse.RawTextHelpFormatter
    parser.add_argument("--list", action="store_true", help="what there is, and how long it may take")
    parser.add_argument("--only", action="append", choices=[part.name for part in PARTS], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="few rounds; never into docs/performance")
    parser.add_argument("--out", type=Path, help="default: docs/performance; with --quick bench/out/quick")
    args = parser.parse_args()
    # A shell's background jobs ignore ^C, and would hand that down to the parts that are ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if args.list:
        for part in PARTS:
            print(f"{part.name:15} at most {part.limit_s:g} s, quick {part.quick_limit_s:g} s: {part.what}")
        return 0
    out = (args.out or (ROOT / "bench/out/quick" if args.quick else PUBLISHED)).resolve()
    out.mkdir(parents=True, exist_ok=True)
    ended = []
    for part in PARTS:
        if not args.only or part.name in args.only:
            say(f"--- {part.name}: {part.what}")
            ended.append(run(part, args.quick, out))
    document.write(out)
    for end in ended:
        say(f"{end.part.name:15} {end.took_s:5.0f} s  {end.words()}")
    return int(any(end.code not in {KEPT, CANNOT} for end in ended))


if __name__ == "__main__":
    sys.exit(main())
