"""A bed of hosts with kernels of their own, with an NFS server and its clients.

`with UmlBed(["alpha", "beta"], nfs="3") as bed:` gives booted clients in `bed.hosts` and the server in
`bed.store`. Names on the machine, and their removal, are those of tests.hosts.bed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.hosts.bed import Bed, _process_identity
from tests.hosts.cgroups import Cgroup
from tests.hosts.image import Template
from tests.hosts.inside import ENTER
from tests.hosts.network import SUBNET
from tests.uml.guest import CowDisk, Guest, NfsView
from tests.uml.image import Image, build_image
from tests.uml.network import MANAGE_ADDRESS, MANAGE_SUBNET, TapNetwork

STORE = "store"
STORE_ADDRESS = f"{SUBNET}.100"
STORE_MEMORY_MB = 192
CLOCK_PORT = "7008"


class UmlBed(Bed):
    """Guests, their switch, their file server. `shared` is not the export: it is the directory of the machine
    that every guest sees at /witness, past all of its network and storage.
    """

    store: Guest

    def __init__(
        self,
        names: Sequence[str] = ("alpha", "beta"),
        *,
        nfs: Literal["3", "4.2"] = "4.2",
        image: Image | None = None,
        boot: bool = True,
        softdog_margin_s: int | None = None,
    ) -> None:
        Bed.__init__(self, names, boot=boot, template=image.template if image else None)
        self.taps = TapNetwork(self.name)
        self.network = self.taps
        self.nfs = nfs
        self._image = image
        self._clock: subprocess.Popen[bytes] | None = None
        self._softdog_margin_s = softdog_margin_s

    @property
    def guests(self) -> list[Guest]:
        """The server, and the clients."""
        return [self.store, *(host for host in self.hosts if isinstance(host, Guest))]

    def __enter__(self) -> UmlBed:
        Bed.__enter__(self)
        return self

    def __getitem__(self, name: str) -> Guest:
        return next(guest for guest in self.guests if guest.name == name)

    def boot(self) -> None:
        """Switch everything on together and wait until each is `running`, with NFS mounted."""
        for guest in self.guests:
            guest.power_on()
        for guest in self.guests:
            guest.wait_running()
        self.wait_grace()

    def wait_grace(self) -> None:
        """Until the server lets files be made: it does not for 10 s after its start."""
        for host in self.hosts:
            host.exec(["touch", f"/shared/.{host.name}", f"/shared/acm/.{host.name}"], timeout_s=60)

    def reset(self) -> None:
        """Everything off, healed, and booted on empty disks; the export and /witness are empty too."""
        for guest in self.guests:
            guest.power_off()
            guest.disk.wipe()
        self.network.heal()
        for path in self.shared.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.boot()

    def remove(self) -> None:
        """Cut all power and remove everything of this bed from the machine."""
        if hasattr(self, "store"):
            self.store.power_off()
        Bed.remove(self)
        if self._clock is not None:
            self._clock.wait(timeout=20)

    def _create(self, template: Template) -> None:
        image = self._image or build_image(template)
        unnamed = self.run.with_name(f".{self.name}")
        unnamed.mkdir(mode=0o755)
        (unnamed / "owner").write_text(_process_identity(os.getpid()))
        unnamed.rename(self.run)
        self.shared.mkdir()
        self.shared.chmod(0o777)
        self.network.create()
        self._start_clock()
        addresses = {STORE: STORE_ADDRESS}
        addresses |= {name: f"{SUBNET}.{index}" for index, name in enumerate(self._names, start=1)}
        known = "127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for name, address in addresses.items()
        )
        made = [self._guest(image, name, address, known) for name, address in addresses.items()]
        self.store, self.hosts = made[0], [*made[1:]]

    def _guest(self, image: Image, name: str, address: str, known: str) -> Guest:
        run = self.run / name
        run.mkdir()
        (run / "hosts").write_text(known)
        self.network.add_host(name)
        guest = Guest(
            name, address, self.name, run, self.network,
            CowDisk(run / "disk.img", (image.disk,)),
            NfsView(self.shared, run, True, self.taps, name, STORE),
            image=image, taps=self.taps, manage=f"{MANAGE_SUBNET}.{address.rpartition('.')[2]}", nfs=self.nfs,
        )  # fmt: skip
        if name == STORE:
            guest.role, guest.memory_mb = "store", STORE_MEMORY_MB
        else:
            guest.softdog_margin_s = self._softdog_margin_s
        return guest

    def _start_clock(self) -> None:
        """The process that tells guests the machine's time; it goes with the bed's cgroup."""
        group = Cgroup(f"{self.name}/clock")
        group.create()
        files = [str(path) for path in group.procs_files()]
        script = str(Path(__file__).with_name("clock_server.py"))
        server = self.network.client_command([sys.executable, "-S", "-E", script, MANAGE_ADDRESS, CLOCK_PORT])
        self._clock = subprocess.Popen(
            ["sh", "-c", ENTER, "sh", str(len(files)), *files, *server],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
