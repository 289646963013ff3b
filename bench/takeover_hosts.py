"""How long the service is away after a power loss, on two hosts with a real systemd (root).

    python -m bench.takeover_hosts [--rounds 10] [--profile fast]

Measured by the service itself, which stamps each 4 ms: last stamp on the old host, first on the new one.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.program import add_lock, cannot, held, options
from bench.results import Report, Series
from tests.hosts.bed import Bed, missing_needs
from tests.hosts.cluster import TAKEOVER_S, Cluster
from tests.hosts.witness import NS_PER_S, wait_for

ABOUT = """The service is its own witness and stamps each 4 ms: from the last stamp on the old host to the
first one on the new host."""


def power_losses(profile: str, rounds: int) -> list[float]:
    """Seconds without service in each round. AssertionError for an overlap."""
    found = []
    with Bed(["alpha", "beta"]) as bed:
        cluster = Cluster(bed, profile=profile)
        active, peer = cluster.start()
        for number in range(rounds):
            wait_for(lambda peer=peer: cluster.status(peer)["role"] == "passive", 30, "the peer is there")  # type: ignore[misc]
            time.sleep(0.037 * (number % 11))  # another phase of the heartbeat each time
            active.power_off()
            cluster.wait_active(peer, 2 * TAKEOVER_S[profile])
            *_, old, new = cluster.assert_alone()
            found.append((new.first_ns - old.last_ns) / NS_PER_S)
            active.boot()
            active, peer = peer, active
    return found


def main() -> int:
    """Measure, print, write. 1 when the bound was broken."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, help="default: 10")
    parser.add_argument("--profile", choices=sorted(TAKEOVER_S), default="fast")
    add_lock(parser)
    args = parser.parse_args()
    if lack := missing_needs():
        return cannot(lack)
    report = Report(
        "takeover_hosts",
        "Power loss of a host with a real systemd",
        ABOUT,
    )
    with held(args.lock):
        found = power_losses(args.profile, args.rounds or (2 if args.quick else 10))
    bound = TAKEOVER_S[args.profile]
    report.add(Series("time without service", f"acmd {args.profile}", "s", found, most_worst=bound))
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
