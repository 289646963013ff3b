"""The witness must see what it is there for: overlaps, lost time, rows that are not there."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.campaign import catalogue, report
from tests.campaign.checker import LateWrites, Rows, Stamps, numbers
from tests.campaign.fault import Fault, nothing
from tests.campaign.place import CAN
from tests.campaign.plot import Series, chart

S = 1_000_000_000


def stamp(directory: Path, node: str, epoch: int, first_s: float, last_s: float, torn: str = "") -> None:
    """A run of a stamper, two stamps long."""
    first_ns, last_ns = int(first_s * S), int(last_s * S)
    (directory / f"{node}-{epoch}-{first_ns}").write_text(f"{first_ns}\n{last_ns}\n{torn}")


def test_an_overlap_is_seen(tmp_path: Path) -> None:
    """Two runs on two hosts overlap by what they share; on one host they do not; an old one is left out."""
    stamps = Stamps(tmp_path)
    stamp(tmp_path, "alpha", 1, 1.0, 5.0)
    stamp(tmp_path, "alpha", 2, 4.0, 6.0)
    assert stamps.overlap_ns(0) == 0
    stamp(tmp_path, "beta", 3, 5.5, 9.0, torn="99999")
    assert stamps.overlap_ns(0) == S // 2
    assert stamps.overlap_ns(7 * S) == 0
    assert stamps.takeover_s(5 * S) == 0.5


def test_touching_is_an_overlap(tmp_path: Path) -> None:
    """Stamps at the very same instant are one nanosecond of overlap, not none."""
    stamp(tmp_path, "alpha", 1, 1.0, 5.0)
    stamp(tmp_path, "beta", 2, 5.0, 9.0)
    assert Stamps(tmp_path).overlap_ns(0) == 1


def test_a_run_that_grows_is_read_again(tmp_path: Path) -> None:
    """What was read once is read again when there is more of it."""
    stamps = Stamps(tmp_path)
    stamp(tmp_path, "alpha", 1, 1.0, 5.0)
    assert stamps.running(int(5.1 * S)) == {"alpha"}
    assert stamps.running(6 * S) == set()
    stamp(tmp_path, "alpha", 1, 1.0, 50.0)
    assert stamps.running(int(50.1 * S)) == {"alpha"}


def test_interruption_and_rows(tmp_path: Path) -> None:
    """The longest gap that ended after an instant counts, whenever it began; half a line is no row."""
    log = tmp_path / "client.log"
    log.write_text(f"1 {S} a\n2 {4 * S} a\n3 {5 * S} b\n4 {5 * S + 10}")
    rows = Rows(log)
    assert [row.number for row in rows.read()] == [1, 2, 3]
    assert rows.interruption_s(2 * S) == 3.0
    assert rows.interruption_s(int(4.5 * S)) == 1.0
    assert numbers("1\n2\n\n") == {1, 2}


def test_a_sequence_repeats_and_hits_the_active_node() -> None:
    """Equal seeds, equal sequences; each round has every fault once; 60 % hit the active node."""
    able = [fault for fault in catalogue.FAULTS if fault.needs <= CAN]
    count = 3 * len(able)
    one, other = (
        [choice for choice, _ in zip(catalogue.choices(random.Random(7), CAN), range(count), strict=False)]
        for _ in range(2)
    )
    assert one == other
    assert {choice.fault.name for choice in one[: len(able)]} == {fault.name for fault in able}
    assert sum(choice.side != "passive" for choice in one) >= 0.6 * count
    with pytest.raises(ValueError, match="storage errors"):
        next(catalogue.choices(random.Random(7), CAN, "no such fault"))


def test_the_catalogue_is_sound() -> None:
    """Names are unique, and every class has a fault whose outcome is promised."""
    names = [fault.name for fault in catalogue.FAULTS]
    assert len(set(names)) == len(names)
    chosen = catalogue.once_each_group(random.Random(1), CAN)
    assert {choice.fault.group for choice in chosen} == set(catalogue.groups(CAN))
    limited = Fault("x", "y", nothing, limit_without_agent="why")
    assert (limited.documented_limit(agent=True), limited.documented_limit(agent=False)) == ("", "why")


def test_a_chart_is_svg() -> None:
    """Curves and names are in it."""
    drawn = chart("A & B", [Series("files", {"alpha": [(0.0, 1.0), (2.0, 3.0)]})])
    assert drawn.startswith("<svg")
    assert "A &amp; B" in drawn
    assert "polyline" in drawn


def test_the_page_is_generated() -> None:
    """docs/faults.md is what docs/faults.json gives: `python -m tests.campaign --report` writes it."""
    assert report.PAGE.read_text() == report.page(json.loads(report.SUMMARY.read_text()))


def test_late_writes_are_seen() -> None:
    """The file of an epoch may change until a later one has a file, and then no more; each mode by itself."""
    late = LateWrites()
    assert late.look("direct-3: a 3 1\ndirty-3: a 3 1\n") == []
    assert late.look("direct-3: a 3 9\ndirty-3: a 3 2\ndirty-4: b 4 1\n") == []
    assert late.look("direct-3: a 3 10\ndirty-3: a 3 2\ndirty-4: b 4 5\n") == []
    (found,) = late.look("direct-3: a 3 11\ndirty-3: a 3 7\ndirty-4: b 4 6\n")
    assert "dirty write of epoch 3 landed late" in found
    assert late.look("direct-3: a 3 11\ndirty-3: a 3 7\ndirty-4: \nno such file\n") == []
    assert late.seen == [found]
