"""The tutorial on a mounted NFS: hosts with kernels of their own, and a real server for /shared."""

from __future__ import annotations

import time

import pytest

from tests.hosts.packaged import cached_deb
from tests.hosts.pages import LIMIT_S, Pages
from tests.hosts.witness import wait_for
from tests.uml.bed import UmlBed
from tests.uml.image import Image

COMES_S = 120.0
# This kernel has neither memory nor asynchronous I/O for MariaDB's defaults.
SMALL = """[mysqld]
innodb_use_native_aio=0
innodb_buffer_pool_size=32M
loose_innodb_buffer_pool_size_max=64M
performance_schema=0
"""


@pytest.mark.timeout(900)
def test_tutorial_on_nfs(image: Image) -> None:
    """Its commands, in order, end with MariaDB and the application on b, in under ten minutes."""
    deb = cached_deb()
    with UmlBed(["a", "b"], image=image) as bed:
        for host in bed.hosts:
            host.exec("rm -rf /opt/acmd /etc/acmd")  # the template's, for other tests
            host.push(f"/root/{deb.name}", deb.read_bytes())
            host.push("/etc/mysql/mariadb.conf.d/90-small.cnf", SMALL)
            assert " nfs" in host.exec("grep ' /shared ' /proc/mounts").stdout
        pages = Pages(bed)

        def before(script: str) -> None:
            if "switchover" in script:
                wait_for(lambda: pages.settled("a", "b") and pages.page("a"), COMES_S, "b could take over")

        began = time.monotonic()
        pages.follow("tutorial.md", before)
        print(f"the tutorial took {time.monotonic() - began:.0f} s")
        assert time.monotonic() - began < LIMIT_S
        wait_for(lambda: pages.role("b") == "active" and pages.page("b"), COMES_S, "it runs on b")
        assert bed["b"].exec(["mariadb", "-N", "-e", "select 1"]).stdout.strip() == "1"
