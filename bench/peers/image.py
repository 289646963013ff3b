"""The peers' Debian packages: one more cached layer in the hosts' template. That of the tests stays."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.hosts.debian import download, run
from tests.hosts.image import Template, _hash, _layer, _stacked, build_template

PACKAGES = (
    "keepalived",
    "corosync",
    "pacemaker",
    "pacemaker-cli-utils",
    "sanlock",
    "etcd-server",
    "etcd-client",
    "patroni",
    "postgresql-15",
)

# Started by a peer's own class, never by the boot.
DISABLED = (
    "keepalived.service",
    "corosync.service",
    "pacemaker.service",
    "sanlock.service",
    "wdmd.service",
    "etcd.service",
    "patroni.service",
    "postgresql.service",
)

# No cluster of Debian's own making: Patroni makes its own. No service starts in a chroot.
BEFORE = r"""
mkdir -p $root/etc/postgresql-common
printf 'create_main_cluster = false\n' > $root/etc/postgresql-common/createcluster.conf
printf '#!/bin/sh\nexit 101\n' > $root/usr/sbin/policy-rc.d
chmod 755 $root/usr/sbin/policy-rc.d
"""
AFTER = rf"""
rm -f $root/usr/sbin/policy-rc.d
chroot $root systemctl --quiet disable {" ".join(DISABLED)}
rm -rf $root/usr/share/doc $root/usr/share/man
"""


def build(template: Template | None = None) -> Template:
    """The hosts' template with the peers in it. ImageError when it cannot be built; the log says why."""
    template = template or build_template()
    *upper, base = template.lower
    key = _hash((base.name, *PACKAGES, BEFORE, AFTER))
    peers = _layer(f"peers-{key}", lambda target, log: _build(base, target, log))
    return Template(lower=(*upper, peers, base), acmd_from_wheel=template.acmd_from_wheel)


def versions(template: Template) -> dict[str, str]:
    """What was installed, by dpkg's own list."""
    found: dict[str, str] = {}
    for stanza in (template.lower[-2] / "var/lib/dpkg/status").read_text(errors="replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        if fields.get("Package") in PACKAGES:
            found[fields["Package"]] = fields["Version"]
    return found


def _build(base: Path, target: Path, log: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, _stacked([base], target) as prelude:
        debs = download(PACKAGES, base, Path(scratch), log)
        script = (
            f"{prelude} mount --bind {debs} $root/wheels; {BEFORE}"
            "chroot $root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "
            "sh -c 'dpkg --force-confold --unpack /wheels/*.deb && dpkg --force-confold --configure -a'; "
            f"{AFTER}"
        )
        run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], log)
    (target / "wheels").rmdir()
