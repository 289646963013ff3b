"""Events of what is around a node: fencing, guard, shared storage, orders, and the telling itself."""

from __future__ import annotations

from acmd.events.kind import Event, alarm, minor

_LOOK = "`acmd status` says what is missing"
_STORAGE = "look at the mount (findmnt, dmesg) and at the file server"

AROUND = {
    # -- fencing and interlocks ------------------------------------------------------------------
    "fencing": Event("warning", "host", "The fence agent is asked to turn a host off."),
    "fenced": Event("warning", "host", "A host was confirmed off or reset."),
    "fencing-failed": alarm(
        "error", "host", "The fence agent did not confirm a host off; it is tried again.", "see `fence-agent`"
    ),
    "fence-agent": minor(
        "error",
        "host problem exit says",
        "What the fence agent said when it failed.",
        "run it by hand as fencing.agent has it",
    ),
    "interlock-blocks": alarm(
        "warning",
        "because overridden epoch remedy",
        "An interlock forbids this node to take over.",
        "stop that MySQL, or override the interlock",
    ),
    "interlock-clear": Event("info", "epoch", "No interlock blocks any more."),
    "fitness": alarm(
        "warning or info",
        "check fit because",
        "A fitness check changed its word; unfit: no candidate.",
        _LOOK,
    ),
    # -- the guard -------------------------------------------------------------------------------
    "guard-not-started": alarm(
        "error", "because", "`acmd run` could not start its guard.", "look at the guard's log"
    ),
    "guard-started-again": alarm(
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
    "not-released": alarm(
        "warning", "epoch remedy", "The helper could not give the lease back in time.", "nothing: it expires"
    ),
    "suspend-inhibited": minor("info", "", "While this node holds the lease its host does not suspend."),
    "suspend-not-inhibited": Event(
        "warning or info",
        "because remedy",
        "The host could suspend while active; its services would be lost.",
        "mask sleep.target",
    ),
    "gate-installed": minor("info", "units changed", "The start conditions of active-only units are there."),
    "gate-removed": minor("info", "units", "The start conditions are gone again."),
    "gate-left": Event("warning", "because remedy", "The start conditions could not be taken away."),
    # -- shared storage and orders ---------------------------------------------------------------
    "waiting-for-storage": alarm(
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
    "http-listening": minor("info", "address tls", "Health, metrics and the status page are served there."),
    "http-not-listening": Event(
        "warning",
        "address because remedy",
        "HTTP cannot be served; it is tried again every ten seconds. Nothing else depends on it.",
        "the event's own remedy",
    ),
    "http-token-wrong": minor(
        "warning",
        "count",
        "So many requests came with a wrong token since this was said last, at most once a minute.",
        "who asks? `acmd status` needs no token",
    ),
    "http-crowded": minor(
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
    "publish-failed": alarm(
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
    "journal-ignored": minor(
        "warning", "node because", "A node's journal on shared storage cannot be understood."
    ),
    "log-lines-lost": minor(
        "warning",
        "count",
        "So many lines did not reach the log, which was stuck.",
        "is journald or syslog up?",
    ),
    "log-lines-suppressed": minor(
        "warning", "what count", "This event came too often; so many lines were left out."
    ),
}
