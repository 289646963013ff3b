"""Faults that need hosts with kernels of their own: clocks, a real file server, the network to it."""

from __future__ import annotations

from functools import partial

from tests.campaign.fault import Fault, Scene
from tests.campaign.place_uml import UmlPlace, guest
from tests.uml.cluster import BROKEN, NO_GUARD

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


# ---------------------------------------------------------------- late writes


def cut_storage(scene: Scene) -> None:
    """The server is out of the host's reach while it writes, past every cache and into its own."""
    scene.target.shared.stop()


def cut_and_kill(scene: Scene) -> None:
    """The same, and the writers are killed at once: their requests stay in the kernel."""
    cut_storage(scene)
    scene.shell("pkill -KILL -f inside/writer.py")


def cut_and_stop_daemon(scene: Scene) -> None:
    """The same, with a daemon that stands still: guard and kernel are alone with it."""
    cut_storage(scene)
    scene.shell("systemctl kill -s STOP --kill-who=main acmd")


def heal_after_takeover(scene: Scene) -> None:
    """Heal once the other host runs; then nothing of the old epoch may change any more."""
    if scene.wait(scene.taken_over, 60.0):
        scene.late += scene.place.late_writes()
    else:
        scene.notes.append("healed before any takeover")
    scene.target.shared.go_on()
    scene.shell("systemctl kill -s CONT --kill-who=main acmd")
    scene.sleep(LANDED_S)


# ---------------------------------------------------------------- softdog


def no_guard(words: str, scene: Scene) -> None:
    """The guard is killed while armed, and what starts in its place does nothing: only softdog is left."""
    scene.shell(
        f"{NO_GUARD}{words} systemctl kill -s KILL --kill-who=main acmd-guard",
        timeout_s=60.0,
    )


def guard_again(scene: Scene) -> None:
    """Where it is still the same boot."""
    scene.shell(
        f"rm -rf {BROKEN}; systemctl daemon-reload; systemctl restart --no-block acmd-guard", timeout_s=60.0
    )


CLOCK, NFS, WATCHDOG = frozenset({"clock"}), frozenset({"nfs"}), frozenset({"watchdog"})
LANDED_S = 20.0  # kernels try again each 5 s
DRAINED = "gone means landed: what is not proven to have drained is reset away"
DOG = "if not even a new guard can be started, the kernel's watchdog resets the host"
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
    Fault(
        "cut off while writing",
        "late writes",
        cut_storage,
        heal_after_takeover,
        sides=("active",),
        needs=NFS,
        protocol=DRAINED,
    ),
    Fault(
        "cut off while writing, writers killed",
        "late writes",
        cut_and_kill,
        heal_after_takeover,
        sides=("active",),
        needs=NFS,
        protocol=DRAINED,
    ),
    Fault(
        "cut off while writing, daemon stopped",
        "late writes",
        cut_and_stop_daemon,
        heal_after_takeover,
        sides=("active",),
        needs=NFS,
        protocol=DRAINED,
    ),
    Fault(
        "guard killed, none in its place",
        "softdog",
        partial(no_guard, ""),
        guard_again,
        sides=("active",),
        hold_s=LONG,
        needs=WATCHDOG,
        protocol=DOG,
    ),
    Fault(
        "guard killed, none in its place, daemon stopped",
        "softdog",
        partial(no_guard, "systemctl kill -s STOP --kill-who=main acmd;"),
        guard_again,
        sides=("active",),
        hold_s=LONG,
        needs=WATCHDOG,
        protocol=DOG,
    ),
)
