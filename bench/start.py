"""How long `acmd status` and the daemon's start take, cold and warm, and what Python imports for them.

Cold: the page cache has none of Python's and acmd's own files; each is given back with posix_fadvise, which
leaves the rest of the machine alone (pages that a running process has mapped stay).
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import acmd
from acmd.cli.demo import place as places
from acmd.cli.demo.direct import make_cluster
from bench.program import options
from bench.results import Report, Series, say
from tests.unit.cli_daemon import configuration, daemon, snapshot

PROMISE_MS = 300.0
READY_LIMIT_S = 30.0
_ROW = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)$", re.MULTILINE)

ABOUT = """From the start of the process to its end, with standard output in a pipe; the daemon from its
start to READY=1, on the directory of a cluster of one node on a local disk. Wall time depends on what
else the machine does, processor time is what the command itself costs. Cold: none of Python's and
acmd's own files in the page cache."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(acmd.__file__).parent.parent)}


def status(config: Path, *options_of_python: str) -> subprocess.CompletedProcess[str]:
    """One `acmd status`."""
    line = [sys.executable, *options_of_python, "-m", "acmd", "status", "--config", str(config)]
    return subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of all processes that it waits for, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    work()
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * wall_s, 1000 * cpu_s


def code_files() -> list[str]:
    """Everything that Python and acmd may read to start."""
    roots = {Path(acmd.__file__).parent, Path(os.__file__).parent}
    roots |= {Path(path) for path in sys.path if path.endswith("site-packages")}
    files = [path for root in roots for path in root.rglob("*") if path.suffix in {".py", ".pyc", ".so"}]
    return [*map(str, files), os.path.realpath(sys.executable)]


def forget(files: list[str]) -> None:
    """Give their pages back."""
    for name in files:
        with contextlib.suppress(OSError):
            descriptor = os.open(name, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def until_ready(config: Path) -> float:
    """Milliseconds from the daemon's start to READY=1; then it is told to end."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"{directory}/notify")
        told.settimeout(READY_LIMIT_S)
        began = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-m", "acmd", "run", "--config", str(config)],
            env=ENVIRONMENT | {"NOTIFY_SOCKET": f"{directory}/notify"},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while b"READY=1" not in told.recv(4096):
                pass
            return 1000 * (time.monotonic() - began)
        finally:
            child.terminate()
            child.wait(READY_LIMIT_S)


@contextlib.contextmanager
def cluster_of_one() -> Iterator[Path]:
    """The configuration of a node that is alone."""
    place = places.make("fast", ("a",))
    try:
        make_cluster(place)
        yield place.nodes[0].config
    finally:
        place.remove()


def measure_status(report: Report, rounds: int, files: list[str]) -> str:
    """With and without a daemon; returns the slowest imports in words."""
    with tempfile.TemporaryDirectory() as directory:
        config = configuration(Path(directory))
        with daemon(Path(directory), snapshot()):
            add(report, "beside a daemon", rounds, files, lambda: status(config))
            imports = slowest_imports(config)
        (Path(directory) / "run" / "control.sock").unlink()
        init = [sys.executable, "-m", "acmd", "init", "--config", str(config)]
        subprocess.run(init, check=True, capture_output=True, env=ENVIRONMENT)
        add(report, "without a daemon", rounds, files, lambda: status(config))
    return imports


def add(report: Report, how: str, rounds: int, files: list[str], work: Callable[[], object]) -> None:
    """Warm and cold."""
    work()
    warm = [timed(work) for _ in range(rounds)]
    cold = []
    for _ in range(max(3, rounds // 4)):
        forget(files)
        cold.append(timed(work)[0])
    what = f"acmd status {how}"
    report.add(Series(what, "acmd warm", "ms", [wall for wall, _ in warm], most_median=PROMISE_MS))
    report.add(Series(what, "acmd cold", "ms", cold))
    report.add(Series(what, "acmd warm, processor", "ms", [cpu for _, cpu in warm]))
    say(f"{what}: done")


def slowest_imports(config: Path, most: int = 10) -> str:
    """Where the time of `acmd status` goes, by -X importtime."""
    found = _ROW.findall(status(config, "-X", "importtime").stderr)
    total_ms = sum(int(own_us) for own_us, _ in found) / 1000
    worst = sorted(((int(own_us) / 1000, name) for own_us, name in found), reverse=True)[:most]
    words = ", ".join(f"`{name}` {own_ms:.1f}" for own_ms, name in worst)
    return f"`acmd status` imports {len(found)} modules in {total_ms:.0f} ms; the slowest, in ms: {words}."


def main() -> int:
    """Measure, print, write. 1 when the promise was not kept by the median."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, help="default: 40")
    args = parser.parse_args()
    rounds = args.rounds or (4 if args.quick else 40)
    report = Report("start", "Start of the command and of the daemon", ABOUT)
    files = code_files()
    imports = measure_status(report, rounds, files)
    with cluster_of_one() as config:
        until_ready(config)
        what, warm, cold = "daemon, start to READY", [], []
        for _ in range(max(3, rounds // 4)):
            warm.append(until_ready(config))
            forget(files)
            cold.append(until_ready(config))
        report.add(Series(what, "acmd warm", "ms", warm))
        report.add(Series(what, "acmd cold", "ms", cold))
    report.remark(imports)
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
