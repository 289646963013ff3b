"""How long the service is away after a power loss, on two hosts with a real systemd (root).

    python bench/takeover_hosts.py [--rounds 20] [--profile fast] [--json FILE]

Measured by the service itself, which stamps each 4 ms: last stamp on the old host, first on the new one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.hosts.bed import Bed
from tests.hosts.cluster import TAKEOVER_S, Cluster
from tests.hosts.witness import NS_PER_S, wait_for


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
    """Measure, print a table, write JSON. Exit code 1 when the bound was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--profile", choices=sorted(TAKEOVER_S), default="fast")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = power_losses(args.profile, args.rounds)
    result = {
        "profile": args.profile,
        "fault": "power loss",
        "rounds": len(found),
        "median_s": round(statistics.median(found), 3),
        "worst_s": round(max(found), 3),
        "bound_s": TAKEOVER_S[args.profile],
        "seconds": [round(value, 3) for value in found],
    }
    print("| profile | rounds | median | worst | bound |\n| --- | --- | --- | --- | --- |")
    print("| {profile} | {rounds} | {median_s} s | {worst_s} s | {bound_s:.1f} s |".format(**result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return int(max(found) > TAKEOVER_S[args.profile])


if __name__ == "__main__":
    sys.exit(main())
