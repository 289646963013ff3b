"""What a host of the bed is made of. Any change here gives another template: its hash is the cache's key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

SUITE = "bookworm"

PACKAGES = (
    # the system itself
    "systemd",
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "init-system-helpers",
    "util-linux",
    "procps",
    "psmisc",
    "ca-certificates",
    "e2fsprogs",
    # network, and the tools that tests look at it with
    "iproute2",
    "iputils-ping",
    "iputils-arping",
    "nftables",
    "netcat-openbsd",
    "tcpdump",
    "curl",
    # logs and time tables
    "rsyslog",
    "logrotate",
    "cron",
    # what acmd runs on, and what it supervises
    "python3",
    "python3-venv",
    "libfuse3-3",
    "apache2",
    "mariadb-server",
    "mariadb-client",
    "resource-agents",
)

# Installed, but started by acmd or by a test, never by the boot.
DISABLED = ("apache2.service", "mariadb.service", "apache-htcacheclean.service", "logd.service")

# Units that have nothing to do in a container: they cost boot time or leave the host `degraded`.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "apt-daily.service",
    "apt-daily-upgrade.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "man-db.timer",
    "console-getty.service",
    "getty.target",
    "systemd-udevd.service",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket",
    "systemd-udev-trigger.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-timesyncd.service",
    "systemd-firstboot.service",
    "systemd-pstore.service",
    "dev-hugepages.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "modprobe@.service",
    "systemd-modules-load.service",
    "remote-fs.target",
)

# Run with the template's directory as $1, after the packages are unpacked and configured.
CUSTOMIZE = r"""
set -eu
root=$1
# rsyslog must not read the machine's kernel ring buffer.
sed -i -e '/imklog/d' "$root/etc/rsyslog.conf"
# A journal that outlives a boot, small, written at once when it matters.
mkdir -p "$root/var/log/journal" "$root/etc/systemd/journald.conf.d" "$root/shared" "$root/repo"
printf '[Journal]\nStorage=persistent\nSystemMaxUse=64M\nRateLimitIntervalSec=0\n' \
    > "$root/etc/systemd/journald.conf.d/bed.conf"
# Two hosts, one kernel: no host may think that it is the first boot of a new machine (presets!).
echo 00000000000000000000000000000001 > "$root/etc/machine-id"
rm -f "$root/etc/resolv.conf" "$root/etc/hostname" "$root/var/lib/dbus/machine-id"
: > "$root/etc/fstab"
# A host of 128 MB: the buffer pool is small, and the redo log starts fast.
printf '[mysqld]\n%s\n%s\n%s\n%s\n' innodb_buffer_pool_size=32M innodb_log_file_size=8M \
    performance_schema=OFF skip_name_resolve \
    > "$root/etc/mysql/mariadb.conf.d/90-bed.cnf"
# The data directory anew: with the small redo log from the start, not resized at every host's first start.
rm -rf "$root/var/lib/mysql"/*
chroot "$root" mariadb-install-db --rpm --cross-bootstrap --user=mysql --skip-test-db >/dev/null
rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists"
mkdir -p "$root/var/cache/apt/archives/partial" "$root/var/lib/apt/lists/partial"
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale"
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One template. Two equal recipes give the same cache directory."""

    suite: str = SUITE
    packages: tuple[str, ...] = PACKAGES
    disabled: tuple[str, ...] = DISABLED
    masked: tuple[str, ...] = MASKED
    customize: str = CUSTOMIZE

    def key(self) -> str:
        """First 12 hex digits of the recipe's hash."""
        parts = (self.suite, *self.packages, "-", *self.disabled, "-", *self.masked, "-", self.customize)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
