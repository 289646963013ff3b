"""Faults that need hosts with kernels of their own: clocks, a real file server, the network to it."""

from __future__ import annotations

from functools import partial

from tests.campaign.fault import Fault, Scene
from tests.campaign.place_uml import UmlPlace, guest

DAY_S = 86_400
SLEW_PPM = 83_333  # the most that chrony does by default


def step(seconds: int, scene: Scene) -> None:
    """Set the wall clock."""
    with scene.tolerant():
        guest(scene.target).step_clock(seconds)


def step_back_and_back(scene: Scene) -> None:
    """Backwards, again and again."""
    for _ in range(10):
        step(-600, scene)
        scene.sleep(0.5)


def slew(ppm: int, scene: Scene) -> None:
    """Let it run at another rate."""
    with scene.tolerant():
        guest(scene.target).slew_clock(ppm)


def server(scene: Scene) -> UmlPlace:
    """The place, with its file server."""
    if not isinstance(scene.place, UmlPlace):
        raise TypeError("this bed has no file server")
    return scene.place


def server_off(scene: Scene) -> None:
    """Its power is cut."""
    server(scene).store.power_off()


def server_on(scene: Scene) -> None:
    """It boots, and lets clients reclaim what they had."""
    server(scene).store.boot()


def restart_server(scene: Scene) -> None:
    """Its service is started anew."""
    with scene.tolerant():
        server(scene).store.exec("systemctl restart nfs-server", timeout_s=60)


def freeze_server(scene: Scene) -> None:
    """It stands still."""
    server(scene).store.freeze()


def thaw_server(scene: Scene) -> None:
    """It goes on."""
    server(scene).store.thaw()


def cut_server(scene: Scene, *, to_server: bool) -> None:
    """One direction between the host and the file server."""
    store, name = server(scene).store.name, scene.target.name
    pair = (name, store) if to_server else (store, name)
    scene.place.bed.network.cut(*pair, True)


def heal(scene: Scene) -> None:
    """Everything passes again."""
    scene.place.bed.heal()


CLOCK, NFS = frozenset({"clock"}), frozenset({"nfs"})
SAYS = "durations come from monotonic clocks; offsets and steps do not matter"
RATE = "rates within 10 % of real time are allowed for in W"
LONG = (5.6, 7.6)

FAULTS = (
    Fault(
        "wall clock a day ahead",
        "clock",
        partial(step, DAY_S),
        partial(step, -DAY_S),
        needs=CLOCK,
        protocol=SAYS,
    ),
    Fault(
        "wall clock a day back",
        "clock",
        partial(step, -DAY_S),
        partial(step, DAY_S),
        needs=CLOCK,
        protocol=SAYS,
    ),
    Fault(
        "wall clock back in steps",
        "clock",
        step_back_and_back,
        partial(step, 6000),
        needs=CLOCK,
        protocol=SAYS,
    ),
    Fault(
        "clock slewed fast",
        "clock",
        partial(slew, SLEW_PPM),
        partial(slew, 0),
        hold_s=LONG,
        needs=CLOCK,
        protocol=RATE,
    ),
    Fault(
        "clock slewed slow",
        "clock",
        partial(slew, -SLEW_PPM),
        partial(slew, 0),
        hold_s=LONG,
        needs=CLOCK,
        protocol=RATE,
    ),
    Fault("file server loses power", "file server", server_off, server_on, ("both",), (0.5, 5.5), NFS),
    Fault(
        "file server restarted", "file server", restart_server, sides=("both",), hold_s=(1.0, 3.0), needs=NFS
    ),
    Fault("file server frozen", "file server", freeze_server, thaw_server, ("both",), (1.0, 7.0), NFS),
    Fault(
        "cut to the file server, one way",
        "file server",
        partial(cut_server, to_server=True),
        heal,
        hold_s=LONG,
        needs=NFS,
    ),
    Fault(
        "cut from the file server, one way",
        "file server",
        partial(cut_server, to_server=False),
        heal,
        hold_s=LONG,
        needs=NFS,
    ),
)
