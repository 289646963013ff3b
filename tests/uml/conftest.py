"""Fixtures for tests on hosts with kernels of their own; every test in this directory is marked `hosts`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts import bed as hosts_bed
from tests.uml import image as uml_image
from tests.uml.image import Image, build_image

TEST_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this directory; the first may have to build the image within its time limit."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.hosts)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))


@pytest.fixture(scope="session")
def image() -> Image:
    """The guests' disk, from the cache where nothing changed."""
    lack = hosts_bed.missing_needs() or uml_image.missing_needs()
    if lack:
        pytest.skip(lack)
    return build_image()
