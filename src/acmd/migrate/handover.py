"""No two managers at once: acmd starts only when ACM is known to have ended on every node.

A node whose cron no longer starts ACM says so in a file on shared storage. With the other node's file
there, nothing may touch ACM's status file any more; it is watched for longer than cron's minute on this
host's own clock, since the ages of a file on a server are of another clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from acmd.errors import AcmdError
from acmd.migrate import storage
from acmd.migrate.installation import DIRECTORY, STATUS

WATCH_S = 70.0
LOOK_EVERY_S = 5.0
FRESH_S = 120.0


def mark_path(address: str) -> str:
    """Beside the cluster's own files."""
    return f"{DIRECTORY}/migrated.{address or 'unknown'}"


def peer_done(address: str) -> bool:
    """Whether cron no longer starts ACM on another node, as that node said itself."""
    own = f"migrated.{address or 'unknown'}"
    return any(name.startswith("migrated.") and name != own for name in storage.names(DIRECTORY))


def age_s() -> float | None:
    """How old the status file seems; None without one."""
    found: float | None = storage.look([STATUS]).files[STATUS].get("age_s")
    return found


def watch(
    touched: Callable[[], object], sleep: Callable[[float], None] = time.sleep, limit_s: float = WATCH_S
) -> None:
    """Return once nothing changed for the limit, in seconds. Raises AcmdError at the first change."""
    before = touched()
    waited = 0.0
    while waited < limit_s:
        sleep(LOOK_EVERY_S)
        waited += LOOK_EVERY_S
        if touched() != before:
            raise AcmdError(
                f"{STATUS} was touched just now: ACM still runs on a node",
                "run `acmd migrate --apply` on the other node too, then this again",
            )


def status_touched() -> object:
    """Differs when the status file was touched in between."""
    return storage.look([STATUS]).files[STATUS].get("mtime_ns")
