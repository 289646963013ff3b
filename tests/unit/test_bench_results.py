"""What was measured is told as it was measured: table, JSON file and chart."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import document
from bench.__main__ import run
from bench.page import number, section, table
from bench.parts import Part
from bench.program import CANNOT, KEPT, MISSED
from bench.results import Report, Series


def report() -> Report:
    found = Report("naps", "How long they nap", "Cats and acmd.")
    found.version("cat", "9.1")
    found.add(Series("nap", "acmd standard", "s", [2.0, 1.0, 4.0], most_median=3.0, most_worst=3.5))
    found.add(Series("nap", "cat", "s", [8.0], note="with | without a cushion"))
    found.add(Series("purring", "cat", "1/min", [float(at) for at in range(1, 21)], more_is_better=True))
    found.skip("dog", "there is none")
    found.remark("Naps were short.")
    return found


def test_statistics() -> None:
    """Median, 95th percentile by nearest rank and worst; where more is better the worst is the least."""
    naps, _, purring = report().series
    assert (naps.median, naps.p95, naps.worst) == (2.0, 4.0, 4.0)
    assert (purring.median, purring.p95, purring.worst) == (10.5, 2.0, 1.0)


def test_promises() -> None:
    """A promise that was missed by the median or by the worst round is the exit code, and is in the table."""
    found = report()
    assert not found.series[0].kept
    assert found.series[1].kept
    assert not found.kept
    assert "3.00 / 3.50, **missed**" in table(found.told())
    assert Series("x", "y", "s", [5.0], more_is_better=True, most_median=4.0).kept
    assert not Series("x", "y", "s", [3.0], more_is_better=True, most_median=4.0).kept


def test_table() -> None:
    """Ratios are to acmd's median of the same thing; where there is no acmd there is none."""
    lines = table(report().told()).splitlines()
    assert (
        lines[2]
        == "| nap | acmd standard | 3 | 2.00 s | 4.00 s | 4.00 s | × 1.00 | 3.00 / 3.50, **missed** |  |"
    )
    assert lines[3] == "| nap | cat | 1 | 8.00 s | 8.00 s | 8.00 s | × 4.00 |  | with / without a cushion |"
    assert lines[4].startswith("| purring | cat | 20 | 10.5 1/min | 2.00 1/min | 1.00 1/min |  |")
    assert [number(value) for value in (0.0, 0.01234, 1.0, 12345.6)] == ["0", "0.0123", "1.00", "12,346"]


def test_what_is_written(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Machine, versions, load at begin and end, and every round are in the JSON file; the chart is XML."""
    assert report().write(tmp_path) == 1
    told = json.loads((tmp_path / "naps.json").read_text())
    assert told["series"][0]["values"] == [2.0, 1.0, 4.0]
    assert told["versions"]["cat"] == "9.1"
    assert {"cpus", "kernel", "python"} <= told["machine"].keys()
    assert len(told["begin"]["load"]) == len(told["end"]["load"]) == 3
    assert ET.parse(tmp_path / "naps.svg").getroot().tag.endswith("svg")  # noqa: S314 (our own)
    printed = capsys.readouterr().out
    assert "Not measured: dog, there is none" in printed
    page = section(told)
    for text in ("## How long they nap", "Cats and acmd.", "(naps.svg)", "cat 9.1", "Naps were short."):
        assert text in page


def test_mistakes() -> None:
    """No series without a round, and none twice."""
    with pytest.raises(ValueError, match="needs a round"):
        Series("nap", "acmd", "s", [])
    with pytest.raises(ValueError, match="before"):
        report().add(Series("nap", "cat", "s", [1.0]))


def test_a_part_that_fails_is_told(tmp_path: Path) -> None:
    """`make bench` goes on with the next part, and says what the failed one said last."""
    ended = run(Part("no_such_program", "nothing", 60, 60), quick=True, out=tmp_path)
    assert ended.code not in {KEPT, MISSED, CANNOT}
    assert "No module named" in ended.words()
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_hangs_is_ended(tmp_path: Path) -> None:
    """At its limit; what it had measured is not written."""
    ended = run(Part("memory", "takes longer than that", 60, 0.1), quick=True, out=tmp_path)
    assert ended.words() == "failed: not done within 0.1 s"
    assert ended.took_s < 60


def test_the_page_is_made_of_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One section for each file, in the order of the parts, what is no part last."""
    report().write(tmp_path)
    other = Report("failover", "Failover", "About it.")
    other.add(Series("power loss to the first answer", "acmd standard", "s", [15.0]))
    other.add(Series("switchover beyond the service's stop and start", "acmd standard", "s", [0.1]))
    other.add(Series("power loss to the first answer", "acmd fast", "s", [5.0]))
    other.write(tmp_path)
    capsys.readouterr()
    document.write(tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert 0 < page.index("## Failover") < page.index("## How long they nap")
    assert "the same, `fast` | 1 | 5.00 s | 5.00 s" in document.figures(tmp_path)
