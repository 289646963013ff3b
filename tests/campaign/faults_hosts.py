"""Faults of whole hosts: their power, a freeze, the network."""

from __future__ import annotations

import os
import signal
import time
from functools import partial

from tests.campaign.fault import Fault, Scene
from tests.hosts import inside

# ---------------------------------------------------------------- power


def power_off(scene: Scene, *, lose_cache: bool = False) -> None:
    """Cut it."""
    scene.place.meant_off.add(scene.target.name)
    scene.target.power_off(lose_cache=lose_cache)


def power_on(scene: Scene) -> None:
    """Give it back."""
    scene.place.power_on(scene.target)


def site_off(scene: Scene) -> None:
    """Both at once; each may lose its cache."""
    for host in (scene.target, scene.other):
        scene.place.meant_off.add(host.name)
        host.power_off(lose_cache=scene.chance.random() < 0.5)


def site_on(scene: Scene) -> None:
    """Both boot at once."""
    for host in (scene.target, scene.other):
        scene.place.power_on(host)


def reset(scene: Scene) -> None:
    """As by its reset button: no sync, no word to anybody."""
    scene.shell("reboot -ff", timeout_s=10)


def reboot(scene: Scene) -> None:
    """In order, as an operator does."""
    scene.shell("systemctl reboot")


# ---------------------------------------------------------------- freeze


def freeze(scene: Scene) -> None:
    """All of it, and its packets with it."""
    scene.target.freeze()


def thaw(scene: Scene) -> None:
    """Let it go on, unless it lost its power meanwhile."""
    with scene.tolerant():
        if scene.target.has_power() and scene.target.cgroup.frozen():
            scene.thawed_ns = time.monotonic_ns()
            scene.target.thaw()
    scene.target.network.isolate(scene.target.name, False)


def freeze_until_taken_over(scene: Scene) -> None:
    """Long enough that the other host is active, and then a little."""
    scene.target.freeze()
    scene.wait(scene.taken_over)


def freeze_with_a_start_queued(scene: Scene) -> None:
    """The database killed, so that a start of it is on its way through PID 1, and the host frozen at once."""
    scene.shell("systemctl kill -s KILL --kill-who=main mariadb; systemctl start --no-block mariadb")
    scene.target.freeze()


def stop_pid_1(scene: Scene) -> None:
    """PID 1 and the daemon stand still: nobody can say that no start job is left."""
    scene.shell("systemctl kill -s STOP --kill-who=main acmd")
    leader = inside.leader(scene.target.cgroup)
    if leader is not None:
        os.kill(leader, signal.SIGSTOP)


def go_on_pid_1(scene: Scene) -> None:
    """Where it is still the same boot."""
    leader = inside.leader(scene.target.cgroup)
    if leader is not None:
        os.kill(leader, signal.SIGCONT)
        scene.shell("systemctl kill -s CONT --kill-who=main acmd")


# ---------------------------------------------------------------- network


def unplug(scene: Scene) -> None:
    """The cable."""
    scene.target.cut_link()


def cut_client(scene: Scene, *, to_client: bool = True, from_client: bool = True) -> None:
    """Between the host and the client."""
    scene.place.bed.network.cut_client(scene.target.name, True, to_client, from_client)


def cut_nodes(scene: Scene, *, both_ways: bool = True) -> None:
    """Between the hosts."""
    scene.place.bed.partition(scene.target, scene.other, both_ways=both_ways)


def heal_network(scene: Scene) -> None:
    """Everything is plugged in again."""
    scene.place.bed.heal()


MACHINE = frozenset({"machine"})
NETWORK = frozenset({"network"})
LONG_FREEZE = "a host that cannot notice its pause needs a fence agent"
SHORT = "shorter than R: nothing happens"

FAULTS = (
    Fault(
        "power loss",
        "power",
        power_off,
        power_on,
        hold_s=(0.5, 9.0),
        protocol="taken over W after the last change",
    ),
    Fault(
        "power loss, disk cache lost",
        "power",
        partial(power_off, lose_cache=True),
        power_on,
        hold_s=(0.5, 7.0),
        needs=MACHINE,
        protocol="a crash at any point leaves a directory to go on with",
    ),
    Fault(
        "reset button",
        "power",
        reset,
        hold_s=(1.0, 2.0),
        protocol="the holder finds its own epoch of another boot",
    ),
    Fault("orderly reboot", "power", reboot, hold_s=(3.0, 6.0), protocol="a host going down releases first"),
    Fault(
        "power cut of the whole site",
        "site power",
        site_off,
        site_on,
        sides=("both",),
        hold_s=(0.2, 2.0),
        needs=MACHINE,
        protocol="both boot at once; one becomes active after W",
    ),
    Fault("freeze shorter than R", "freeze", freeze, thaw, hold_s=(0.3, 1.2), protocol=SHORT),
    Fault(
        "freeze past K, thawed before W",
        "freeze",
        freeze,
        thaw,
        hold_s=(3.1, 4.6),
        protocol="the guard acts at the thaw",
    ),
    Fault(
        "freeze past every deadline",
        "freeze",
        freeze_until_taken_over,
        thaw,
        sides=("active",),
        hold_s=(0.5, 1.5),
        limit_without_agent=LONG_FREEZE,
        protocol="the guard acts within 0.1 s of the thaw; with a required agent the host is off by then",
    ),
    Fault(
        "freeze past every deadline of the passive",
        "freeze",
        freeze,
        thaw,
        sides=("passive",),
        hold_s=(7.0, 8.0),
    ),
    Fault(
        "start job queued in PID 1 while frozen",
        "start job",
        freeze_with_a_start_queued,
        thaw,
        sides=("active",),
        hold_s=(3.1, 4.6),
        protocol="the gate refuses what PID 1 still had in its queue",
    ),
    Fault(
        "PID 1 and daemon stopped",
        "start job",
        stop_pid_1,
        go_on_pid_1,
        sides=("active",),
        hold_s=(6.0, 7.0),
        needs=MACHINE,
        protocol="without PID 1's word the host is reset",
    ),
    Fault(
        "cable pulled",
        "network",
        unplug,
        heal_network,
        needs=NETWORK,
        protocol="the lease is not on this network",
    ),
    Fault(
        "nodes cut off from each other", "network", cut_nodes, heal_network, hold_s=(2.0, 7.0), needs=NETWORK
    ),
    Fault(
        "nodes cut off, one way",
        "network",
        partial(cut_nodes, both_ways=False),
        heal_network,
        hold_s=(2.0, 7.0),
        needs=NETWORK,
    ),
    Fault("clients cut off", "network", cut_client, heal_network, needs=NETWORK),
    Fault(
        "clients cut off, answers lost",
        "network",
        partial(cut_client, from_client=False),
        heal_network,
        needs=NETWORK,
    ),
    Fault(
        "clients cut off, requests lost",
        "network",
        partial(cut_client, to_client=False),
        heal_network,
        needs=NETWORK,
    ),
)
