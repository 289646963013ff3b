"""Fixtures for tests on hosts with kernels of their own; every test in this directory is marked `hosts`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts import bed as hosts_bed
from tests.hosts.marking import mark
from tests.uml import image as uml_image
from tests.uml.image import Image, build_image

TEST_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this directory."""
    mark(items, Path(__file__).parent, TEST_TIMEOUT_S)


@pytest.fixture(scope="session")
def image() -> Image:
    """The guests' disk, from the cache where nothing changed."""
    lack = hosts_bed.missing_needs() or uml_image.missing_needs()
    if lack:
        pytest.skip(lack)
    return build_image()
