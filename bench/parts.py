"""What there is to be measured, in the order of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One program of this directory, `bench/NAME.py`, which writes NAME.json."""

    name: str
    what: str
    limit_s: float
    quick_limit_s: float


PARTS = (
    Part("failover", "power losses and switchovers on two nodes as in the demo", 900, 120),
    Part("takeover_hosts", "power losses of hosts with a real systemd (root)", 600, 120),
    Part("compare", "takeover and planned move beside other cluster managers (root)", 3600, 600),
    Part("reaction", "a killed service until its restart, against polling (root)", 900, 240),
    Part("rest", "processor, memory, wake-ups and system calls at rest, beside others (root)", 2400, 300),
    Part("memory", "memory of a node as in the demo", 120, 120),
    Part("storage_ops", "system calls on shared storage for each heartbeat", 240, 240),
    Part("growth", "more nodes, more clusters on a host, more past epochs", 1200, 300),
    Part("latency", "shared storage that answers slowly", 900, 300),
    Part("start", "`acmd status`, the daemon's start, imports", 300, 120),
    Part("simulation", "cluster-hours of simulation for each minute", 240, 60),
)
