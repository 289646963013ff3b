"""The network of guests: tap devices on the bed's switch, and a second switch that is the bed's way in.

The second one is never cut: a test reaches a host that nobody else reaches. A tap device is never set down,
since a guest's card does not come back from that; its packets are dropped instead.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from dataclasses import dataclass

from tests.hosts.network import SETS, Network, run

MANAGE_SUBNET = "10.98.0"
MANAGE_ADDRESS = f"{MANAGE_SUBNET}.254"
CLONE_NEWNET = 0x40000000


@dataclass(frozen=True, slots=True)
class TapNetwork(Network):
    """Names of hosts are names of taps; `m-NAME` is a host's card for the bed."""

    def create(self) -> None:
        """Make both switches."""
        Network.create(self)
        for command in (
            "link add br1 type bridge stp_state 0 forward_delay 0",
            f"address add {MANAGE_ADDRESS}/24 dev br1",
            "link set br1 up",
        ):
            run(["ip", "-n", self.switch, *command.split()])

    def add_host(self, host: str) -> None:
        """Make a host's two cards; they outlive its power cycles."""
        for tap, bridge in ((host, "br0"), (f"m-{host}", "br1")):
            run(["ip", "-n", self.switch, "tuntap", "add", "dev", tap, "mode", "tap", "user", "root"])
            run(["ip", "-n", self.switch, "link", "set", "dev", tap, "master", bridge, "up"])

    def power(self, host: str, on: bool) -> None:
        """Nothing: a killed guest sends no FIN, and has no card that could answer."""

    def plug(self, host: str, plugged: bool) -> None:
        """Drop (or no longer drop) every packet: the guest's carrier stays."""
        self.isolate(host, not plugged)

    def forget_inside(self, host: str, address: str) -> None:
        """Nothing: what was set in a guest's kernel goes with its boot."""

    def heal(self) -> None:
        """Undo every cut and isolation."""
        self._nft("".join(f"flush set bridge acmdbed {name}\n" for name in SETS))

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        """A connection from the bed's end of the way in; OSError when nobody answers."""
        made = self._socket()
        try:
            made.settimeout(timeout_s)
            made.connect((address, port))
        except BaseException:
            made.close()
            raise
        return made

    def _socket(self) -> socket.socket:
        """A socket belongs to the namespace that its thread was in: a thread of its own, for a moment."""
        made: list[socket.socket] = []

        def enter_and_make() -> None:
            space = os.open(f"/run/netns/{self.switch}", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET) == 0:
                    made.append(socket.socket())
            finally:
                os.close(space)

        thread = threading.Thread(target=enter_and_make)
        thread.start()
        thread.join()
        if not made:
            raise OSError(f"cannot enter the network namespace {self.switch}")
        return made[0]
