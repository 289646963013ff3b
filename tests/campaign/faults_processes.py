"""Faults of processes: daemon, guard, services, and the system's own."""

from __future__ import annotations

from functools import partial

from tests.campaign.fault import Fault, Scene
from tests.campaign.site import IGNORE_TERM

DAEMON, GUARD = "acmd.service", "acmd-guard.service"


def send(scene: Scene, number: str, *units: str) -> None:
    """A signal to the main process of each unit, one after the other, by one command."""
    scene.shell("; ".join(f"systemctl kill -s {number} --kill-who=main {unit}" for unit in units))


def kill(*units: str) -> partial[None]:
    """SIGKILL, in that order."""
    return partial(_signal, "KILL", units)


def stop(*units: str) -> partial[None]:
    """SIGSTOP, in that order."""
    return partial(_signal, "STOP", units)


def _signal(number: str, units: tuple[str, ...], scene: Scene) -> None:
    send(scene, number, *units)


def go_on(scene: Scene) -> None:
    """Daemon and guard run again, if they still are."""
    send(scene, "CONT", GUARD, DAEMON)


def kill_for_good(scene: Scene) -> None:
    """The daemon dies and cannot be started again."""
    scene.shell("systemctl mask --runtime acmd; systemctl kill -s KILL --kill-who=main acmd")


def unmask(scene: Scene) -> None:
    """It can be again."""
    scene.shell("systemctl unmask --runtime acmd; systemctl start --no-block acmd")


def restart_loop(scene: Scene) -> None:
    """Killed again and again."""
    for _ in range(6):
        send(scene, "KILL", DAEMON)
        scene.sleep(0.7)


# ---------------------------------------------------------------- services


def kill_database(scene: Scene) -> None:
    """The server, as the OOM killer would."""
    scene.shell("systemctl kill -s KILL --kill-who=main mariadb")


def hang_database(scene: Scene) -> None:
    """The server stands still; its probe notices."""
    scene.shell("systemctl kill -s STOP --kill-who=main mariadb")


def wake_database(scene: Scene) -> None:
    """If it is still that one."""
    scene.shell("systemctl kill -s CONT --kill-who=main mariadb 2>/dev/null")


def ignore_term(scene: Scene) -> None:
    """The stamper ignores SIGTERM and the storage is gone: at K it must be killed."""
    (scene.place.witness / IGNORE_TERM.rsplit("/", 1)[1]).touch()
    scene.target.shared.stop()


def ignore_term_no_more(scene: Scene) -> None:
    """And the storage is back."""
    (scene.place.witness / IGNORE_TERM.rsplit("/", 1)[1]).unlink(missing_ok=True)
    scene.target.shared.go_on()


def kill_web(scene: Scene) -> None:
    """The web server, which runs on both hosts."""
    scene.shell("systemctl kill -s KILL apache2")


# ---------------------------------------------------------------- the system's own

SOCKETS = {
    "systemd-journald": "systemd-journald.socket systemd-journald-dev-log.socket",
    "rsyslog": "syslog.socket",
    "dbus": "dbus.socket",
}


def end_system(name: str, scene: Scene) -> None:
    """Stopped, with its sockets."""
    scene.shell(f"systemctl stop {name}.service {SOCKETS[name]}", timeout_s=30)


def start_system(name: str, scene: Scene) -> None:
    """Started again."""
    scene.shell(f"systemctl start {SOCKETS[name]} {name}.service", timeout_s=30)


def hang_system(name: str, scene: Scene) -> None:
    """It stands still and takes no message."""
    scene.shell(f"systemctl kill -s STOP --kill-who=main {name}.service")


def wake_system(name: str, scene: Scene) -> None:
    """It goes on."""
    scene.shell(f"systemctl kill -s CONT --kill-who=main {name}.service")


def system_faults() -> tuple[Fault, ...]:
    """Two for each."""
    found = []
    for name in SOCKETS:
        short = name.removeprefix("systemd-")
        says = "logging and the bus are never waited for"
        ended, hung = partial(end_system, name), partial(hang_system, name)
        found += [
            Fault(
                f"{short} stopped", "journal, syslog, bus", ended, partial(start_system, name), protocol=says
            ),
            Fault(f"{short} stuck", "journal, syslog, bus", hung, partial(wake_system, name), protocol=says),
        ]
    return tuple(found)


PAST_D = (4.8, 7.5)
FAULTS = (
    Fault(
        "daemon killed", "daemon and guard", kill(DAEMON), hold_s=(0.5, 3.0), protocol="the next one adopts"
    ),
    Fault(
        "daemon killed for good",
        "daemon and guard",
        kill_for_good,
        unmask,
        hold_s=(5.0, 8.0),
        operator="mend what keeps the daemon from starting",
        protocol="the guard kills at K and releases",
    ),
    Fault(
        "daemon killed again and again",
        "daemon and guard",
        restart_loop,
        hold_s=(0.5, 1.0),
        protocol="a daemon in a crash loop gives up the lease",
    ),
    Fault(
        "daemon stopped",
        "daemon and guard",
        stop(DAEMON),
        go_on,
        hold_s=PAST_D,
        protocol="the guard kills at K",
    ),
    Fault("daemon stopped shorter than R", "daemon and guard", stop(DAEMON), go_on, hold_s=(0.3, 1.2)),
    Fault(
        "guard killed",
        "daemon and guard",
        kill(GUARD),
        hold_s=(0.5, 3.0),
        protocol="lost while armed: the host resets",
    ),
    Fault(
        "guard stopped",
        "daemon and guard",
        stop(GUARD),
        go_on,
        hold_s=(2.0, 5.0),
        protocol="PID 1 kills it after half the reset margin",
    ),
    Fault("daemon, then guard killed", "daemon and guard", kill(DAEMON, GUARD), hold_s=(0.5, 4.0)),
    Fault("guard, then daemon killed", "daemon and guard", kill(GUARD, DAEMON), hold_s=(0.5, 4.0)),
    Fault("daemon, then guard stopped", "daemon and guard", stop(DAEMON, GUARD), go_on, hold_s=PAST_D),
    Fault("guard, then daemon stopped", "daemon and guard", stop(GUARD, DAEMON), go_on, hold_s=PAST_D),
    Fault("database killed", "services", kill_database, sides=("active",), hold_s=(0.5, 3.0)),
    Fault("database hangs", "services", hang_database, wake_database, sides=("active",), hold_s=(3.0, 9.0)),
    Fault("web server killed", "services", kill_web, hold_s=(0.5, 2.0)),
    Fault(
        "service that ignores SIGTERM, storage gone",
        "services",
        ignore_term,
        ignore_term_no_more,
        sides=("active",),
        hold_s=(6.0, 8.0),
        needs=frozenset({"stop"}),
        protocol="what is left at K is killed",
    ),
    *system_faults(),
)
