"""The bed itself: every verb does what it says, nothing reaches the machine, nothing stays behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.inside import HostError


def _pings(bed: Bed, source: Host, target: str) -> bool:
    return source.exec(["ping", "-c1", "-W1", target], check=False).returncode == 0


def _client_pings(bed: Bed, target: str) -> bool:
    return bed.network.client(["ping", "-c1", "-W1", target]).returncode == 0


def test_hosts_are_hosts_of_their_own(pair: Bed) -> None:
    """Each host runs Debian's systemd as PID 1 with its own name, machine id, boot id, address and
    /shared.
    """
    seen = []
    for host in pair.hosts:
        words = host.exec(
            "cat /proc/1/comm; hostname; cat /etc/machine-id; systemctl is-system-running"
        ).stdout.split()
        assert words == ["systemd", host.name, host.machine_id.replace("-", ""), "running"]
        assert host.address in host.exec("ip -4 -o address show dev host0").stdout
        host.exec(f"touch /shared/{host.name}; findmnt -n -o FSTYPE /sys/fs/cgroup | grep -qx cgroup2")
        seen.append(host.boot_id())
    assert len({*seen, Path("/proc/sys/kernel/random/boot_id").read_text().strip()}) == 3
    assert sorted(path.name for path in pair.shared.iterdir()) == ["alpha", "beta"]
    assert _pings(pair, pair["alpha"], "beta")
    assert _client_pings(pair, pair["beta"].address)


def test_debian_services_run(host: Host) -> None:
    """MariaDB, Apache, rsyslog on local2 and the journal work as on any Debian host, and none starts by
    itself.
    """
    assert (
        host.exec(["systemctl", "is-active", "mariadb", "apache2"], check=False).stdout.split()
        == ["inactive"] * 2
    )
    host.start_service("mariadb")
    host.start_service("apache2")
    assert host.exec(["mariadb", "-Ne", "select 6*7"]).stdout.strip() == "42"
    host.exec(["curl", "-sf", "-o", "/dev/null", f"http://{host.address}/"])
    host.exec(
        "logger -p local2.info -t bed said-by-the-test; sleep 0.2; grep -q said-by-the-test /var/log/syslog"
    )
    assert "ready for connections" in host.journal("mariadb")
    host.stop_service("mariadb")
    assert host.exec(["systemctl", "is-active", "mariadb"], check=False).stdout.strip() == "inactive"


def test_power_off_ends_everything_at_once(pair: Bed) -> None:
    """A cut of power takes less than a second, leaves no process, answers no ping, and the host boots
    again.
    """
    alpha, beta = pair.hosts
    alpha.exec("setsid sleep 1000 >/dev/null 2>&1 &")
    assert alpha.power_off() < 1.0
    assert not alpha.is_on()
    assert alpha.cgroup.pids() == []
    assert not _pings(pair, beta, "alpha")
    with pytest.raises(HostError, match="alpha is off"):
        alpha.exec(["true"])
    alpha.boot()
    assert _pings(pair, beta, "alpha")


def test_power_off_can_lose_the_cache(pair: Bed) -> None:
    """With lose_cache only fsynced data outlives the cut; without it everything does."""
    alpha = pair["alpha"]
    alpha.exec("echo kept > /root/synced; sync /root/synced /root; echo lost > /root/unsynced")
    alpha.power_cycle(lose_cache=True)
    assert alpha.exec("cat /root/synced /root/unsynced", check=False).stdout == "kept\n"
    alpha.exec("echo kept > /root/unsynced")
    alpha.power_cycle()
    assert alpha.read("/root/unsynced") == "kept\n"


def test_mariadb_recovers_after_a_power_loss(pair: Bed) -> None:
    """A row whose insert was acknowledged is there after power and cache were lost."""
    alpha = pair["alpha"]
    alpha.start_service("mariadb")
    alpha.exec(["mariadb", "-e", "create database w; create table w.t (n int primary key) engine=innodb"])
    alpha.exec(["mariadb", "-e", "insert into w.t values (1),(2),(3)"])
    alpha.power_cycle(lose_cache=True)
    alpha.start_service("mariadb")
    assert alpha.exec(["mariadb", "-Ne", "select count(*) from w.t"]).stdout.strip() == "3"
    alpha.disk_reset()


def test_freeze_and_thaw(pair: Bed) -> None:
    """A frozen host does nothing and answers nothing; thawed, it goes on with the same boot."""
    alpha, beta = pair.hosts
    alpha.exec(
        "setsid sh -c 'while :; do cat /proc/uptime >> /shared/ticks; sleep 0.02; done' >/dev/null 2>&1 &"
    )
    old = alpha.boot_id()
    started = time.monotonic()
    alpha.freeze()
    assert time.monotonic() - started < 0.5
    size = (pair.shared / "ticks").stat().st_size
    time.sleep(0.3)
    assert (pair.shared / "ticks").stat().st_size == size
    assert not _pings(pair, beta, "alpha")
    with pytest.raises(HostError, match="longer than"):
        alpha.exec(["true"], timeout_s=0.3)
    alpha.thaw()
    assert _pings(pair, beta, "alpha")
    assert alpha.boot_id() == old
    assert (pair.shared / "ticks").stat().st_size > size
    alpha.freeze(drop_packets=False)
    assert _pings(pair, beta, "alpha"), "a frozen host's kernel answers, unless its packets are dropped"
    alpha.thaw()


def test_links_and_partitions(pair: Bed) -> None:
    """A pulled cable shows as no carrier; a cut pair, one-way or both ways, leaves the way to others open."""
    alpha, beta = pair.hosts
    alpha.cut_link()
    assert alpha.exec(["cat", "/sys/class/net/host0/carrier"]).stdout.strip() == "0"
    assert not _pings(pair, beta, "alpha")
    alpha.heal_link()
    assert _pings(pair, beta, "alpha")
    pair.partition(alpha, beta)
    assert not _pings(pair, alpha, "beta")
    assert _client_pings(pair, alpha.address)
    pair.heal()
    beta.exec("nohup sh -c 'nc -u -l -p 9999 > /run/heard' >/dev/null 2>&1 &")
    pair.partition(beta, alpha, both_ways=False)
    assert not _pings(pair, alpha, "beta")
    alpha.exec("ip neigh replace $(getent hosts beta | cut -d' ' -f1) lladdr "
               f"{beta.exec(['cat', '/sys/class/net/host0/address']).stdout.strip()} dev host0; "
               "echo one-way | nc -u -q0 beta 9999; sleep 0.2")  # fmt: skip
    assert beta.read("/run/heard") == "one-way\n"
    pair.heal()
    pair.network.cut_client("alpha", True)
    assert not _client_pings(pair, alpha.address)
    assert _pings(pair, alpha, "beta")


@pytest.mark.parametrize("mount", ["/", "/run"])
def test_fill_disk(host: Host, mount: str) -> None:
    """A full file system is full for root too, and free again afterwards."""
    host.fill_disk(mount)
    full = host.exec(
        f"/bin/echo more > {mount}/more && sync {mount}/more && test -s {mount}/more", check=False
    )
    assert full.returncode != 0
    assert "No space left" in full.stderr
    host.free_disk(mount)
    host.exec(f"echo more > {mount}/more; test -s {mount}/more; rm {mount}/more")


def test_limits_of_memory_and_processes(host: Host) -> None:
    """A host can be made to run out of memory or process ids without the machine or a peer feeling it."""
    host.limit_pids(len(host.cgroup.pids()) + 8)
    assert (
        "ork"
        in host.exec("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sleep 1 & done", check=False).stderr
    )
    host.limit_pids(None)
    host.limit_memory(256 * 1024**2)
    eater = host.exec(["python3", "-c", "x = bytearray(512 * 1024**2); print(len(x))"], check=False)
    assert eater.returncode != 0
    host.limit_memory(None)


def test_python_and_pytest_run_inside(host: Host) -> None:
    """The repository's sources run inside by the venv's interpreter, and so do its test files."""
    assert host.exec_python("import acmd; print(acmd.__file__)").stdout.startswith("/repo/src/acmd/")
    assert "1 passed" in host.run_pytest("tests/hosts/inside_example.py").stdout
    with pytest.raises(HostError, match="no-such-file"):
        host.run_pytest("tests/hosts/no-such-file.py")
    assert host.exec(["touch", "/repo/x"], check=False).returncode != 0, "/repo is read-only"


def test_acmd_is_installed(host: Host, template: Template) -> None:
    """acmd is in the venv of every host, from the built wheel as soon as one can be built."""
    found = host.exec(["/opt/acmd/venv/bin/python", "-c", "import acmd; print(acmd.__file__)"]).stdout
    assert found.startswith("/opt/acmd/venv/lib/")
    if template.acmd_from_wheel:
        host.exec("ls -d /opt/acmd/venv/lib/python3*/site-packages/acmd-*.dist-info")


def test_reset_undoes_what_a_test_did(host: Host) -> None:
    """After reset no unit, unit file, address or failed state of the test is left, and the boot is the
    same.
    """
    old = host.boot_id()
    unit = "[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\n"
    host.push("/etc/systemd/system/stubborn.service", unit)
    host.push("/run/systemd/system/cron.service.d/50-x.conf", "[Unit]\nDescription=changed\n")
    host.exec("systemctl daemon-reload; systemctl start stubborn; ip address add 10.99.0.78/32 dev host0")
    host.exec(["systemd-run", "-q", "--unit=broken", "false"])
    host.stop_service("rsyslog", "syslog.socket")
    host.exec("setsid sleep 12345 >/dev/null 2>&1 &")
    started = time.monotonic()
    host.reset()
    assert time.monotonic() - started < 3.0
    state = host.exec(
        "systemctl cat stubborn; systemctl is-active cron rsyslog; systemctl --failed --no-legend; "
        "systemctl show -P Description cron; ip -4 -o address show dev host0",
        check=False,
    )
    assert state.stdout.split("\n")[:2] == ["active", "active"]
    assert not {"stubborn", "broken", "changed", "10.99.0.78"} & set(state.stdout.replace("/", " ").split())
    assert host.exec(["pgrep", "-f", "sleep 12345"], check=False).stdout == ""
    assert host.boot_id() == old
