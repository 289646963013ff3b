"""Every class of faults once, on the fast profile: a selection of the campaign for the check of a commit."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.campaign.__main__ import build_wheel
from tests.campaign.catalogue import groups, once_each_group
from tests.campaign.place import CAN, Place
from tests.campaign.runner import Runner
from tests.hosts.bed import missing_needs
from tests.hosts.image import build_template
from tests.hosts.storage import faultfs_available

LIMIT_S = 900
pytestmark = [pytest.mark.hosts, pytest.mark.timeout(LIMIT_S)]


def test_every_class_of_faults_once(tmp_path: Path) -> None:
    """No overlap of two active nodes, no acknowledged row lost, and the cluster whole again after each."""
    if lack := missing_needs() or ("" if faultfs_available() else "needs the Python package pyfuse3"):
        pytest.skip(lack)
    template = build_template()
    wheels = build_wheel(tmp_path)
    seed = random.randrange(100_000)
    chosen = once_each_group(random.Random(seed), CAN)
    runner = Runner(
        lambda: Place(template=template, wheels=wheels), seed, tmp_path / f"results-{seed}.jsonl", print
    )
    outcomes = runner.run(iter(chosen), len(chosen))
    assert [f"{each.fault}: {each.violation()}" for each in outcomes if each.violation()] == []
    assert [f"{each.fault}: {each.lacking}" for each in outcomes if not each.whole] == []
    assert {each.group for each in outcomes} == set(groups(CAN))
