"""The same campaign on hosts with kernels of their own, on a real NFS server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.campaign.checker import LateWrites
from tests.campaign.place import Place
from tests.campaign.site import CampaignSite
from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.uml.bed import UmlBed
from tests.uml.cluster import WRITER
from tests.uml.guest import Guest
from tests.uml.image import Image, build_image

CAN_UML = frozenset({"stop", "network", "clock", "nfs", "watchdog"})
BLOCKS = "/export/shared/blocks"
WRITERS = "".join(WRITER.format(mode=mode, stop_timeout_s=2) for mode in ("direct", "dirty"))
AT_STORE = "/export/acm/acmd"
SOFTDOG_MARGIN_S = 60  # until the guard sets its own
WATCHDOG_DEVICE = "/dev/watchdog1"
SLOW_S = 3.0
PATIENCE = 4.0
LOOK_S = 20.0


@dataclass(slots=True)
class UmlPlace(Place):
    """Two clients and a server; every host's watchdog is softdog, and required."""

    nfs: Literal["3", "4.2"] = "4.2"
    image: Image | None = None
    recent_s: float = SLOW_S
    late: LateWrites = field(default_factory=LateWrites)

    def make_bed(self) -> Bed:
        """The guests."""
        self.kind = f"NFS {self.nfs}"
        self.image = self.image or build_image(self.template)
        return UmlBed(nfs=self.nfs, image=self.image, softdog_margin_s=SOFTDOG_MARGIN_S)

    def make_site(self) -> CampaignSite:
        """With a watchdog."""
        site = Place.make_site(self)
        site.patience, site.further = PATIENCE, WRITERS
        site.watchdog, site.watchdog_device = "required", WATCHDOG_DEVICE
        return site

    @property
    def witness(self) -> Path:
        """A directory of the machine, past NFS."""
        return self.bed.shared

    @property
    def backup(self) -> str:
        """On the server's disk."""
        return "/export/backup"

    @property
    def store(self) -> Guest:
        """The file server."""
        if not isinstance(self.bed, UmlBed):
            raise TypeError("only a UmlBed has a file server")
        return self.bed.store

    def at_server(self, command: str) -> str:
        """As told by the server itself."""
        return self.store.exec(f"cd {AT_STORE} && {command}").stdout

    def late_writes(self) -> list[str]:
        """By the blocks that the server has of each epoch's writers."""
        look = f"cd {BLOCKS} && for f in *; do printf '%s: ' $f; head -qn 1 $f | tr -d '\\0'; echo; done"
        return self.late.look(self.store.exec(look, check=False, timeout_s=LOOK_S).stdout)

    def databases(self) -> list[str]:
        """Nothing is seen of a guest's processes from outside."""
        return []


def guest(host: Host) -> Guest:
    """The same host, with the verbs that only a kernel of its own has."""
    if not isinstance(host, Guest):
        raise TypeError(f"{host.name} has no kernel of its own")
    return host
