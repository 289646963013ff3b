"""Faults of shared storage, as one host sees it or at the server, and of the directory on it."""

from __future__ import annotations

import errno
from functools import partial

from tests.campaign.fault import Fault, Scene

NAMES = ("create", "link", "mkdir", "rename", "setattr", "unlink")
READS = ("getattr", "lookup", "open", "opendir", "read", "readdir")
WRITES = ("fsync", "fsyncdir", "write", *NAMES)
LEASES = "*acm/acmd*"  # a lease is written through the name that it had before it was linked
KEPT = "/run/campaign-kept"


def gone(scene: Scene) -> None:
    """Nobody answers this host; SIGKILL ends who waits."""
    scene.target.shared.stop()


def back(scene: Scene) -> None:
    """It answers again."""
    scene.target.shared.go_on()


def server_gone(scene: Scene) -> None:
    """Nobody answers either host."""
    for host in (scene.target, scene.other):
        host.shared.stop()


def server_back(scene: Scene) -> None:
    """It answers both."""
    for host in (scene.target, scene.other):
        host.shared.go_on()


def rule(action: str, *ops: str, **how: object) -> partial[None]:
    """A rule of the fault-injecting file system, on the target alone."""
    return partial(_order, action, ops, dict(how))


def _order(action: str, ops: tuple[str, ...], how: dict[str, object], scene: Scene) -> None:
    scene.target.shared.fail(action, *ops, **how)


def clear(scene: Scene) -> None:
    """No rule is in force any more; those of a boot that is over went with it."""
    with scene.tolerant():
        if scene.target.has_power():
            scene.target.shared.clear()


# ---------------------------------------------------------------- the directory


def remove_lease(scene: Scene) -> None:
    """Somebody deletes the newest lease file."""
    scene.notes.append(
        scene.place.at_server("newest=$(ls lease.* | tail -1); rm $newest; echo removed $newest")
    )


def roll_back(scene: Scene) -> None:
    """The server comes back with an old copy of the directory."""
    # The nodes write while it goes: a directory may not be empty any more when it is to be removed.
    once = f"rm -rf ./* && cp -a {scene.place.backup}/. ."
    scene.place.at_server(f"for i in 1 2 3 4 5; do ({once}) && exit 0; done; exit 1")


def swap_mount(scene: Scene) -> None:
    """An empty file system over the directory."""
    scene.shell("mount -t tmpfs none /shared/acm/acmd", timeout_s=5)


def mount_again(scene: Scene) -> None:
    """And away again."""
    scene.shell("mountpoint -q /shared/acm/acmd && umount -l /shared/acm/acmd", timeout_s=5)


def unmount(scene: Scene) -> None:
    """The shared storage leaves the host, with everything still open in it."""
    keep = f"mkdir -p {KEPT} && mount --rbind /shared {KEPT} && mount --make-rprivate {KEPT}"
    scene.shell(f"{keep} && umount -l /shared", timeout_s=5)


def remount(scene: Scene) -> None:
    """And comes back, unless a boot brought it already."""
    scene.shell(f"mountpoint -q {KEPT} && mount --rbind {KEPT} /shared && umount -l {KEPT}", timeout_s=5)


STOP, RULES = frozenset({"stop"}), frozenset({"rules"})
SHORT, MIDDLE, LONG = (0.3, 1.3), (2.3, 4.2), (7.0, 9.0)
UNKNOWN = "every error is unknown; R decides"


def error(word: str, number: int, *ops: str) -> Fault:
    """Every such operation of this host fails."""
    how = rule("errno", *ops, error=number)
    return Fault(
        f"storage says {word}", "storage errors", how, clear, hold_s=(1.0, 7.5), needs=RULES, protocol=UNKNOWN
    )


def on_lease(name: str, how: partial[None]) -> Fault:
    """Only the cluster's directory is affected."""
    return Fault(name, "lease storage", how, clear, hold_s=(2.0, 7.5), needs=RULES, protocol=UNKNOWN)


FAULTS = (
    Fault("storage gone, shorter than R", "storage gone", gone, back, hold_s=SHORT, needs=STOP),
    Fault(
        "storage gone, between R and D",
        "storage gone",
        gone,
        back,
        hold_s=MIDDLE,
        needs=STOP,
        protocol="the active stops its services at R",
    ),
    Fault(
        "storage gone, longer than W",
        "storage gone",
        gone,
        back,
        hold_s=LONG,
        needs=STOP,
        protocol="gone before the peer takes over",
    ),
    Fault(
        "storage server gone for both",
        "storage gone",
        server_gone,
        server_back,
        sides=("both",),
        hold_s=(3.0, 9.0),
        needs=STOP,
        protocol="nobody can claim; back again: W, or at once after a release",
    ),
    Fault(
        "storage stalls, processes in D",
        "process in D",
        rule("stall", *READS, *WRITES),
        clear,
        hold_s=LONG,
        needs=RULES,
        protocol="what SIGKILL cannot end is reset away",
    ),
    Fault(
        "storage stalls writes, processes in D",
        "process in D",
        rule("stall", *WRITES),
        clear,
        hold_s=LONG,
        needs=RULES,
        protocol="what SIGKILL cannot end is reset away",
    ),
    Fault(
        "storage slow",
        "storage gone",
        rule("delay", "fsync", seconds=0.15),
        clear,
        hold_s=(2.0, 5.0),
        needs=RULES,
    ),
    error("EIO", errno.EIO, *READS, *WRITES),
    error("ESTALE", errno.ESTALE, *READS, *WRITES),
    error("ENOSPC", errno.ENOSPC, "write", "create", "mkdir", "link"),
    error("EROFS", errno.EROFS, *WRITES),
    Fault(
        "data directory says EIO, lease storage healthy",
        "storage errors",
        rule("errno", *READS, *WRITES, name="*mysql*"),
        clear,
        hold_s=(4.0, 8.0),
        needs=RULES,
        protocol="a healthy lease over dead data hands over",
    ),
    on_lease("lease storage stalls", rule("stall", *READS, *WRITES, name=LEASES)),
    on_lease("lease storage says EIO", rule("errno", *READS, *WRITES, name=LEASES)),
    on_lease("renewals land late", rule("late", "write", name=LEASES, seconds=5.0)),
    on_lease("renewals done, answered with EIO", rule("done-error", "write", name=LEASES)),
    on_lease("records torn", rule("tear", "write", name=LEASES, count=2)),
    on_lease("new names seen late", rule("hide", "link", name="*lease*", seconds=1.0)),
    Fault(
        "lease file removed",
        "directory",
        remove_lease,
        sides=("active",),
        hold_s=(0.5, 2.0),
        protocol="the name must lead to the open inode",
    ),
    Fault(
        "directory rolled back",
        "directory",
        roll_back,
        sides=("active",),
        hold_s=(0.5, 2.0),
        limit="an acknowledged write survives: this is assumed of the storage",
    ),
    Fault(
        "another file system mounted over the directory",
        "directory",
        swap_mount,
        mount_again,
        hold_s=(1.0, 7.0),
    ),
    Fault("storage unmounted under the daemon", "directory", unmount, remount, hold_s=(1.0, 7.0)),
)
