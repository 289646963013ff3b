"""The disk of the guests: the template of tests/hosts, with NFS and the kernel's modules, as one ext4 image.

Two more layers in the cache of tests/hosts/image.py: `nfs-…` holds the packages that only a kernel of one's
own can use, `disk-…` the image made of all layers but acmd's. acmd's layer changes with every edit and is
copied in by each guest at its first boot.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.debian import download, run
from tests.hosts.image import Template, _hash, _layer, _stacked, build_template

UML = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
PACKAGES = ("nfs-kernel-server", "nfs-common", "rpcbind", "kmod")
INIT = "/opt/bed/init"
DISK_BYTES = 3 * 1024**3

# Units without a purpose on a guest that cost boot time, or would start a server on a client.
MASKED = (
    "rpc-gssd.service",
    "rpc-svcgssd.service",
    "auth-rpcgss-module.service",
    "nfs-blkmap.service",
    "proc-fs-nfsd.mount",
    "run-rpc_pipefs.mount",
    "systemd-logind.service",
    "systemd-remount-fs.service",
    "systemd-random-seed.service",
    "systemd-sysctl.service",
    "systemd-binfmt.service",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-ask-password-wall.path",
    "systemd-ask-password-console.path",
    "cron.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-sysusers.service",
    "kmod-static-nodes.service",
    "dev-mqueue.mount",
    "nfs-idmapd.service",
)
DISABLED = ("nfs-server.service", "nfs-client.target", "rpcbind.service", "rpcbind.socket")

# NFS after a restart of its server in seconds instead of minutes; both are the smallest that nfsd takes.
NFS_CONF = "[nfsd]\\nlease-time=10\\ngrace-time=10\\nthreads=8\\nvers3=y\\n[lockd]\\nport=32803\\n"

CONFIGURE = rf"""
set -eu
rm -f $root/usr/sbin/policy-rc.d
rm -f $root/etc/systemd/system/remote-fs.target
for unit in {" ".join(MASKED)}; do ln -sf /dev/null $root/etc/systemd/system/$unit; done
chroot $root systemctl --quiet disable {" ".join(DISABLED)}
printf '{NFS_CONF}' > $root/etc/nfs.conf.d/bed.conf
mkdir -p $root/opt/bed $root/bed $root/witness $root/export
printf '#!/bin/sh\nmount -t hostfs none /bed -o /\nexec /bed/repo/tests/uml/inside/init.sh\n' > $root{INIT}
chmod 755 $root{INIT}
"""


@dataclass(frozen=True, slots=True)
class Image:
    """What a guest is started from: the backing file of its disk, and acmd's layer."""

    disk: Path
    acmd: Path
    template: Template


def missing_needs() -> str:
    """Why no guest can run on this machine, with the package to install; empty when one can."""
    return "" if shutil.which(UML) else "hosts with their own kernel need: apt-get install user-mode-linux"


def build_image(template: Template | None = None) -> Image:
    """Return the image for the repository as it is now; builds what the cache does not hold (about 20 s).

    Raises ImageError when a layer cannot be built.
    """
    template = template or build_template()
    acmd, deps, base = template.lower
    modules = next(MODULES.iterdir())
    nfs_key = _hash((base.name, modules.name, *PACKAGES, CONFIGURE))
    nfs = _layer(f"nfs-{nfs_key}", lambda target, log: _build_nfs(base, modules, target, log))
    disk_key = _hash((deps.name, nfs_key))
    disk = _layer(f"disk-{disk_key}", lambda target, log: _build_disk([deps, nfs, base], target, log))
    return Image(disk / "disk.img", acmd, template)


def _build_nfs(base: Path, modules: Path, target: Path, log: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, _stacked([base], target) as prelude:
        debs = download(PACKAGES, base, Path(scratch), log)
        # No service starts in a chroot; modules where modprobe looks for them.
        script = (
            f"{prelude} mount --bind {debs} $root/wheels; "
            "printf '#!/bin/sh\\nexit 101\\n' > $root/usr/sbin/policy-rc.d; "
            "chmod 755 $root/usr/sbin/policy-rc.d; "
            "chroot $root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "
            "sh -c 'dpkg --force-confold -i /wheels/*.deb'; "
            f"mkdir -p $root/usr/lib/modules; cp -a {modules} $root/usr/lib/modules/; "
            f"{CONFIGURE}"
        )
        run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], log)
    (target / "wheels").rmdir()


def _build_disk(lower: list[Path], target: Path, log: Path) -> None:
    image = target / "disk.img"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        Path(scratch, "upper").mkdir()
        with _stacked(lower, Path(scratch, "upper")) as prelude:
            # The tree without what the prelude mounts on it.
            script = (
                f"{prelude} umount $root/proc; "
                f"mkfs.ext4 -q -F -m 0 -E nodiscard,lazy_itable_init=1 -O ^metadata_csum -d $root {image}"
            )
            run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], log)


def kernel_release() -> str:
    """The guests' kernel, as it names itself."""
    said = subprocess.run([UML, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    found = re.search(r"\d+\.\d+\.\S+", said)
    return found.group() if found else said.strip()
