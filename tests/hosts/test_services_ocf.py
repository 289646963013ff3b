"""OCF agents and init scripts on hosts: the tests of `inside_ocf.py`, and an address on the wire."""

from __future__ import annotations

from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.network import SUBNET

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
