"""The Debian package on hosts without acmd: installed, upgraded under load, downgraded, removed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.core.timing import PROFILES
from tests.hosts.cluster import Cluster, main_pid, prop, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.packaged import Bed, Packaged, bare, cached_deb, dpkg, files, package, put
from tests.hosts.renewals import Renewals
from tests.hosts.witness import NS_PER_S, wait_for

OLD, NEW = "0.1.0", "0.1.1"
LONGEST_GAP_NS = 2 * NS_PER_S  # the witness stamps each 4 ms, while a busy machine unpacks a package
RELEASED_NS = 3 * NS_PER_S  # without a release the peer waits for 5.5 s


@pytest.fixture(scope="module")
def debs() -> dict[str, Path]:
    """Two versions of the package."""
    return {OLD: cached_deb(), NEW: package("deb", NEW)}


@pytest.fixture(scope="module")
def bed(template: Template) -> Iterator[Bed]:
    """Two hosts without acmd."""
    with Bed(["alpha", "beta"], template=bare(template)) as made:
        yield made


@pytest.fixture
def cluster(bed: Bed, debs: dict[str, Path]) -> Iterator[Packaged]:
    """Nothing is installed yet; afterwards the hosts get new disks."""
    yield Packaged(bed, deb=debs[OLD])
    renew(bed)


def upgrade(cluster: Cluster, host: Host, deb: Path, version: str) -> None:
    """Put the package there, and see its daemon run."""
    put(host, deb)
    wait_for(lambda: cluster.status(host).get("version") == version, 60, f"{version} runs on {host.name}")


def test_installed_and_purged(cluster: Packaged) -> None:
    """Installing enables and starts nothing; commands, rules and group are there; purged, all is gone."""
    host = cluster.bed["alpha"]
    before = files(host)
    put(host, cluster.deb)
    assert host.exec(["acmd", "--version"]).stdout.split() == ["acmd", OLD]
    assert prop(host, "UnitFileState") == "disabled"
    assert prop(host, "ActiveState") == "inactive"
    wrong = dpkg(host, "--verify", "acmd", check=False).splitlines()
    left_out = ("/usr/share/doc/", "/usr/share/man")  # by the bed's dpkg
    assert [line for line in wrong if not any(place in line for place in left_out)] == []
    assert host.exec(["getent", "group", "acmd"]).stdout
    modes = host.exec(["stat", "-c", "%a %U:%G %n", "/etc/acmd", "/run/acmd", "/var/lib/acmd"]).stdout
    assert modes.splitlines() == [
        "750 root:acmd /etc/acmd",
        "755 root:root /run/acmd",
        "755 root:root /var/lib/acmd",
    ]
    assert host.exec(["logrotate", "-d", "/etc/logrotate.conf"]).stderr.count("/var/log/aspera.log") > 0
    assert dpkg(host, "-P", "acmd", check=False).count("not empty") == 0
    left = {name for name in files(host) - before if not name.startswith(("/etc/group", "/etc/gshadow"))}
    assert left == set()
    assert host.exec(["getent", "group", "acmd"], check=False).stdout == ""


@pytest.mark.parametrize(("profile", "versions"), [("standard", (NEW,)), ("fast", (NEW, OLD))])
def test_upgrade_under_load(
    cluster: Packaged, debs: dict[str, Path], profile: str, versions: tuple[str, ...]
) -> None:
    """Passive node first, then the active one, and back to the version before: the same service process
    all the time, the same epoch, versions mixed in between, and no renewal later than its deadline.
    """
    cluster.profile = profile
    active, passive = cluster.start()
    wait_for(lambda: cluster.status(passive).get("role") == "passive", 30, "the peer is there")
    started = cluster.wait_active(active)
    gaps = {}
    for version in versions:
        for host in (passive, active):
            with Renewals(cluster.bed.shared / "acm/acmd") as seen:
                upgrade(cluster, host, debs[version], version)
                wait_for(lambda: cluster.status(active).get("role") == "active", 60, "it adopted")
            gaps[f"{version} on {host.name}"] = round(seen.longest_s, 2)
    print(f"longest time without a renewal, {profile}: {gaps}")
    (run,) = cluster.assert_alone()
    assert (run.first_ns, run.epoch) == (started.first_ns, started.epoch)
    assert time.monotonic_ns() - run.last_ns < LONGEST_GAP_NS
    assert run.longest_gap_ns < LONGEST_GAP_NS
    assert cluster.status(active)["role"] == "active"
    assert max(gaps.values()) * NS_PER_S < PROFILES[profile].renew_deadline_ns


def test_a_refused_configuration(cluster: Packaged, debs: dict[str, Path]) -> None:
    """A version that would not follow the configuration leaves the daemon that runs alone, and says so."""
    active, _ = cluster.start()
    daemon = main_pid(active)
    right = active.read("/etc/acmd/acmd.toml")
    active.push("/etc/acmd/acmd.toml", right + "\n[timing]\nprofile = 'nonsense'\n")
    words = put(active, debs[NEW])
    assert "acmd.service still runs the version before" in words
    assert "systemctl restart acmd.service" in words
    assert main_pid(active) == daemon
    time.sleep(4)
    assert len(cluster.assert_alone()) == 1
    assert cluster.running(active)


def test_removed_from_the_active_node(cluster: Packaged) -> None:
    """Released first: the peer serves at once, never both; no gate stays, and nothing is enabled."""
    active, passive = cluster.start()
    wait_for(lambda: cluster.status(passive).get("role") == "passive", 30, "the peer is there")
    gate = "/run/systemd/system/forgotten.service.d/zz-acmd.conf"
    active.push(gate, "# Written by acmd for cluster acmd, for as long as it manages this unit.\n[Service]\n")
    words = dpkg(active, "-r", "acmd")
    assert "the lease is released" in words
    cluster.wait_active(passive)
    first, second = cluster.assert_alone()
    assert second.first_ns - first.last_ns < RELEASED_NS
    assert active.exec(["test", "-e", gate], check=False).returncode != 0
    assert active.exec("ls -d /run/systemd/system/*.d", check=False).stdout == ""
    assert active.exec("ls /etc/systemd/system/multi-user.target.wants").stdout.count("acmd") == 0
    assert active.exec(["ls", "/etc/acmd"]).stdout.split() == ["acmd.toml"]
    put(active, cluster.deb)
    active.exec(["systemctl", "start", "acmd"])
    wait_for(lambda: cluster.status(active).get("role") == "passive", 30, "installed again, it joins")
    assert len(cluster.assert_alone()) == 2


def test_hosts_that_differ(cluster: Packaged) -> None:
    """ACM has a rule for the log: a second one is not added, which would disable that whole file."""
    host = cluster.bed["beta"]
    host.push("/etc/logrotate.d/aspera", "/var/log/aspera.log {\n daily\n}\n")
    host.push(f"/root/{cluster.deb.name}", cluster.deb.read_bytes())
    words = host.exec(f"dpkg -i /root/{cluster.deb.name} 2>&1", timeout_s=400).stdout
    assert "/var/log/aspera.log is rotated by /etc/logrotate.d/aspera already" in words
    assert host.exec(["test", "-e", "/etc/logrotate.d/acmd"], check=False).returncode != 0
