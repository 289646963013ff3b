"""OCF agents and init scripts on hosts: the tests of `inside_ocf.py`, and an address on the wire."""

from __future__ import annotations

from dataclasses import dataclass

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, renew
from tests.hosts.host import Host
from tests.hosts.network import SUBNET
from tests.hosts.witness import wait_for

IP = f"{SUBNET}.200"

VIP = f"""
import asyncio, sys
from acmd.drivers.scripts.action import Place
from acmd.drivers.scripts.ocf import OcfAgent, OcfService, describe

async def main():
    parameters = {{"ip": "{IP}", "cidr_netmask": "24", "nic": "host0"}}
    agent = OcfAgent("vip", "heartbeat", "IPaddr2", parameters, place=Place("/sys/fs/cgroup/t-vip"))
    it = OcfService(agent, await describe(agent))
    if sys.argv[1] == "kill":
        await it.kill()
    else:
        assert await getattr(it, sys.argv[1])(*([1] if sys.argv[1] == "start" else []))

asyncio.run(main())
"""

SLOW = """#!/bin/sh
echo $1 >> /run/slow.calls
case $1 in
meta-data) cat <<X
<resource-agent name="Slow"><parameters/><actions><action name="start" timeout="20s"/>
<action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/></actions>
</resource-agent>
X
;;
start) touch /run/slow.state;;
stop) rm -f /run/slow.state;;
monitor) sleep 0.9; [ -e /run/slow.state ] || exit 7;;
esac
exit 0
"""
SLOW_SERVICE = """
[[service]]
name = "slow"
kind = "ocf"
agent = "ocf:test:Slow"
"""


@dataclass(slots=True)
class SlowCluster(Cluster):
    """With an agent whose monitor takes longer than a look waits for it."""

    def install(self) -> None:
        """The agent too."""
        for host in self.bed.hosts:
            host.push("/usr/lib/ocf/resource.d/test/Slow", SLOW)
            host.exec(["chmod", "755", "/usr/lib/ocf/resource.d/test/Slow"])
        Cluster.install(self)

    def config(self, host: Host) -> str:
        """The service too."""
        return Cluster.config(self, host) + SLOW_SERVICE


def vip(host: Host, verb: str) -> None:
    """Start, stop or kill the virtual address on a host."""
    host.exec_python(f"import sys; sys.argv[1:] = [{verb!r}]\n{VIP}")


def test_agents_and_init_scripts(host: Host) -> None:
    """Every test of inside_ocf.py passes on a host with Debian's resource agents."""
    said = host.run_pytest("tests/hosts/inside_ocf.py", timeout_s=300).stdout
    assert " passed" in said
    assert "skipped" not in said


def test_a_virtual_address_moves_and_the_wire_hears_of_it(pair: Bed) -> None:
    """The address answers where it is; its move is announced by gratuitous ARP; a kill takes it away."""
    alpha, beta = pair.hosts
    client = pair.network.client
    vip(alpha, "start")
    assert client(["ping", "-c1", "-W1", IP]).returncode == 0
    alpha_mac = alpha.read("/sys/class/net/host0/address").strip()
    beta_mac = beta.read("/sys/class/net/host0/address").strip()
    assert alpha_mac in client(["ip", "neigh", "show", IP]).stdout
    # Heard by the old node: an announcement goes to everybody.
    alpha.exec(
        f"nohup tcpdump -l -n -e -i host0 arp and host {IP} > /run/heard 2>/run/tcpdump & "
        "for i in $(seq 100); do grep -q listening /run/tcpdump && break; sleep 0.05; done"
    )
    vip(alpha, "kill")
    assert IP not in alpha.exec("ip -4 -o address").stdout
    assert client(["ping", "-c1", "-W1", IP]).returncode != 0
    vip(beta, "start")
    assert client(["ping", "-c1", "-W2", IP]).returncode == 0
    assert beta_mac in client(["ip", "neigh", "show", IP]).stdout
    heard = f"{beta_mac} > ff:ff:ff:ff:ff:ff.*{IP}"
    alpha.exec(f"for i in $(seq 100); do grep -q '{heard}' /run/heard && exit; sleep 0.05; done; exit 1")
    vip(beta, "stop")
    assert IP not in beta.exec("ip -4 -o address").stdout


def slow_runs(host: Host) -> bool:
    """Whether the agent's service is there."""
    return host.exec("test -e /run/slow.state", check=False).returncode == 0


def test_a_slow_monitor_keeps_no_node_out(pair: Bed) -> None:
    """The passive node stops nothing and calls nothing a stray; a switchover to it ends as any other does."""
    renew(pair)
    cluster = SlowCluster(pair)
    first, second = cluster.start()
    wait_for(lambda: slow_runs(first), 20, "it runs where the lease is")
    both = lambda: [node["fit"] for node in cluster.status(first)["nodes"]] == [True, True]  # noqa: E731
    wait_for(both, 20, "the other node is heard and fit")
    first.exec([ACMD, "switchover"], timeout_s=60)
    cluster.wait_active(second)
    wait_for(lambda: slow_runs(second), 20, "it runs where the lease is now")
    assert not slow_runs(first)
    for host, stops in ((first, 1), (second, 0)):
        assert host.read("/run/slow.calls").split().count("stop") == stops
        said = host.exec([ACMD, "logs", "-n", "1000"]).stdout
        assert "service-state" in said
        assert "service-stray" not in said
    cluster.assert_alone()
