"""Faults of a host's resources, and of what is installed and configured on it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.campaign.fault import Fault, Scene
from tests.hosts.cgroups import ROOT, Cgroup, CgroupError

MEMORY_BYTES = 512 * 1024**2
HOG = "import time\nkept = []\nwhile True:\n    kept.append(bytearray(4 << 20))\n    time.sleep(0.002)\n"
CONFIG = "/etc/acmd/acmd.toml"
KEPT = "/etc/acmd/kept.toml"
WHEEL = "/run/campaign/"


def fill(mount: str, scene: Scene) -> None:
    """To the last byte."""
    with scene.tolerant():
        scene.target.fill_disk(mount)


def free(mount: str, scene: Scene) -> None:
    """As before."""
    with scene.tolerant():
        scene.target.free_disk(mount)


def exhaust_memory(scene: Scene) -> None:
    """A program takes all there is, again and again."""
    with scene.tolerant():
        scene.target.limit_memory(MEMORY_BYTES)
        scene.target.exec(
            ["systemd-run", "-q", "--unit=campaign-hog", "-p", "Restart=always", "-p", "RestartSec=200ms",
             "-p", "StartLimitIntervalSec=0", "/usr/bin/python3", "-c", HOG]
        )  # fmt: skip


def memory_back(scene: Scene) -> None:
    """The program is gone."""
    if scene.target.has_power():
        with scene.tolerant():
            scene.target.limit_memory(None)
    scene.shell("systemctl stop campaign-hog; systemctl reset-failed campaign-hog")


def exhaust_pids(scene: Scene) -> None:
    """No fork works any more."""
    now = tasks(scene.target.cgroup)
    with scene.tolerant():
        scene.target.limit_pids(now + scene.chance.choice((0, 1, 3)))


def pids_back(scene: Scene) -> None:
    """They do again."""
    if scene.target.has_power():
        try:
            scene.target.limit_pids(None)
        except (CgroupError, OSError) as problem:
            scene.notes.append(str(problem))


def tasks(group: Cgroup) -> int:
    """How many tasks the host has now."""
    for path in (group.unified / "pids.current", ROOT / "pids" / group.path / "pids.current"):
        if path.exists():
            return int(path.read_text())
    return sum(len(list(Path(f"/proc/{pid}/task").glob("*"))) for pid in group.pids())


def exhaust_descriptors(unit: str, scene: Scene) -> None:
    """The process can open nothing more."""
    scene.shell(
        f"pid=$(systemctl show -P MainPID {unit}); "
        "prlimit --pid $pid --nofile=$(ls /proc/$pid/fd | wc -l):524288"
    )


def descriptors_back(unit: str, scene: Scene) -> None:
    """It can."""
    scene.shell(
        f"pid=$(systemctl show -P MainPID {unit}); [ $pid = 0 ] || prlimit --pid $pid --nofile=1024:524288"
    )


# ---------------------------------------------------------------- installed, configured


def upgrade(scene: Scene) -> None:
    """Installed anew, as a package does, and restarted."""
    wheel = next(scene.place.wheels.glob("*.whl"))
    scene.target.push(WHEEL + wheel.name, wheel.read_bytes())
    scene.shell(
        "/opt/acmd/venv/bin/python -m pip install -q --no-index --no-deps --force-reinstall "
        # Synced, as a package manager does: the next fault may take the disk's cache.
        f"{WHEEL}{wheel.name} && sync -f /opt && systemctl restart acmd",
        timeout_s=60,
    )


def restart(scene: Scene) -> None:
    """`systemctl restart acmd`."""
    scene.shell("systemctl restart --no-block acmd")


def configure(edit: str, scene: Scene) -> None:
    """Another configuration, and a restart that takes it."""
    scene.shell(f"cp -a {CONFIG} {KEPT} && {edit} && systemctl restart --no-block acmd")


def configure_back(scene: Scene) -> None:
    """The right one; the daemon's next try finds it."""
    scene.shell(f"[ -e {KEPT} ] && mv {KEPT} {CONFIG} && sync -f {CONFIG}")


def switchover(scene: Scene) -> None:
    """Asked for on the target."""
    scene.shell("/opt/acmd/venv/bin/acmd switchover", timeout_s=40)


RESOURCES, INSTALLED = "resources", "upgrade and configuration"
MACHINE = frozenset({"machine"})
MEND = "mend the configuration; the daemon tries again by itself"
BROKEN = f"echo 'broken = [' >> {CONFIG}"
TIMING = f"sed -i 's/^profile = .*/profile = \"standard\"/' {CONFIG}"

FAULTS = (
    Fault("root disk full", RESOURCES, partial(fill, "/"), partial(free, "/"), hold_s=(3.0, 7.0)),
    Fault("/run full", RESOURCES, partial(fill, "/run"), partial(free, "/run"), hold_s=(3.0, 7.0)),
    Fault("memory exhausted", RESOURCES, exhaust_memory, memory_back, hold_s=(3.0, 7.0), needs=MACHINE),
    Fault("process ids exhausted", RESOURCES, exhaust_pids, pids_back, hold_s=(3.0, 7.0), needs=MACHINE),
    Fault(
        "the daemon's descriptors exhausted",
        RESOURCES,
        partial(exhaust_descriptors, "acmd"),
        partial(descriptors_back, "acmd"),
        hold_s=(3.0, 7.0),
    ),
    Fault(
        "the guard's descriptors exhausted",
        RESOURCES,
        partial(exhaust_descriptors, "acmd-guard"),
        partial(descriptors_back, "acmd-guard"),
        hold_s=(3.0, 7.0),
    ),
    Fault(
        "acmd upgraded under load", INSTALLED, upgrade, hold_s=(0.5, 2.0), protocol="the next daemon adopts"
    ),
    Fault("daemon restarted", INSTALLED, restart, hold_s=(0.5, 2.0), protocol="the next daemon adopts"),
    Fault(
        "configuration broken",
        INSTALLED,
        partial(configure, BROKEN),
        configure_back,
        hold_s=(2.0, 7.0),
        operator=MEND,
        protocol="a refused start leaves services to the guard",
    ),
    Fault(
        "another timing than the cluster's",
        INSTALLED,
        partial(configure, TIMING),
        configure_back,
        hold_s=(2.0, 7.0),
        operator=MEND,
        protocol="a node whose timing differs does not start",
    ),
    Fault(
        "switchover",
        INSTALLED,
        switchover,
        sides=("active",),
        hold_s=(0.5, 2.0),
        protocol="no wait but stop and start",
    ),
)
