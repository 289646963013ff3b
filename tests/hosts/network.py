"""The network of a bed: a bridge in a namespace of its own, one port for each host, faults by link and
nftables.

Nothing of it appears in the machine's own network namespace. The bridge itself has an address, so that a
client or witness can run in the switch's namespace (`Network.client_command`) and see the hosts from outside.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

SUBNET = "10.99.0"
CLIENT_ADDRESS = f"{SUBNET}.254"
COMMAND_TIMEOUT_S = 20

# A dropped pair is (from, to): a cut can be one-way. The bridge's own port is not in `forward`, hence three
# hooks.
RULES = """
table bridge acmdbed {
    set isolated { type ifname; }
    set pairs { type ifname . ifname; }
    set to_client { type ifname; }
    set from_client { type ifname; }
    chain forward {
        type filter hook forward priority 0; policy accept;
        iifname @isolated drop
        oifname @isolated drop
        iifname . oifname @pairs drop
    }
    chain input {
        type filter hook input priority 0; policy accept;
        iifname @isolated drop
        iifname @to_client drop
    }
    chain output {
        type filter hook output priority 0; policy accept;
        oifname @isolated drop
        oifname @from_client drop
    }
}
"""


class NetworkError(Exception):
    """A command of ip or nft failed; the message has the command and what it said."""


def run(command: list[str], stdin: str | None = None) -> str:
    """Run a tool to its end and return what it printed; NetworkError with its words when it fails."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise NetworkError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Network:
    """The switch of one bed. `bed` is the bed's name, which prefixes each namespace."""

    bed: str

    @property
    def switch(self) -> str:
        """The switch's namespace."""
        return f"{self.bed}-switch"

    def namespace(self, host: str) -> str:
        """A host's namespace; it outlives the host's power cycles."""
        return f"{self.bed}-net-{host}"

    def create(self) -> None:
        """Make the switch."""
        run(["ip", "netns", "add", self.switch])
        for command in (
            "link add br0 type bridge stp_state 0 forward_delay 0",
            f"address add {CLIENT_ADDRESS}/24 dev br0",
            "link set br0 up",
            "link set lo up",
        ):
            run(["ip", "-n", self.switch, *command.split()])
        self._nft(RULES)

    def add_host(self, host: str) -> None:
        """Make a host's namespace with its card `host0`, plugged into the switch; each boot gives the
        address.
        """
        space = self.namespace(host)
        run(["ip", "netns", "add", space])
        run(
            [
                "ip",
                "-n",
                self.switch,
                "link",
                "add",
                "name",  # or a host called `a` is taken for a keyword
                host,
                "type",
                "veth",
                "peer",
                "name",
                "host0",
                "netns",
                space,
            ]
        )
        run(["ip", "-n", self.switch, "link", "set", "dev", host, "master", "br0", "up"])

    def power(self, host: str, on: bool) -> None:
        """Switch the host's own card on or off, as its power does; before a kill, so that no FIN is ever
        sent.
        """
        run(["ip", "-n", self.namespace(host), "link", "set", "host0", "up" if on else "down"])

    def forget_inside(self, host: str, address: str) -> None:
        """Remove what was set inside the host: virtual addresses and packet filters."""
        space = self.namespace(host)
        for line in run(["ip", "-n", space, "-o", "-4", "address", "show", "dev", "host0"]).splitlines():
            found = line.split()[3]
            if found != f"{address}/24":
                run(["ip", "-n", space, "address", "delete", found, "dev", "host0"])
        run(["ip", "netns", "exec", space, "nft", "flush", "ruleset"])

    def plug(self, host: str, plugged: bool) -> None:
        """Pull or plug in the host's cable, at the switch: the host sees its carrier go."""
        run(["ip", "-n", self.switch, "link", "set", "dev", host, "up" if plugged else "down"])

    def isolate(self, host: str, isolated: bool) -> None:
        """Drop (or no longer drop) every packet of the host; its carrier stays."""
        self._element("isolated", host, isolated)

    def cut(self, source: str, target: str, cut: bool) -> None:
        """Drop (or no longer drop) packets from host `source` to host `target`, in that direction only."""
        self._element("pairs", f"{source} . {target}", cut)

    def cut_client(self, host: str, cut: bool, to_client: bool = True, from_client: bool = True) -> None:
        """Drop packets between the host and the client in the switch's namespace, in the directions named."""
        if to_client:
            self._element("to_client", host, cut)
        if from_client:
            self._element("from_client", host, cut)

    def heal(self) -> None:
        """Undo every cut and isolation and plug in every cable."""
        self._nft("".join(f"flush set bridge acmdbed {name}\n" for name in SETS))
        for line in run(["ip", "-n", self.switch, "-br", "link", "show", "type", "veth"]).splitlines():
            self.plug(line.split("@")[0].split()[0], True)

    def client_command(self, command: list[str]) -> list[str]:
        """`command` as it is run outside of all hosts, with the client's address."""
        return ["ip", "netns", "exec", self.switch, *command]

    def client(self, command: list[str], timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run `command` to its end at the client's end of the switch; look at the return code yourself."""
        words = self.client_command(command)
        return subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)

    def remove(self) -> None:
        """Remove every namespace of this bed, and the links with them."""
        for space in namespaces(self.bed + "-"):
            run(["ip", "netns", "delete", space])

    def _element(self, name: str, value: str, present: bool) -> None:
        # `add` of a member that is there and `delete` after an `add` never fail: the verbs are idempotent.
        lines = f"add element bridge acmdbed {name} {{ {value} }}\n"
        if not present:
            lines += f"delete element bridge acmdbed {name} {{ {value} }}\n"
        self._nft(lines)

    def _nft(self, rules: str) -> None:
        run(["ip", "netns", "exec", self.switch, "nft", "-f", "-"], stdin=rules)


SETS = ("isolated", "pairs", "to_client", "from_client")


def namespaces(prefix: str) -> list[str]:
    """The network namespaces of this machine whose name begins with `prefix`."""
    directory = Path("/run/netns")
    return sorted(path.name for path in directory.glob(f"{prefix}*")) if directory.is_dir() else []
