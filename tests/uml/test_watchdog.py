"""The kernel's watchdog, for real: softdog in a kernel of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.witness import NS_PER_S
from tests.uml.bed import UmlBed
from tests.uml.cluster import NO_GUARD, NfsCluster, guest
from tests.uml.image import Image

SOFTDOG_MARGIN_S = 60  # the guard sets its own timeout
WATCHDOG_TIMEOUT_S = 6  # half of the standard profile's lease
SLOW_S = 1.5


@pytest.fixture(scope="module")
def cluster(image: Image) -> Iterator[NfsCluster]:
    """Both nodes ask for a watchdog."""
    with UmlBed(image=image, softdog_margin_s=SOFTDOG_MARGIN_S) as bed:
        made = NfsCluster(bed, watchdog="required")
        made.start()
        yield made


def test_a_guard_that_does_not_come_back(cluster: NfsCluster) -> None:
    """Killed while armed, and nothing can start in its place: softdog resets the host within its timeout,
    before the peer is active.
    """
    active, peer = cluster.whole()
    bed = cluster.bed
    assert isinstance(bed, UmlBed)
    machine = guest(bed, active)
    resets = machine.resets()
    script = (
        f"{NO_GUARD}systemctl kill -s STOP --kill-who=main acmd; "
        "systemctl kill -s KILL --kill-who=main acmd-guard; "
        "cut -d ' ' -f 1 /proc/uptime"
    )
    killed_ns = _machine_ns(machine.exec(script).stdout, machine.read("/run/bed/clock"))
    before, after = cluster.taken_over(peer)
    assert (before.last_ns - killed_ns) / NS_PER_S < WATCHDOG_TIMEOUT_S + SLOW_S
    assert after.node == peer.name
    assert machine.resets() == resets + 1
    assert "Initiating system reboot" in machine.console()
    cluster.whole()


def _machine_ns(uptime: str, offset: str) -> int:
    return int(float(uptime) * NS_PER_S) + int(offset)
