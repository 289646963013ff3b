"""The bed itself, and acmd on the old version of NFS."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.hosts.cgroups import Cgroup
from tests.hosts.cluster import TAKEOVER_S
from tests.hosts.inside import HostError
from tests.hosts.network import namespaces
from tests.hosts.witness import NS_PER_S
from tests.uml.bed import UmlBed
from tests.uml.cluster import NfsCluster
from tests.uml.image import Image


@pytest.fixture(scope="module")
def bed(image: Image) -> Iterator[UmlBed]:
    """Two clients and a server, NFS 3. Nothing is left afterwards."""
    with UmlBed(nfs="3", image=image) as made:
        yield made
    assert not made.run.exists()
    assert not Cgroup(made.name).unified.exists()
    assert namespaces(made.name) == []


def test_shared_storage(bed: UmlBed) -> None:
    """Both clients see one file system, by the version of NFS that was asked for, acmd's without caches."""
    alpha, beta = (bed[name] for name in ("alpha", "beta"))
    alpha.exec("echo hello > /shared/greeting && sync -f /shared")
    assert beta.read("/shared/greeting") == "hello\n"
    mounts = beta.exec("grep ' nfs' /proc/mounts").stdout
    assert mounts.count(",vers=3,") == 2
    assert "noac" in mounts
    assert "hard" in mounts


def test_a_server_that_does_not_answer(bed: UmlBed) -> None:
    """A cut client waits, another one does not notice, and the waiter goes on when it is healed."""
    alpha, beta = (bed[name] for name in ("alpha", "beta"))
    alpha.shared.stop()
    with pytest.raises(HostError, match="took longer"):
        alpha.exec("echo late > /shared/late; sync -f /shared", timeout_s=3)
    beta.exec("echo there > /shared/there && sync -f /shared", timeout_s=20)
    alpha.shared.go_on()
    alpha.exec("echo again > /shared/again && sync -f /shared", timeout_s=60)


def test_clocks_of_their_own(bed: UmlBed) -> None:
    """A step and a slew move one guest's clock, neither the other's nor what the witness stamps by."""
    alpha, beta = (bed[name] for name in ("alpha", "beta"))
    alpha.step_clock(86_400)
    assert 86_000 < int(alpha.exec("date +%s").stdout) - time.time() < 87_000
    assert abs(int(beta.exec("date +%s").stdout) - time.time()) < 60
    alpha.slew_clock(80_000)
    look = "import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), time.clock_gettime_ns(4))"
    first = [int(word) for word in alpha.exec(["python3", "-c", look]).stdout.split()]
    time.sleep(2)
    second = [int(word) for word in alpha.exec(["python3", "-c", look]).stdout.split()]
    alpha.slew_clock(0)
    alpha.step_clock(-86_400)
    slewed, raw = (after - before for before, after in zip(first, second, strict=True))
    assert 1.07 < slewed / raw < 1.09


def test_a_reset_from_inside(bed: UmlBed) -> None:
    """`reboot -ff` ends the kernel; the guest boots again by itself and has its mounts."""
    alpha = bed["alpha"]
    boot, resets = alpha.boot_id(), alpha.resets()
    with pytest.raises(HostError):
        alpha.exec("reboot -ff", timeout_s=10)
    alpha.wait_running(after_boot_id=boot)
    assert alpha.resets() == resets + 1
    assert alpha.exec("grep -c ' nfs' /proc/mounts").stdout.strip() == "2"


def test_acmd_on_nfs3(bed: UmlBed) -> None:
    """A host that is cut off from the server hands over within W + h + 1 s, without an overlap."""
    cluster = NfsCluster(bed)
    active, peer = cluster.start()
    active.shared.stop()
    before, after = cluster.taken_over(peer)
    assert (after.first_ns - before.last_ns) / NS_PER_S <= TAKEOVER_S["standard"]
    active.shared.go_on()
    cluster.whole()
    cluster.assert_alone()
