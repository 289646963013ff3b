"""acmd on a real NFS server: what dies, hangs or comes back, seen by kernels of their own.

One cluster for the whole file; each test leaves it whole. Times are those of the standard profile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.hosts.cluster import ACMD, TAKEOVER_S
from tests.hosts.witness import NS_PER_S, wait_for
from tests.uml.bed import UmlBed
from tests.uml.cluster import NfsCluster, guest
from tests.uml.guest import SLEW_PPM
from tests.uml.image import Image

RENEW_S, KILL_S, RESET_S = 6.0, 9.0, 10.0  # of the standard profile
SLOW_S = 1.0  # what a guest on a busy machine may be late by
DAY_S = 86_400
TAKEOVER_WAIT_S = 14.7
BLOCKS = "/export/shared/blocks"
LANDED_S = 20.0  # kernels try again each 5 s
STEADY = "/repo/tests/uml/inside/steady.py"


@pytest.fixture(scope="module")
def kept(image: Image) -> Iterator[NfsCluster]:
    """Two clients and a server, NFS 4.2, with acmd running."""
    with UmlBed(image=image) as bed:
        cluster = NfsCluster(bed, writer=True)
        cluster.start()
        yield cluster


@pytest.fixture
def cluster(kept: NfsCluster) -> NfsCluster:
    """Whole again after whatever was before."""
    kept.whole()
    return kept


def bed_of(cluster: NfsCluster) -> UmlBed:
    """With the verbs of this bed."""
    assert isinstance(cluster.bed, UmlBed)
    return cluster.bed


def block(bed: UmlBed, epoch: int) -> str:
    """What the server has of an epoch's direct writes: `node epoch sequence`, "" while there is none."""
    return bed.store.exec(f"head -qn 1 {BLOCKS}/direct-{epoch} 2>/dev/null", check=False).stdout.strip(
        "\0 \n"
    )


def test_switchover(cluster: NfsCluster) -> None:
    """The peer takes over without a takeover wait, and nothing overlaps."""
    active, peer = cluster.whole()
    cluster.switchover(active)
    before, after = cluster.taken_over(peer)
    assert (after.first_ns - before.last_ns) / NS_PER_S < TAKEOVER_WAIT_S - 2
    cluster.assert_alone()
    cluster.whole()


def test_switchover_while_others_write(cluster: NfsCluster) -> None:
    """Another program writes to the same mount all the time and goes on: the peer takes over as ever.

    This kernel has no debugfs; what others have outstanding there is in tests/contract/test_landed.py.
    """
    active, peer = cluster.whole()
    resets = guest(bed_of(cluster), active).resets()
    active.exec(["systemd-run", "--collect", "--unit=steady", "/usr/bin/python3", STEADY, "/shared/blocks"])
    try:
        cluster.switchover(active)
        before, after = cluster.taken_over(peer)
        active.exec(["systemctl", "is-active", "steady"])
    finally:
        active.exec(["systemctl", "stop", "steady"], check=False)
    assert (after.first_ns - before.last_ns) / NS_PER_S < TAKEOVER_WAIT_S - 2
    assert guest(bed_of(cluster), active).resets() == resets
    cluster.whole()
    cluster.assert_alone()


def test_power_loss(cluster: NfsCluster) -> None:
    """The peer's service starts within W + h + 1 s after the power cut; the host joins again by itself."""
    active, peer = cluster.whole()
    active.power_off()
    before, after = cluster.taken_over(peer)
    assert (after.first_ns - before.last_ns) / NS_PER_S <= TAKEOVER_S["standard"] + SLOW_S
    active.boot()
    cluster.whole()
    cluster.assert_alone()


def test_late_direct_writes(cluster: NfsCluster) -> None:
    """A process doing synchronous direct writes, cut off from the server: it stops by the kill deadline, and
    none of its writes lands once the peer runs, nor when the cut is healed.
    """
    active, peer = cluster.whole()
    bed = bed_of(cluster)
    cut_ns = time.monotonic_ns()
    active.shared.stop()
    before, after = cluster.taken_over(peer)
    assert before.last_ns - cut_ns < (KILL_S + SLOW_S) * NS_PER_S
    wait_for(lambda: block(bed, after.epoch), 30, f"{peer.name} writes")
    last = block(bed, before.epoch)
    active.shared.go_on()
    time.sleep(LANDED_S)
    assert block(bed, before.epoch) == last
    cluster.whole()
    cluster.assert_alone()


def test_server_killed(cluster: NfsCluster) -> None:
    """The server dies and comes back: both nodes are whole again by themselves, and never two were active."""
    bed = bed_of(cluster)
    bed.store.power_off()
    bed.store.boot()
    cluster.whole()
    cluster.assert_alone()


def test_clocks(cluster: NfsCluster) -> None:
    """Wall clocks a day ahead and back, one clock too fast and the other too slow as chrony's most: nothing
    moves.
    """
    active, peer = (guest(bed_of(cluster), host) for host in cluster.whole())
    run = cluster.running(active)
    assert run is not None
    try:
        active.slew_clock(-SLEW_PPM)
        peer.slew_clock(SLEW_PPM)
        for seconds in (DAY_S, -2 * DAY_S, DAY_S):
            active.step_clock(seconds)
            peer.step_clock(-seconds)
            time.sleep(3)
        time.sleep(TAKEOVER_WAIT_S)
    finally:
        active.slew_clock(0)
        peer.slew_clock(0)
    now = cluster.running(active)
    assert now is not None
    assert now.first_ns == run.first_ns
    cluster.assert_alone()


BAD_MOUNTS = """
mkdir -p /mnt/lease /mnt/data
mount -t nfs -o vers=4.2,nosharecache,soft,nocto store:/export/acm /mnt/lease
mount -t nfs -o vers=3,nosharecache,soft,nolock store:/export/shared /mnt/data
mkdir -p /mnt/data/mysql
"""
BAD_CONFIG = """
[cluster]
name = "bad"
directory = "/mnt/lease/acmd"
[[service]]
name = "db"
kind = "command"
command = ["/bin/sleep", "1"]
data_directories = ["/mnt/data/mysql"]
"""


def test_mount_options_are_judged(cluster: NfsCluster) -> None:
    """`acmd check` calls bad options of real mounts what they are, and leaves the cluster's own in peace."""
    _, peer = cluster.whole()
    peer.push("/etc/acmd/bad.toml", BAD_CONFIG)
    try:
        peer.exec(f"set -e; {BAD_MOUNTS}", timeout_s=60)
        said = peer.exec(
            [ACMD, "--config", "/etc/acmd/bad.toml", "check", "--group", "storage"], timeout_s=60, check=False
        ).stdout
    finally:
        peer.exec("umount -l /mnt/lease /mnt/data", check=False)
    for wanted in (
        "KO   /mnt/lease is mounted nocto",
        "KO   /mnt/lease is mounted without noac",
        "KO   /mnt/data (db) is mounted soft",
        "KO   /mnt/data (db) is mounted nolock",
        "WARN /mnt/data (db) is NFSv3",
        "WARN whether store exports it sync cannot be seen from here",
    ):
        assert wanted in said, said
    own = peer.exec([ACMD, "check", "--group", "storage"], timeout_s=60, check=False).stdout
    assert "/shared/acm is mounted as the lease wants it" in own, own
