"""Units, init scripts and agents in a cluster when D-Bus, data or programs fail; and what stays behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import CONFIG, WITNESS, Cluster, main_pid, prop, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.storage import faultfs_available
from tests.hosts.witness import NS_PER_S, wait_for

LIMIT_S = 60.0  # for what takes a second on a machine that has nothing else to do
STILL_S = 13.0  # beyond D of the standard profile: a renewal that was missed would show
LOOKS = ("getattr", "lookup", "opendir", "read", "readdir", "statfs")

PROGRAM = f"ACMD_NODE=$(hostname) exec /usr/bin/python3 /opt/stamper.py {WITNESS}"
UNIT = f"""[Service]
ExecStart=/bin/sh -c '{PROGRAM}'
ExecReload=/bin/sh -c 'echo reloaded >> /run/reloads'
"""
SCRIPT = f"""#!/bin/sh
### BEGIN INIT INFO
# Provides: witness
# Required-Start:
# Required-Stop:
# Default-Start:
# Default-Stop: 0 1 6
# Short-Description: a witness
### END INIT INFO
P=/run/witness.pid
case $1 in
start) (setsid sh -c '{PROGRAM}' >/dev/null 2>&1 & echo $! > $P);;
stop) [ -e $P ] && kill $(cat $P); rm -f $P;;
status) [ -e $P ] || exit 3; kill -0 $(cat $P) 2>/dev/null || exit 1;;
*) exit 3;;
esac
exit 0
"""
AS_UNIT = 'kind = "systemd"\nunit = "witness.service"\n'
AS_SCRIPT = 'kind = "sysv"\nscript = "/etc/init.d/witness"\n'
OTHERS = """
[[service]]
name = "mark"
kind = "ocf"
agent = "ocf:heartbeat:Dummy"

[[service]]
name = "runner"
command = ["/bin/sleep", "infinity"]

[[service]]
name = "everywhere"
kind = "systemd"
unit = "everywhere.service"
runs_on = "all"
"""


@dataclass(slots=True)
class Kept(Cluster):
    """A cluster whose witness is a unit or an init script."""

    service: str = AS_UNIT
    more: str = ""

    def config(self, host: Host) -> str:
        """The host's configuration."""
        head = CONFIG.format(
            directory=self.directory,
            address=host.address,
            profile=self.profile,
            last_resort=self.last_resort,
            witness=WITNESS,
            options="",
        ).partition("[[service]]")[0]
        return f'{head}[[service]]\nname = "witness"\n{self.service}stop_timeout_s = 5\n{self.more}'

    def install(self) -> None:
        """Everything on both hosts; nothing is started."""
        for host in self.bed.hosts:
            if "script" in self.service or "generated" in self.service:
                host.push("/etc/init.d/witness", SCRIPT, 0o755)
            else:
                host.push("/etc/systemd/system/witness.service", UNIT)
            host.push("/etc/systemd/system/everywhere.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        Cluster.install(self)

    def up(self) -> tuple[Host, Host]:
        """The active host, and the other one, which is passive."""
        self.install()
        self.init()
        first, second = self.bed.hosts
        first.exec(["systemctl", "start", "acmd"], timeout_s=90)
        self.wait_active(first, LIMIT_S)
        second.exec(["systemctl", "start", "acmd"], timeout_s=90)
        wait_for(lambda: self.status(second).get("role") == "passive", LIMIT_S, self.says())
        return first, second


@pytest.fixture(scope="module")
def bed(template: Template) -> Iterator[Bed]:
    """Two hosts for this file."""
    with Bed(["alpha", "beta"], template=template) as made:
        yield made


@pytest.fixture
def kept(bed: Bed) -> Iterator[Kept]:
    """Nothing is installed yet; afterwards the hosts get new disks."""
    yield Kept(bed, profile="standard")
    renew(bed)


@pytest.mark.parametrize("how", ["stopped", "stuck"])
def test_dbus_fails_under_the_active_node(kept: Kept, how: str) -> None:
    """D-Bus gone or hanging: no failover, no restart; back again, a killed service is started as ever."""
    active, _ = kept.up()
    before, run = kept.status(active)["epoch"], prop(active, "InvocationID", "witness.service")
    if how == "stopped":
        active.exec(["systemctl", "stop", "dbus.socket", "dbus.service"])
    else:
        active.exec(["systemctl", "kill", "-s", "STOP", "dbus.service"])
    time.sleep(STILL_S)
    assert prop(active, "InvocationID", "witness.service") == run
    assert len(kept.assert_alone()) == 1
    if how == "stopped":
        active.exec(["systemctl", "start", "dbus.socket", "dbus.service"])
    else:
        active.exec(["systemctl", "kill", "-s", "CONT", "dbus.service"])
    killed_ns = time.monotonic_ns()
    active.exec(["systemctl", "kill", "-s", "KILL", "witness"])
    kept.wait_active(active, LIMIT_S, since_ns=killed_ns)
    status = kept.status(active)
    assert (status["role"], status["epoch"]) == ("active", before)
    assert len(kept.assert_alone()) == 2


def test_dbus_restarted_again_and_again(kept: Kept) -> None:
    """Each time the connection is made anew; the service and the lease notice nothing."""
    active, _ = kept.up()
    before, run = kept.status(active)["epoch"], prop(active, "InvocationID", "witness.service")
    for _ in range(5):
        active.exec(["systemctl", "restart", "dbus.service"])
        time.sleep(0.5)
    assert prop(active, "InvocationID", "witness.service") == run
    status = kept.status(active)
    assert (status["role"], status["epoch"]) == ("active", before)


@pytest.mark.parametrize("service", [AS_SCRIPT, f"# generated\n{AS_UNIT}"], ids=["script", "its unit"])
def test_an_init_script(kept: Kept, service: str) -> None:
    """Starts behind the gate, is restarted when its program dies though its unit stays active, and moves."""
    kept.service = service
    active, passive = kept.up()
    assert "acmd-active" in prop(active, "Slice", "witness.service")
    passive.exec(["systemctl", "start", "witness"], check=False)
    assert kept.running(passive) is None, "the gate refuses a start by hand"
    killed_ns = time.monotonic_ns()
    active.exec("kill -9 $(cat /run/witness.pid)")
    kept.wait_active(active, LIMIT_S, since_ns=killed_ns)
    active.exec(["systemctl", "stop", "acmd"], timeout_s=90)
    kept.wait_active(passive, LIMIT_S)
    kept.assert_alone()


def test_dead_data_on_the_active_node(kept: Kept) -> None:
    """Data that turned read-only under a healthy lease: the node hands over at once, and says why."""
    kept.service += 'data_directories = ["/shared/data"]\n'
    kept.more = "[fitness]\ninterval_s = 1\n"
    (kept.bed.shared / "data").mkdir()
    active, passive = kept.up()
    wait_for(lambda: "fitness" in passive.journal("acmd"), LIMIT_S, "the peer was checked")
    active.exec("mount -t tmpfs -o ro none /shared/data")
    kept.wait_active(passive, LIMIT_S)
    first, second = kept.assert_alone()
    assert second.first_ns - first.last_ns < 10 * NS_PER_S, "given back: nobody waits for W"
    assert "it is mounted read-only" in active.journal("acmd")
    assert "it is mounted read-only" in str(kept.status(active)["nodes"])


@pytest.mark.skipif(not faultfs_available(), reason="needs pyfuse3 and tests/faultfs")
def test_data_that_hang_on_the_active_node(template: Template) -> None:
    """Data that answer no more under a healthy lease: the peer takes over, whatever becomes of the host."""
    with Bed(["alpha", "beta"], storage="faultfs", template=template) as bed:
        kept = Kept(bed, profile="standard", service=AS_UNIT + 'data_directories = ["/shared/data"]\n')
        kept.more = "[fitness]\ninterval_s = 1\ntimeout_s = 2\n"
        (bed.shared / "data").mkdir()
        active, passive = kept.up()
        active.shared.fail("stall", *LOOKS, name="*data*")
        kept.wait_active(passive, 120.0)
        kept.assert_alone()


def test_a_service_that_ignores_sigterm(kept: Kept) -> None:
    """A stop kills it at its limit, and the peer takes over with no overlap."""
    kept.service = AS_UNIT
    active, passive = kept.up()
    stubborn = UNIT.replace(WITNESS, f"{WITNESS} ignore-term") + "TimeoutStopSec=infinity\n"
    for host in (active, passive):
        host.push("/etc/systemd/system/witness.service", stubborn)
        host.exec(["systemctl", "daemon-reload"])
    killed_ns = time.monotonic_ns()
    active.exec(["systemctl", "kill", "-s", "KILL", "witness"])
    kept.wait_active(active, LIMIT_S, since_ns=killed_ns)
    active.exec(["systemctl", "stop", "acmd"], timeout_s=90)
    kept.wait_active(passive, LIMIT_S)
    kept.assert_alone()


def test_a_start_that_never_ends(kept: Kept) -> None:
    """A unit that never gets ready is stopped at its limit, spends its budget, and the node hands over."""
    kept.service += "start_timeout_s = 2\nrestart = { max_restarts = 1, backoff_s = 0.1 }\n"
    active, passive = kept.up()
    active.push("/etc/systemd/system/witness.service.d/never.conf", "[Service]\nType=notify\n")
    active.exec("systemctl daemon-reload; systemctl kill -s KILL witness")
    wait_for(lambda: kept.status(passive).get("role") == "active", LIMIT_S, kept.says())
    kept.wait_active(passive, LIMIT_S)
    kept.assert_alone()
    assert "a service cannot be kept up here" in active.journal("acmd")


def test_a_reload_takes_over_limits(kept: Kept) -> None:
    """`systemctl reload acmd`: a unit's stop limit holds from its next stop on, without a restart."""
    active, _ = kept.up()
    pid, text = main_pid(active), active.read("/etc/acmd/acmd.toml")
    active.push("/etc/acmd/acmd.toml", text.replace("stop_timeout_s = 5", "stop_timeout_s = 7"))
    active.exec(["systemctl", "reload", "acmd"])
    wait_for(lambda: "service[witness].stop_timeout_s" in active.journal("acmd"), LIMIT_S, "it is taken over")
    assert main_pid(active) == pid


def test_nothing_stays_behind(kept: Kept) -> None:
    """After `systemctl stop acmd` no control group, drop-in or unit of acmd's is left, nor after removal."""
    kept.more = OTHERS
    active, passive = kept.up()
    groups = "find /sys/fs/cgroup -type d -name 'acmd[.-]*'"
    assert "acmd-active" in active.exec(groups).stdout
    for host in (passive, active):
        host.exec(["systemctl", "stop", "acmd"], timeout_s=120)
        wait_for(
            lambda host=host: host.exec(groups, check=False).stdout == "",  # type: ignore[misc]
            LIMIT_S,
            f"control groups: {host.exec(groups).stdout}",
        )
        left = "find /run/systemd /etc/systemd \\( -name '*zz-acmd*' -o -name 'acmd-active-*' \\)"
        assert host.exec(left).stdout == ""
        assert "acmd" not in host.exec(["systemctl", "cat", "witness", "everywhere"]).stdout
        for unit in ("witness.service", "everywhere.service"):
            assert prop(host, "ActiveState", unit) == "inactive"
        host.exec("rm -f /etc/systemd/system/acmd*; systemctl daemon-reload; systemctl reset-failed")
        listed = host.exec("systemctl list-units --all --no-legend --plain 'acmd*'").stdout
        assert listed == "", "PID 1 remembers none of acmd's units"
