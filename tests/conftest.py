"""What holds for every test: Hypothesis without a clock, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psutil
import pytest

# Machines differ in speed, so no example fails for being slow; CI replays the same examples every time and
# everybody else's runs look for new ones.
hypothesis.settings.register_profile("dev", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", parent=hypothesis.settings.get_profile("dev"), derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")

FAILED_LIST = "ACMD_FAILED_LIST"
"""Variable naming a file that gets the id of each failed test, one a line: `.ci/run` tries those again."""

_LAST_WORDS_S = 2.0
_PYTHON_S_OWN = "multiprocessing.resource_tracker"  # ends with the interpreter


def _ours() -> list[psutil.Process]:
    """Descendants of this test run, without helpers of the interpreter itself."""
    ours = []
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE and _PYTHON_S_OWN not in " ".join(child.cmdline()):
                ours.append(child)
        except psutil.NoSuchProcess:
            continue
    return ours


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what failed, in whichever phase."""
    if report.failed and FAILED_LIST in os.environ:
        with Path(os.environ[FAILED_LIST]).open("a") as failed:
            failed.write(f"{report.nodeid}\n")


def _mounts_below(directory: Path) -> list[str]:
    points = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    return [point for point in points if point.startswith(f"{directory}/")]


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No process that a test started, and no mount below the tests' directory, outlives the run."""
    before = set(_ours())
    yield
    _, alive = psutil.wait_procs([child for child in _ours() if child not in before], timeout=_LAST_WORDS_S)
    left = [f"process {child.pid}: {' '.join(child.cmdline())}" for child in alive if child.is_running()]
    left += [f"mount {point}" for point in _mounts_below(tmp_path_factory.getbasetemp())]
    if left:
        pytest.fail("tests left behind:\n" + "\n".join(left))
