"""Fixtures for tests that need hosts; every test in this directory is marked `hosts`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.bed import Bed, missing_needs
from tests.hosts.cluster import Cluster
from tests.hosts.host import Host
from tests.hosts.image import Template, build_template
from tests.hosts.marking import mark
from tests.hosts.packaged import cached_deb
from tests.hosts.refused import Site
from tests.hosts.storage import faultfs_available

BUILD_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this directory."""
    mark(items, Path(__file__).parent, BUILD_TIMEOUT_S)


@pytest.fixture(scope="session")
def template() -> Template:
    """The hosts' template, from the cache where nothing changed."""
    lack = missing_needs()
    if lack:
        pytest.skip(lack)
    return build_template()


@pytest.fixture(scope="session")
def deb(template: Template) -> Path:
    """The Debian package of this checkout, from the cache where nothing changed."""
    del template  # without hosts nobody needs it
    return cached_deb()


@pytest.fixture(scope="session")
def _session_host(template: Template) -> Iterator[Bed]:
    with Bed(["solo"], template=template) as bed:
        yield bed


@pytest.fixture
def host(_session_host: Bed) -> Iterator[Host]:
    """One booted host, the same for the whole run; what a test did to it is undone afterwards (about 0.3
    s).
    """
    yield _session_host.hosts[0]
    _session_host.reset()


@pytest.fixture(scope="session")
def _session_pair(template: Template) -> Iterator[Bed]:
    with Bed(["alpha", "beta"], template=template) as bed:
        yield bed


@pytest.fixture
def pair(_session_pair: Bed) -> Iterator[Bed]:
    """Two booted hosts with /shared between them, the same for the whole run, undone after each test."""
    yield _session_pair
    _session_pair.reset()


@pytest.fixture(scope="module")
def refusing(template: Template) -> Iterator[Site]:
    """A cluster whose storage can be slow, for commands that are refused."""
    if not faultfs_available():
        pytest.skip("without pyfuse3 no storage can be made slow")
    with Bed(["alpha", "beta"], storage="faultfs", template=template) as bed:
        bed["alpha"].exec("groupadd -rf acmd; useradd -G acmd eva; useradd mallory", check=False)
        made = Cluster(bed, profile="standard")
        made.start()
        bed["alpha"].push("/root/good", made.config(bed["alpha"]))
        yield Site(made, bed["alpha"], bed["beta"])
