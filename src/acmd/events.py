"""Every event that acmd logs: its name, level, fields, what it means and what to do.

The one list. `docs/events.md` is generated from it (`python -m acmd.events_page`), a test holds it in step
with the source; the node journal and the hooks take from it what is worth keeping and what is an alarm.
"""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """One kind of event. `kept`: it goes into the node journal. `alarm`: it is one for the hooks, too."""

    level: str
    fields: str
    meaning: str
    remedy: str = ""
    kept: bool = True
    alarm: bool = False


def _minor(level: str, fields: str, meaning: str, remedy: str = "") -> Event:
    """An event that the log has and the journal does not."""
    return Event(level, fields, meaning, remedy, kept=False)


def _alarm(level: str, fields: str, meaning: str, remedy: str) -> Event:
    """An event that somebody should look at."""
    return Event(level, fields, meaning, remedy, alarm=True)


_LOOK = "`acmd status` says what is missing"
_STORAGE = "look at the mount (findmnt, dmesg) and at the file server"
_SERVICE = "look at the service's own log; `acmd status` shows its state"

EVENTS: dict[str, Event] = {
    # -- the daemon ------------------------------------------------------------------------------
    "daemon-started": Event("info", "version pid", "The daemon has begun."),
    "daemon-ended": _minor("info", "", "The daemon has ended, in order."),
    "daemon-refused": _alarm(
        "error", "because remedy", "The daemon cannot run like this and ends.", "the event's own remedy"
    ),
    "leaving": Event("info", "how", "The daemon was told to end: release, or adopt for a restart."),
    "services-left": _alarm(
        "warning", "limit_s", "Services of every node did not stop in time.", "see what still runs; stop it"
    ),
    "reloaded": Event("info", "taken refused", "The configuration was read again on SIGHUP."),
    "reload-refused": Event(
        "error", "because remedy", "The new configuration is wrong; the old one holds.", "`acmd config check`"
    ),
    "reload-needs-restart": Event(
        "warning", "key remedy", "This change needs a restart of the daemon.", "`systemctl restart acmd`"
    ),
    # -- roles and epochs ------------------------------------------------------------------------
    "role": Event(
        "info or warning",
        "role was reason epoch active says",
        "This node's role changed. A warning while it loses the lease, or the storage has a fault.",
        _LOOK,
    ),
    "reason": _minor(
        "info or warning", "role was reason epoch active says", "The role is the same, its reason is another."
    ),
    "epoch-began": Event(
        "info",
        "epoch after how unfenced",
        "This node obtained the lease. `after` had it before, and it ended by `how`: released and why, or "
        "expired.",
    ),
    "epoch-ended": Event(
        "info", "epoch reason", "This node no longer has the lease; its services were seen gone."
    ),
    "failover": _alarm(
        "warning",
        "epoch reason active",
        "This node became active because the node before it failed or gave up.",
        "find out what happened to the other node: `acmd history`, `acmd logs`",
    ),
    "switchover": Event("info", "epoch reason active", "This node became active as planned."),
    "services-up": Event("info", "epoch role", "All active-only services of this node run."),
    "services-down": Event(
        "warning or info", "epoch role", "Not all active-only services of this node run any more.", _SERVICE
    ),
    "storage-failing": _alarm(
        "warning", "fault epoch role", "The lease cannot be read or written; deadlines run.", _STORAGE
    ),
    "storage-recovered": Event("info", "epoch role", "The lease can be read and written again."),
    # -- services --------------------------------------------------------------------------------
    "service-state": Event("info", "service state was", "A service's state changed."),
    "service-ended": _alarm(
        "warning", "service detail", "A service ended by itself; it is started again.", _SERVICE
    ),
    "service-start-failed": _alarm("warning", "service", "A service did not start.", _SERVICE),
    "service-stop-late": _alarm(
        "warning",
        "service",
        "A service did not stop within its limit and is killed.",
        "raise stop_timeout_s?",
    ),
    "service-stopped": Event("warning", "service because", "A service is stopped, since a probe says so."),
    "service-operation-failed": _alarm(
        "error", "service error", "Starting or stopping a service failed in an unexpected way.", _SERVICE
    ),
    "service-stray": _alarm(
        "warning",
        "service pids detail remedy",
        "A service that belongs to the active node runs here without a lease; it is stopped.",
        "let nothing but acmd start it: see its autostart, timers and people",
    ),
    "service-barred": _alarm(
        "warning",
        "service because remedy",
        "The armed guard cannot kill it: not started.",
        "`acmd switchover`",
    ),
    "stop-times-unkept": Event(
        "warning",
        "because remedy",
        "How long services took to stop cannot be kept over a restart.",
        "make room",
    ),
    "service-reloaded": Event(
        "info", "unit result", "A service was reloaded, since the active node changed."
    ),
    "probe-failing": _alarm(
        "warning", "service probe detail", "A probe calls its service failing.", _SERVICE
    ),
    "probe-blind": Event(
        "warning",
        "service probe detail because",
        "A probe can no longer look as it should, and looks less closely.",
        "see `because`; the service is not failed for that",
    ),
    "probe-sees-again": Event("info", "service probe", "The probe looks as it should again."),
    "probe-healthy": Event("info", "service probe detail", "A probe calls its service healthy."),
    # -- fencing and interlocks ------------------------------------------------------------------
    "fencing": Event("warning", "host", "The fence agent is asked to turn a host off."),
    "fenced": Event("warning", "host", "A host was confirmed off or reset."),
    "fencing-failed": _alarm(
        "error", "host", "The fence agent did not confirm a host off; it is tried again.", "see `fence-agent`"
    ),
    "fence-agent": _minor(
        "error",
        "host problem exit says",
        "What the fence agent said when it failed.",
        "run it by hand as fencing.agent has it",
    ),
    "interlock-blocks": _alarm(
        "warning",
        "because overridden epoch remedy",
        "An interlock forbids this node to take over.",
        "stop that MySQL, or override the interlock",
    ),
    "interlock-clear": Event("info", "epoch", "No interlock blocks any more."),
    "fitness": _alarm(
        "warning or info",
        "check fit because",
        "A fitness check changed its word; unfit: no candidate.",
        _LOOK,
    ),
    # -- the guard -------------------------------------------------------------------------------
    "guard-not-started": _alarm(
        "error", "because", "`acmd run` could not start its guard.", "look at the guard's log"
    ),
    "guard-started-again": _alarm(
        "warning", "", "The guard had ended and was started again.", "look at the guard's log"
    ),
    "guard-has-old-settings": Event(
        "warning", "pid remedy", "A guard with other settings runs; it is replaced once nothing is armed."
    ),
    "guard-stays": Event("warning", "pid", "The guard did not end with the daemon."),
    "release-for-dead-daemon": Event(
        "info", "role reason", "The guard's helper gives back the lease of a daemon that is gone for good."
    ),
    "release-refused": Event(
        "warning", "because remedy epoch", "The helper may not give the lease back; the other node waits."
    ),
    "nothing-to-release": Event("warning", "epoch", "The helper found no lease that it could give back."),
    "not-released": _alarm(
        "warning", "epoch remedy", "The helper could not give the lease back in time.", "nothing: it expires"
    ),
    "suspend-inhibited": _minor("info", "", "While this node holds the lease its host does not suspend."),
    "suspend-not-inhibited": Event(
        "warning or info",
        "because remedy",
        "The host could suspend while active; its services would be lost.",
        "mask sleep.target",
    ),
    "gate-installed": _minor("info", "units changed", "The start conditions of active-only units are there."),
    "gate-removed": _minor("info", "units", "The start conditions are gone again."),
    "gate-left": Event("warning", "because remedy", "The start conditions could not be taken away."),
    # -- shared storage and orders ---------------------------------------------------------------
    "waiting-for-storage": _alarm(
        "warning", "directory fault detail remedy", "The cluster's directory cannot be used yet.", _STORAGE
    ),
    "storage-fault": Event(
        "warning", "fault detail", "The daemon starts by its copy of cluster.json; storage is away.", _STORAGE
    ),
    "board-fault": Event(
        "warning", "fault detail", "Orders and node files cannot be read or written for now.", _STORAGE
    ),
    "board-recovered": Event("info", "", "Orders and node files can be used again."),
    "node-file-ignored": Event(
        "warning", "node because", "A node file is not one of this cluster, or cannot be understood."
    ),
    "orders": Event("info", "number what by", "An operator's order came into force."),
    "orders-refused": Event(
        "error", "number because", "An order on shared storage cannot be followed.", "upgrade this node?"
    ),
    "orders-vanished": Event(
        "warning", "number found", "An order vanished from shared storage; it stays in force.", _STORAGE
    ),
    "http-listening": _minor("info", "address tls", "Health, metrics and the status page are served there."),
    "http-not-listening": Event(
        "warning",
        "address because remedy",
        "HTTP cannot be served; it is tried again every ten seconds. Nothing else depends on it.",
        "the event's own remedy",
    ),
    "http-token-wrong": _minor(
        "warning",
        "count",
        "So many requests came with a wrong token since this was said last, at most once a minute.",
        "who asks? `acmd status` needs no token",
    ),
    "http-crowded": _minor(
        "warning",
        "count",
        "So many connections were ended to make room for others since this was said last, at most once a "
        "minute.",
        "who connects? `ss -tn`; keep strangers off that port",
    ),
    "order-ended": Event("info", "what because", "An order with an end has ended by itself."),
    "order-not-ended": Event(
        "warning", "because remedy", "An order is over, and that could not be written yet.", _STORAGE
    ),
    "order-given": Event(
        "info", "what by about reason", "An operator gave an order through this daemon; about whom, and why."
    ),
    "failback": Event("info", "to epoch", "The preferred node is ready: the services go back to it."),
    "order-refused": Event(
        "info", "what by about reason because", "An order was refused and changed nothing; whose, and why."
    ),
    "order-uncertain": Event(
        "warning",
        "what by about reason because",
        "An order was given, and nobody knows whether it came to be in force.",
        "`acmd status` once the storage answers",
    ),
    "failback-not-ordered": Event(
        "warning", "to because", "The services should go back, but storage took no order.", _STORAGE
    ),
    # -- the active node's address ---------------------------------------------------------------
    "published": Event("info", "address", "database.yml names the active node's address now."),
    "publish-failed": _alarm(
        "error", "because remedy", "database.yml could not be changed.", "the event's own remedy"
    ),
    "publish-recovered": Event("info", "", "database.yml can be changed again."),
    # -- acmd's own telling ----------------------------------------------------------------------
    "hook-failed": Event("warning", "command of problem", "A hook ended badly or was ended at its limit."),
    "hooks-dropped": Event(
        "warning",
        "count command",
        "Hooks are slower than events: so many were not told.",
        "make the hook quicker",
    ),
    "journal-fault": Event("warning", "because", "The node journal cannot be written.", "look at that disk"),
    "chronicle-broken": Event(
        "error", "part error", "The journal or a hook ended by a mistake in acmd.", "restart acmd; report it"
    ),
    "unexpected-error": Event(
        "error",
        "part error at",
        "A callback, a thread or a library met what nobody expected; everything else goes on.",
        "restart acmd if something stays wrong; report it with `acmd report`",
    ),
    "journal-ignored": _minor(
        "warning", "node because", "A node's journal on shared storage cannot be understood."
    ),
    "log-lines-lost": _minor(
        "warning",
        "count",
        "So many lines did not reach the log, which was stuck.",
        "is journald or syslog up?",
    ),
    "log-lines-suppressed": _minor(
        "warning", "what count", "This event came too often; so many lines were left out."
    ),
}

KEPT = frozenset(name for name, event in EVENTS.items() if event.kept)
ALARMS = frozenset(name for name, event in EVENTS.items() if event.alarm)
HOOK_KINDS = ("role", "failover", "switchover", "alarm")
"""What a hook can ask for beside the names of events that are kept."""
NEVER_HOOKED = frozenset(("hook-failed", "hooks-dropped", "journal-fault"))


def default_level(name: str) -> str:
    """The level of an event whose caller names none."""
    event = EVENTS.get(name)
    return event.level.partition(" ")[0] if event is not None else "info"
