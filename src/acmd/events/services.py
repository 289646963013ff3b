"""Events of services."""

from __future__ import annotations

from acmd.events.kind import Event, alarm

_SERVICE = "look at the service's own log; `acmd status` shows its state"

SERVICES = {
    # -- services --------------------------------------------------------------------------------
    "service-state": Event("info", "service state was", "A service's state changed."),
    "service-ended": alarm(
        "warning", "service detail", "A service ended by itself; it is started again.", _SERVICE
    ),
    "service-start-failed": alarm("warning", "service", "A service did not start.", _SERVICE),
    "service-stop-late": alarm(
        "warning",
        "service",
        "A service did not stop within its limit and is killed.",
        "raise stop_timeout_s?",
    ),
    "service-stopped": Event("warning", "service because", "A service is stopped, since a probe says so."),
    "service-operation-failed": alarm(
        "error", "service error", "Starting or stopping a service failed in an unexpected way.", _SERVICE
    ),
    "service-stray": alarm(
        "warning",
        "service pids detail remedy",
        "A service that belongs to the active node runs here without a lease; it is stopped.",
        "let nothing but acmd start it: see its autostart, timers and people",
    ),
    "service-barred": alarm(
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
    "probe-failing": alarm("warning", "service probe detail", "A probe calls its service failing.", _SERVICE),
    "probe-blind": Event(
        "warning",
        "service probe detail because",
        "A probe can no longer look as it should, and looks less closely.",
        "see `because`; the service is not failed for that",
    ),
    "probe-sees-again": Event("info", "service probe", "The probe looks as it should again."),
    "probe-healthy": Event("info", "service probe detail", "A probe calls its service healthy."),
}
