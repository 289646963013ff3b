"""Events of the daemon, its roles and epochs."""

from __future__ import annotations

from acmd.events.kind import Event, alarm, minor

_LOOK = "`acmd status` says what is missing"
_STORAGE = "look at the mount (findmnt, dmesg) and at the file server"
_SERVICE = "look at the service's own log; `acmd status` shows its state"

NODE = {
    # -- the daemon ------------------------------------------------------------------------------
    "daemon-started": Event("info", "version pid", "The daemon has begun."),
    "daemon-ended": minor("info", "", "The daemon has ended, in order."),
    "daemon-refused": alarm(
        "error", "because remedy", "The daemon cannot run like this and ends.", "the event's own remedy"
    ),
    "leaving": Event("info", "how", "The daemon was told to end: release, or adopt for a restart."),
    "services-left": alarm(
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
    "reason": minor(
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
    "failover": alarm(
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
    "storage-failing": alarm(
        "warning", "fault epoch role", "The lease cannot be read or written; deadlines run.", _STORAGE
    ),
    "storage-recovered": Event("info", "epoch role", "The lease can be read and written again."),
}
