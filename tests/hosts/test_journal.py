"""Where acmd's lines go on a real host, and the cluster's events after a power loss."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, main_pid, renew
from tests.hosts.host import Host
from tests.hosts.image import REPO
from tests.hosts.witness import wait_for

LOG = "/var/log/aspera.log"
# As RHEL and its kin have it: journald forwards nothing, rsyslog reads the journal.
IMJOURNAL = """module(load="imuxsock" SysSock.Use="off")
module(load="imjournal" StateFile="imjournal.state" FileCreateMode="0600")
$IncludeConfig /etc/rsyslog.d/*.conf
*.info;local2.none /var/log/messages
"""


@pytest.fixture
def cluster(pair: Bed) -> Iterator[Cluster]:
    """A cluster with acmd's rule for rsyslog; hosts as new afterwards."""
    renew(pair)
    made = Cluster(pair)
    for host in pair.hosts:
        host.push("/etc/rsyslog.d/acmd.conf", (REPO / "etc/rsyslog.d/acmd.conf").read_bytes())
        host.exec("systemctl restart rsyslog")
    yield made
    renew(pair)


def in_journal(host: Host) -> list[dict[str, str]]:
    """The daemon's entries, as `journalctl -u acmd -o json` has them."""
    text = host.exec(["journalctl", "-q", "-u", "acmd", "-o", "json", "_COMM=acmd"], check=False).stdout
    text = text or host.exec(["journalctl", "-q", "-u", "acmd", "-o", "json"]).stdout
    return [entry for entry in map(json.loads, text.splitlines()) if "ACMD_EVENT" in entry]


def in_log(host: Host) -> list[str]:
    """acmd's lines in the file of local2, without time and host."""
    text = host.exec(["cat", LOG], check=False).stdout  # which is not there before the first line
    return [line.partition("acmd[")[2] for line in text.splitlines() if "acmd[" in line]


@pytest.mark.parametrize("way", ["imuxsock", "imjournal"])
def test_each_line_once(way: str, cluster: Cluster) -> None:
    """In the journal with its fields, in aspera.log by local2: each line once, whichever way rsyslog has."""
    host = cluster.bed.hosts[0]
    if way == "imjournal":
        host.push("/etc/rsyslog.conf", IMJOURNAL)
        host.exec("mkdir -p /etc/systemd/journald.conf.d /var/spool/rsyslog")
        host.push("/etc/systemd/journald.conf.d/rhel.conf", "[Journal]\nForwardToSyslog=no\n")
        host.exec("systemctl restart systemd-journald rsyslog")
    cluster.install()
    cluster.init()
    host.exec(["systemctl", "start", "acmd"])
    cluster.wait_active(host)
    pid = main_pid(host)
    wait_for(lambda: any("services-up" in line for line in in_log(host)), 60, "the lines are in the file")
    entries = [entry for entry in in_journal(host) if entry["_PID"] == str(pid)]
    expected = [f"{entry['SYSLOG_PID']}]: {entry['MESSAGE']}" for entry in entries]
    found = [line for line in in_log(host) if line.startswith(f"{pid}]")]
    assert found[: len(expected)] == expected[: len(found)]
    assert len(found) > 5
    role = next(
        entry for entry in entries if entry["ACMD_EVENT"] == "role" and entry["ACMD_ROLE"] == "active"
    )
    assert (role["PRIORITY"], role["SYSLOG_FACILITY"], role["SYSLOG_IDENTIFIER"]) == ("6", "18", "acmd")
    assert role["ACMD_EPOCH"] == "1"
    assert re.match(r"INFO role role='active'", role["MESSAGE"])
    assert "acmd[" not in host.exec("cat /var/log/syslog /var/log/messages 2>/dev/null", check=False).stdout


def test_a_stuck_journald_delays_nothing(cluster: Cluster) -> None:
    """SIGSTOP to journald and rsyslog: the service runs on; afterwards the lines are there."""
    host, _ = cluster.start()
    (before,) = cluster.assert_alone()
    stuck = ["systemctl", "kill", "-s", "STOP", "systemd-journald", "rsyslog"]
    host.exec(stuck)
    try:
        host.exec(["systemctl", "reload", "acmd"], check=False)
        wait_for(lambda: cluster.status(host)["role"] == "active", 5, "it answers")
        wait_for(lambda: cluster.runs()[-1].last_ns - before.last_ns > 6 * 10**9, 30, "time has passed")
    finally:
        host.exec(["systemctl", "kill", "-s", "CONT", "systemd-journald", "rsyslog"])
    (after,) = cluster.assert_alone()
    assert (after.first_ns, after.epoch) == (before.first_ns, before.epoch)
    assert after.longest_gap_ns < 10**9
    wait_for(lambda: any(line["ACMD_EVENT"] == "reloaded" for line in in_journal(host)), 10, "the line")


def test_history_after_a_power_loss(cluster: Cluster) -> None:
    """The survivor tells both epochs with the interruption that the witness saw, and packs a report."""
    active, peer = cluster.start()
    wait_for(lambda: cluster.status(peer)["role"] == "passive", 10, "the peer is there")
    wait_for((cluster.bed.shared / f"acm/acmd/nodes/{active.name}.events").exists, 30, "its journal")
    active.auto_boot = False
    active.power_off(lose_cache=True)
    cluster.wait_active(peer)
    first, second = cluster.assert_alone()

    def past() -> list[dict[str, object]]:
        found = json.loads(peer.exec([ACMD, "history", "--json"]).stdout)["epochs"]
        return found if isinstance(found[-1]["interruption_s"], float) else []

    wait_for(past, 10, "the interruption is known")
    old, new = past()[-2:]
    assert (old["holder"], old["reason"], old["planned"]) == (active.name, "expired", False)
    assert new["holder"] == peer.name
    gap_s = (second.first_ns - first.last_ns) / 1e9
    assert isinstance(new["interruption_s"], float)
    assert abs(new["interruption_s"] - gap_s) < 2.5  # records have whole seconds
    events = [json.loads(line) for line in peer.exec([ACMD, "logs", "--json"]).stdout.splitlines()]
    assert {event["node"] for event in events} == {active.name, peer.name}
    assert any(event["event"] == "failover" for event in events)
    peer.exec([ACMD, "report", "-o", "/root/report.tar.gz"], timeout_s=120)
    names = peer.exec(["tar", "-tzf", "/root/report.tar.gz"]).stdout
    for part in ("journal.txt", "units.txt", "mounts.txt", "shared.json", "log-var-log-aspera.log"):
        assert part in names
    missing = peer.exec("tar -xzOf /root/report.tar.gz --wildcards '*/MISSING'").stdout
    assert missing.splitlines()[1:] == ["nothing"], missing
