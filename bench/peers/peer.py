"""What every peer has: hosts, a service under test that is the same for all, and six verbs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from tests.campaign.checker import Stamps
from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import REPO
from tests.hosts.inside import HostError
from tests.hosts.witness import NS_PER_S

ETC = Path(__file__).with_name("etc")
FRESH_S = 0.3  # a stamp of this age still means that the service runs; it stamps each 4 ms
TICK_S = 0.02
POWERED_AGAIN_S = 1.0
FENCE_ORDERS = "/witness/fence"
T = TypeVar("T")


class PeerError(Exception):
    """A peer did not get where it should; the message has its last words."""


class Switch:
    """The bed's power switch: obeys what tests/campaign/fence.py orders, and powers on again."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._orders = bed.witness / "fence"
        self._orders.mkdir()
        self._due: dict[str, float] = {}
        self.stays_off: set[str] = set()
        self.fenced: list[str] = []

    def tick(self) -> None:
        """Carry out what was ordered."""
        for order in sorted(self._orders.glob("*.order")):
            host = self._bed[order.read_text()]
            if host.has_power():
                host.power_off()
                self._due[host.name] = time.monotonic() + POWERED_AGAIN_S
            self.fenced.append(host.name)
            order.rename(order.with_suffix(".done"))
        for name, due in list(self._due.items()):
            if time.monotonic() >= due and name not in self.stays_off:
                del self._due[name]
                self._bed[name].power_on()


class Peer(ABC):
    """One cluster manager with its recommended configuration, on fresh hosts of a bed."""

    name: ClassVar[str]
    title: ClassVar[str]
    names: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    storage: ClassVar[Literal["plain", "faultfs"]] = "plain"
    shared_storage: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ()
    units: ClassVar[tuple[str, ...]] = ()  # whose processes are "the manager"
    remark: ClassVar[str] = ""  # what a reader has to know beside the figures
    limit_s: ClassVar[float] = 30.0  # a takeover that did not come by then does not come
    limits: ClassVar[dict[str, float]] = {}  # the same for faults that should not bring one
    lane: ClassVar[str] = "quick"  # peers of one lane are measured one after the other
    whole_s: ClassVar[float] = 60.0  # until it has to be whole again after a fault
    cannot: ClassVar[dict[str, str]] = {}  # faults that are not measured, and why
    mended_by_hand: ClassVar[frozenset[str]] = frozenset({"kill", "stop"})  # faults after which it rejoins

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.stamps = Stamps(bed.witness / "stamps")
        self.switch = Switch(bed)

    # ------------------------------------------------------------------ what each one says for itself

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be had on this machine; empty when it can."""
        return ""

    @abstractmethod
    def prepare(self) -> None:
        """Its files onto the hosts; nothing is started."""

    @abstractmethod
    def start(self) -> None:
        """Everything up, now and at each boot, on hosts that were never up before."""

    @abstractmethod
    def planned_move(self, source: Host, target: Host) -> None:
        """Order that the service moves, as the manual says."""

    def lacking(self) -> str:
        """What a next round has to wait for, beside a service that runs once."""
        return ""

    def moved(self, source: Host) -> None:  # noqa: B027
        """After a planned move: put the source back into the ranks."""

    def words(self, lines: int = 15) -> str:
        """Its last words on each host, for an error."""
        chosen = [word for unit in self.units for word in ("-u", unit)]
        said = []
        for host in self.bed.hosts:
            try:
                command = ["journalctl", "-q", "-n", f"{lines}", "-o", "short-precise", *chosen]
                last = host.exec(command, timeout_s=5).stdout
            except HostError as error:
                last = str(error)
            said.append(f"{host.name}:\n{last}")
        return "\n".join(said)

    # ------------------------------------------------------------------ faults of the manager

    def signal(self, host: Host, name: str) -> None:
        """A signal to every process of the manager on a host, and to nothing else."""
        for unit in reversed(self.units):
            host.exec(["systemctl", "kill", "-s", name, "--kill-whom=all", unit], check=False)

    def rejoin(self, host: Host) -> None:
        """What an administrator does after a crash that the unit's own Restart= did not mend."""
        host.exec(["systemctl", "reset-failed"])
        host.exec(["systemctl", "start", *self.units], timeout_s=90)

    # ------------------------------------------------------------------ the service under test

    def put_service(self) -> None:
        """The same unit on every host; nothing enables it."""
        stamper = (REPO / "tests/hosts/stamper.py").read_bytes()
        fence = (REPO / "tests/campaign/fence.py").read_bytes()
        for host in self.hosts:
            host.push("/opt/stamper.py", stamper)
            host.push("/opt/fence.py", fence)
            self.put(host, "witness.service", "/etc/systemd/system/witness.service")
            host.exec(["systemctl", "daemon-reload"])

    def put(self, host: Host, name: str, path: str, mode: int = 0o644, **values: str) -> None:
        """A file of etc/ onto a host, with @HOST@, @ADDRESS@ and what else is named filled in."""
        text = (ETC / name).read_text()
        for key, value in {"HOST": host.name, "ADDRESS": host.address, **values}.items():
            text = text.replace(f"@{key}@", value)
        host.push(path, text, mode)

    @property
    def hosts(self) -> list[Host]:
        """Those that may run the service."""
        return self.bed.hosts[:2]

    def running(self) -> set[str]:
        """Where the service runs at this moment, by its own stamps."""
        return self.stamps.running(time.monotonic_ns(), FRESH_S)

    def active(self) -> Host:
        """Where it runs. PeerError unless that is one host."""
        found = self.running()
        if len(found) != 1:
            raise PeerError(f"{self.name}: the service runs on {sorted(found) or 'no host'}")
        return self.bed[found.pop()]

    def other(self, host: Host) -> Host:
        """The one of the two that is not this."""
        return next(each for each in self.hosts if each is not host)

    # ------------------------------------------------------------------ time passes

    def wait(self, look: Callable[[], T], timeout_s: float, every_s: float = TICK_S) -> T | None:
        """The first thing that is true, None after `timeout_s`; the power switch obeys meanwhile."""
        deadline = time.monotonic() + timeout_s
        while True:
            self.switch.tick()
            found = look()
            if found:
                return found
            if time.monotonic() >= deadline:
                return None
            time.sleep(every_s)

    def wait_whole(self, timeout_s: float | None = None) -> None:
        """Until the service runs once and the other host could take over; else PeerError."""
        lacking = ["nothing was looked at"]

        def whole() -> bool:
            found = self.running()
            if len(found) != 1:
                lacking[0] = f"the service runs on {sorted(found) or 'no host'}"
            elif off := [host.name for host in self.bed.hosts if not host.is_on()]:
                lacking[0] = f"{', '.join(off)} off"
            else:
                try:
                    lacking[0] = self.lacking()
                except HostError as error:
                    lacking[0] = str(error)
            return not lacking[0]

        if not self.wait(whole, timeout_s or self.whole_s, 0.2):
            raise PeerError(f"{self.name} is not whole: {lacking[0]}\n{self.words()}")

    def started_elsewhere(self, than: Host, since_ns: int) -> bool:
        """Whether the service was started on another host after that instant."""
        return any(run.first_ns > since_ns and run.node != than.name for run in self.stamps.runs())


def seconds(value_ns: int) -> float:
    """Nanoseconds as seconds, to a tenth of a millisecond."""
    return round(value_ns / NS_PER_S, 4)
