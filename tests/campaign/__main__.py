"""Random faults on real hosts, judged by an independent witness.

python -m tests.campaign --faults 40 --seed 7                 on two hosts with a real systemd (root)
python -m tests.campaign --faults 40 --agent                  the same with a required fence agent
python -m tests.campaign --only "storage errors;clock"        classes, or faults by their names
python -m tests.campaign --hours 1 --sample                   a soak: what must stay flat is plotted
python -m tests.campaign --list                               the catalogue
python -m tests.campaign --report RESULTS SAMPLES             write docs/faults.{json,md} and docs/soak.svg
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from tests.campaign import report
from tests.campaign.catalogue import FAULTS, choices
from tests.campaign.place import CAN, Place
from tests.campaign.place_uml import CAN_UML, UmlPlace
from tests.campaign.runner import Runner
from tests.campaign.sampling import Sampler
from tests.hosts.bed import missing_needs
from tests.hosts.image import REPO, build_template
from tests.hosts.storage import faultfs_available

OUT = REPO / "bench/out/campaign"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__, formatter_class=raw)
    made.add_argument("--faults", type=int, default=40)
    made.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    made.add_argument("--bed", choices=("nspawn", "uml"), default="nspawn")
    made.add_argument("--nfs", choices=("3", "4.2"), default="4.2", help="version, on the bed uml")
    made.add_argument("--profile", choices=("fast", "standard"), default="fast")
    made.add_argument("--agent", action="store_true", help="with a fence agent that is required")
    made.add_argument(
        "--only", default="", metavar="CLASS", help="a class, or a fault; more than one with ; between"
    )
    made.add_argument("--hours", type=float, default=float("inf"), help="no new fault after that")
    made.add_argument("--sample", action="store_true", help="sample what must stay flat, and plot it")
    made.add_argument("--go-on", action="store_true", help="do not stop at a violation")
    made.add_argument("--list", action="store_true")
    made.add_argument("--report", nargs="*", type=Path, metavar="RESULTS")
    made.add_argument("--remark", action="append", default=[], help="for the report's reader")
    return made


def main() -> int:
    """0 when nothing was violated and the cluster was whole after each fault."""
    wish = parser().parse_args()
    if wish.list:
        for fault in FAULTS:
            print(
                f"{fault.group:26} {fault.name:50} {'/'.join(fault.sides):15}",
                fault.documented_limit(wish.agent),
            )
        return 0
    if wish.report is not None:
        report.publish(wish.report, wish.remark)
        return 0
    lack = missing_needs() or ("" if faultfs_available() else "needs the Python package pyfuse3")
    if lack:
        print(lack, file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    return campaign(wish)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def campaign(wish: argparse.Namespace) -> int:
    """Run it; a line for each fault as it goes."""
    agent = "agent" if wish.agent else "plain"
    name = f"{wish.bed}-{wish.profile}-{agent}-{wish.seed}-{time.strftime('%H%M%S')}"
    template = build_template()
    sampler = Sampler(OUT / f"{name}.samples") if wish.sample else None
    with tempfile.TemporaryDirectory(prefix="acmd-campaign-") as scratch:
        wheels = build_wheel(Path(scratch))

        def make() -> Place:
            common = {"profile": wish.profile, "agent": wish.agent, "template": template, "wheels": wheels}
            return UmlPlace(**common, nfs=wish.nfs) if wish.bed == "uml" else Place(**common)

        runner = Runner(make, wish.seed, OUT / f"{name}.jsonl", lambda line: print(line, flush=True))
        runner.stop_at_violation = not wish.go_on
        if sampler is not None:
            runner.sampled = sampler.take
        can = CAN_UML if wish.bed == "uml" else CAN
        sequence = choices(random.Random(wish.seed), can, wish.only, profile=wish.profile)
        try:
            outcomes = runner.run(sequence, wish.faults, time.monotonic() + 3600 * wish.hours)
        finally:
            if sampler is not None and sampler.file.exists():
                print(f"plotted: {sampler.plot()}")
    violations = [outcome for outcome in outcomes if outcome.violation()]
    broken = [outcome for outcome in outcomes if not outcome.whole]
    print(
        f"{len(outcomes)} faults, {len(violations)} violations, {len(broken)} times not whole;",
        runner.results,
    )
    return int(bool(violations or broken))


def build_wheel(directory: Path) -> Path:
    """acmd's wheel, as the upgrade installs it."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(directory), str(REPO)]
    if importlib.util.find_spec("hatchling") is not None:
        command.append("--no-build-isolation")  # else pip fetches what builds it
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return directory


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
