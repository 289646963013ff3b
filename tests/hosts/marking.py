"""Tests that need hosts are marked by where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest


def mark(items: list[pytest.Item], directory: Path, timeout_s: int) -> None:
    """Mark all tests of a directory; the first may have to build an image within its time limit."""
    for item in items:
        if directory in item.path.parents:
            item.add_marker(pytest.mark.hosts)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(timeout_s))
