"""docs/howto/disaster.md on hosts: each is made, the page followed; never two active, no row lost."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from acmd.core.lease import LeaseState, Record, encode
from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import REPO, Template
from tests.hosts.packaged import bare
from tests.hosts.pages import INTRODUCTION, Pages
from tests.hosts.storage import faultfs_available
from tests.hosts.witness import overlaps_ns, runs, wait_for

PAGE = "howto/disaster.md"
WELL_S = 60.0
T = TypeVar("T")
STAMPER = (REPO / "tests/hosts/stamper.py").read_bytes()
# Beside what the tutorial configures: short deadlines, and a service that tells when it ran.
MORE = """
[timing]
profile = "fast"

[[service]]
name = "witness"
kind = "command"
command = ["/usr/bin/python3", "/opt/stamper.py", "/witness/stamps"]
stop_timeout_s = 5
"""


pytestmark = pytest.mark.timeout(300)


@dataclass(slots=True)
class Site(Pages):
    """The tutorial's cluster, with rows in its database."""

    rows: int = 0

    def make(self) -> None:
        """Follow the tutorial up to where a is active and b could take over."""

        def before(script: str) -> None:
            if "acmd init" in script:
                for host in self.bed.hosts:
                    host.exec(["sh", "-c", 'printf "%s" "$1" >> /etc/acmd/acmd.toml', "sh", MORE])

        for host in self.bed.hosts:
            host.push("/opt/stamper.py", STAMPER)
        for heading in ("Install", "Data on shared storage", "Configure", "Start"):
            self.follow("tutorial.md", before, heading)
        self.sql(self.well(), "create database d; create table d.t (i int primary key)")

    def sql(self, name: str, words: str) -> str:
        """What the database says there."""
        return self.bed[name].exec(["mariadb", "-N", "-e", words]).stdout.strip()

    def other(self, name: str) -> str:
        """The other one."""
        return "b" if name == "a" else "a"

    def well(self, active: str = "", wait_s: float = WELL_S) -> str:
        """Wait until one node (that one) is active with all services and the other could take over."""

        def found() -> str:
            return next((one for one in (active or "ab") if self.settled(one, self.other(one))), "")

        return self.wait(found, wait_s, f"{active or 'a node'} is active, the other one fit")

    def wait(self, look: Callable[[], T], timeout_s: float, what: str) -> T:
        """As wait_for, with what both hosts say when it fails."""
        try:
            return wait_for(look, timeout_s, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.says()}") from None

    def begin(self) -> None:
        """As the page begins: a is active."""
        if self.status("a").get("maintenance", {}).get("all"):  # of a test that failed
            self.bed["a"].exec(["acmd", "enable", "--all"], timeout_s=150)
        if self.well() == "b":
            self.bed["b"].exec(["acmd", "switchover", "--reason", "a begins"], timeout_s=60)
            self.well("a")
        self.rows += 1
        self.sql("a", "insert into d.t select count(*) from d.t")

    def whole(self, active: str = "") -> str:
        """In the end: one active node, the other fit; services never ran twice, every row is there."""
        name = self.well(active)
        found = runs(self.bed.witness / "stamps")
        assert found
        assert overlaps_ns(found) == []
        assert self.sql(name, "select count(*) from d.t") == str(self.rows)
        return name

    def newest(self) -> Path:
        """The file of the highest epoch."""
        return max((self.bed.shared / "acmd").glob("lease.*"))

    def epoch(self) -> int:
        """The highest epoch."""
        return int(self.newest().suffix[1:])

    def nobody(self, name: str) -> None:
        """Wait until a node knows of no active one."""
        wait_for(lambda: (shown := self.status(name)) and shown["active"] is None, 30, f"nobody, says {name}")

    def stopped(self) -> None:
        """Wait until nothing of acmd runs: the guard goes a moment after the daemon."""
        for host in self.bed.hosts:
            look = ["systemctl", "is-active", "acmd", "acmd-guard", "acmd-services"]

            def gone(host: Host = host, look: list[str] = look) -> bool:
                return set(host.exec(look, check=False).stdout.split()) == {"inactive"}

            self.wait(gone, 30, f"acmd is down on {host.name}")

    def warns(self, name: str, words: str) -> None:
        """Wait until its status has these words."""

        def said() -> bool:
            return words in self.bed[name].exec(["acmd", "status"], check=False).stdout

        self.wait(said, 30, f"{name} says: {words}")

    def says(self) -> str:
        """For a failed assertion."""
        words = "journalctl -q -n 15 -o cat -u acmd -u acmd-guard; acmd status"
        return "\n".join(
            f"{host.name}:\n{host.exec(words, check=False, timeout_s=20).stdout}"
            for host in self.bed.hosts
            if host.is_on()
        )


@pytest.fixture(scope="module")
def site_made(template: Template, deb: Path) -> Iterator[Site]:
    """Hosts a and b as the tutorial leaves them."""
    storage: Any = "faultfs" if faultfs_available() else "plain"
    with Bed(["a", "b"], storage=storage, template=bare(template)) as bed:
        for host in bed.hosts:
            host.push(f"/root/{deb.name}", deb.read_bytes())
        made = Site(bed)
        made.make()
        yield made


@pytest.fixture
def site(site_made: Site) -> Iterator[Site]:
    """With a active; whole again afterwards."""
    site_made.begin()
    yield site_made
    site_made.whole()


def test_the_active_host_is_dead(site: Site) -> None:
    """Nothing has to be done; looking and packing a report work meanwhile and afterwards."""
    site.bed["a"].power_off()
    first = site.follow(PAGE, heading=INTRODUCTION)
    assert "/shared/acmd" in first[0]
    wait_for(lambda: site.role("b") == "active", WELL_S, "b takes over")
    assert "written" in site.follow(PAGE, heading="Somebody has to look at it")[0]
    site.bed["a"].boot()
    site.whole("b")


def test_all_hosts_were_off(site: Site) -> None:
    """The one that comes back first starts the services by itself, though the other stays off for now."""
    for host in site.bed.hosts:
        host.power_off()
    site.bed["a"].boot()
    site.wait(lambda: site.role("a") == "active" and site.page("a"), WELL_S, "a runs it")
    assert "active" in site.follow(PAGE, heading="All hosts were off")[0]
    site.bed["b"].boot()
    site.whole("a")


def test_the_holder_died_during_maintenance(site: Site) -> None:
    """Refused while the holder is heard; nobody takes over when it is dead; the order ends that."""
    a, b = site.bed["a"], site.bed["b"]
    a.exec(["acmd", "disable", "--all", "--reason", "file server"])
    wait_for(lambda: site.status("b")["lease"]["state"] == "detached", 30, "b sees it")
    wrong = b.exec(["acmd", "enable", "--all", "--holder-is-dead"], check=False)
    assert wrong.returncode != 0
    assert "a is not dead: its acmd is heard" in wrong.stderr
    a.power_off()
    site.warns("b", "its holder a is not heard: nobody will take over")
    assert site.role("b") == "passive"
    assert "b is active" in site.follow(PAGE, heading="The holder died during maintenance")[0]
    a.boot()
    site.whole("b")


@pytest.mark.skipif(not faultfs_available(), reason="needs pyfuse3 and tests/faultfs")
def test_the_directory_does_not_answer(site: Site) -> None:
    """No step hangs, nobody is active, and all go on by themselves once the storage answers."""
    for host in site.bed.hosts:
        host.shared.stop()
    try:
        site.warns("b", "the shared directory /shared/acmd does not work")
        said = site.follow(PAGE, heading="The shared directory does not answer")[0]
        assert " /shared " in said
        assert "KO" in said
        wait_for(lambda: site.role("a") != "active", 30, "a gave up")
    finally:
        for host in site.bed.hosts:
            host.shared.go_on()
    site.whole()


def test_cluster_json_is_gone_or_damaged(site: Site) -> None:
    """Nobody is active without it; the nodes' copy of it mends that, with no other order."""
    file = site.bed.shared / "acmd/cluster.json"
    raw, epoch = file.read_bytes(), site.epoch()
    name = "a"
    for bad in (None, b"{"):
        if bad is None:
            file.unlink()
        else:
            file.write_bytes(bad)
        site.nobody(name)
        site.warns(site.other(name), "the shared directory /shared/acmd does not work: cluster.json")
        said = site.follow(PAGE, heading="cluster.json is gone or damaged")
        assert "lease." in said[0]
        assert file.read_bytes() == raw
        name = site.whole()
        assert site.epoch() > epoch
        epoch = site.epoch()


def test_a_lease_file_is_damaged_or_gone(site: Site) -> None:
    """Garbage and absence mend themselves; another cluster's record does when it is taken away."""
    epoch = site.epoch()
    site.newest().write_bytes(b"\0" * 512)
    site.whole()
    site.newest().unlink()
    wait_for(lambda: site.epoch() > epoch, 30, "another number")
    site.whole()
    assert site.epoch() > epoch
    epoch = site.epoch() + 1
    record = Record(str(uuid.uuid4()), epoch, 0, "z", "", "", "", "", 4500, LeaseState.HELD, "", written_at=1)
    foreign = site.newest().with_name(f"lease.{epoch:010d}")
    foreign.write_bytes(encode(record))
    site.nobody("b")
    site.warns("b", "the newest lease file is not one that this node may act on")
    site.follow(PAGE, heading="A lease file is damaged or gone")
    assert not foreign.exists()
    site.whole()
    assert site.epoch() > epoch


def test_a_backup_of_the_directory(site: Site) -> None:
    """Put in the directory's place while nodes run: no number is used twice, and one node is active."""
    directory, copy = site.bed.shared / "acmd", site.bed.shared / "acmd.backup"
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("tmp"))
    (copy / "tmp").mkdir()
    for name in "ab":
        site.bed[name].exec(["acmd", "switchover"], timeout_s=60)
        site.well(site.other(name))
    epoch = site.epoch()
    directory.rename(site.bed.shared / "acmd.gone")
    copy.rename(directory)
    assert site.epoch() < epoch
    site.wait(lambda: site.epoch() > epoch, WELL_S, "a number above")
    site.whole()


def test_the_directory_is_lost(site: Site) -> None:
    """A new one is made; a node with the old memory is refused, says why, and joins by step 3."""
    old = site.status("a")["cluster"]["id"]

    def before(script: str) -> None:
        if "is-active" in script:
            site.stopped()
        if "findmnt" in script:
            shutil.rmtree(site.bed.shared / "acmd")
        if "nodes/a.json" in script:
            site.wait(lambda: site.role("a") == "active" and site.page("a"), WELL_S, "a runs it")

    said = site.follow(PAGE, before, heading="The shared directory is lost")
    assert [one.split() for one in said[2:4]] == [["inactive"] * 4] * 2
    site.whole("a")
    assert site.status("b")["cluster"]["id"] == site.status("a")["cluster"]["id"] != old
    b = site.bed["b"]
    b.exec("systemctl stop acmd; rm -r /var/lib/acmd/acmd; cp -a /root/acmd.lost /var/lib/acmd/acmd")
    b.exec(["systemctl", "start", "acmd"], check=False, timeout_s=60)
    wait_for(lambda: f"part of cluster {old} until now" in b.journal("acmd"), 30, "b says why it is refused")
    assert site.role("b") == "not-running"
    b.exec("systemctl stop acmd; rm -r /var/lib/acmd/acmd; systemctl start acmd", timeout_s=60)
    for host in site.bed.hosts:
        host.exec(["rm", "-r", "/root/acmd.lost"])
    site.whole("a")


def test_the_file_server_is_replaced(site: Site) -> None:
    """Data and records move; on the old storage a status names nobody, on the new one it names a."""
    epoch = site.epoch()
    new = site.bed.witness / "new"
    new.mkdir(mode=0o777)

    def before(script: str) -> None:
        if "is-active" in script:
            site.stopped()
        if "cp -a" in script:
            site.bed["a"].exec("mount --bind /witness/new /mnt")
        if "umount /shared" in script:
            assert site.status("b")["active"] is None
            for host in site.bed.hosts:
                host.exec("echo '/witness/new /shared none bind 0 0' > /etc/fstab")
        if script == "acmd status\n":
            site.wait(lambda: site.role("a") == "active" and site.page("a"), WELL_S, "a runs it")
            assert site.status("b")["active"] == "a"

    try:
        said = site.follow(PAGE, before, heading="The file server is replaced")
        assert [one.split() for one in said[2:4]] == [["inactive"] * 4] * 2
        site.well("a")
        assert site.status("a")["epoch"] == epoch + 1
        assert site.sql("a", "select count(*) from d.t") == str(site.rows)
    finally:  # and back, by other means
        for host in site.bed.hosts:
            host.exec("systemctl stop acmd; rm -f /etc/fstab", timeout_s=60)
            host.power_off()
        shutil.rmtree(site.bed.shared / "acmd")
        shutil.rmtree(site.bed.shared / "mysql")
        subprocess.run(["cp", "-a", f"{new}/.", f"{site.bed.shared}/"], check=True)
        shutil.rmtree(new)
        site.bed.boot()
    site.whole()


def test_a_host_is_built_anew(site: Site, deb: Path) -> None:
    """With nothing but its name: it joins and could take over; the old one is struck off the list."""
    a = site.bed["a"]
    a.power_off()
    a.disk.wipe()
    a.machine_id = str(uuid.uuid4())
    site.wait(lambda: site.role("b") == "active" and site.page("b"), WELL_S, "b runs it")
    assert "a" in site.status("b")["lease"]["unfenced"]

    def before(script: str) -> None:
        if "dpkg" in script:
            a.boot()
            a.push(f"/root/{deb.name}", deb.read_bytes())
            a.push("/opt/stamper.py", STAMPER)

    site.follow(PAGE, before, heading="A host is built anew under its old name")
    site.whole("b")
    assert site.status("b")["lease"]["unfenced"] == []
