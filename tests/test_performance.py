"""What is published of measurements is what was measured."""

from __future__ import annotations

import json

import pytest

from bench import document
from bench.parts import PARTS
from bench.program import PUBLISHED
from tests.tree import ROOT

AGAIN = "run `python -m bench.document`"


def test_the_page_is_in_step_with_its_files() -> None:
    """docs/performance/README.md says what the JSON files beside it say, and no more."""
    assert (PUBLISHED / "README.md").read_text() == document.page(PUBLISHED), AGAIN


def test_figures_in_the_readme_are_those_of_the_run() -> None:
    """README.md's table is made of the JSON files, word for word."""
    text = document.README.read_text()
    assert document.with_figures(text, PUBLISHED) == text, AGAIN


def test_every_file_has_its_chart_and_names_what_measured_it() -> None:
    """NAME.json is called what it says, has a chart where it has rows, and each row has its rounds."""
    for file in PUBLISHED.glob("*.json"):
        told = json.loads(file.read_text())
        assert told["name"] == file.stem
        assert file.with_suffix(".svg").exists() == bool(told["series"])
        for row in told["series"]:
            assert len(row["values"]) == row["rounds"] > 0


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_part_is_a_program(part: object) -> None:
    """What `make bench` runs is there, and has its line in bench/README.md."""
    name = getattr(part, "name")  # noqa: B009 - parametrize knows no types
    assert (ROOT / f"bench/{name}.py").is_file()
    assert f"`bench/{name}.py`" in (ROOT / "bench/README.md").read_text()
