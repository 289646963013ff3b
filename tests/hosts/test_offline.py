"""`acmd status` and `acmd history` on a host whose daemon does not run: what root sees, and what a member."""

from __future__ import annotations

import json
from typing import Any

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, renew
from tests.hosts.host import Host
from tests.hosts.witness import wait_for


def as_user(host: Host, user: str, *words: str) -> tuple[int, str]:
    """Exit code and standard output of a command line of acmd; standard error has no traceback."""
    done = host.exec(["runuser", "-u", user, "--", ACMD, *words], check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def document(host: Host) -> dict[str, Any]:
    """`acmd status --json` there."""
    code, out = as_user(host, "root", "status", "--json")
    assert code == 3
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_host_without_daemon(pair: Bed) -> None:
    """Who is active, since when and why, on the host that handed over; what a member may not read is said."""
    renew(pair)
    for host in pair.hosts:  # before the daemon, which gives the group its socket
        host.exec("groupadd -r acmd; useradd -G acmd eva", check=False)
    cluster = Cluster(pair)
    before, after = cluster.start()
    wait_for(
        lambda: before.exec([ACMD, "switchover"], check=False, timeout_s=60).returncode == 0, 60, "heard"
    )
    cluster.wait_active(after)
    before.exec(["systemctl", "stop", "acmd"], timeout_s=60)

    found = document(before)
    (change,) = found["handovers"]
    assert (change["how"], change["from"], change["to"]) == ("switchover", before.name, after.name)
    assert (found["active"], found["storage"]["fault"]) == (after.name, None)
    assert {node["name"]: node["role"] for node in found["nodes"]}[before.name] == "not-running"
    text = as_user(before, "root", "status")[1]
    assert f"active    {after.name} by the record of epoch {change['epoch']}, since " in text
    assert f"(switchover from {before.name}); ask there whether it lives" in text
    code, out = as_user(before, "root", "history", "--json")
    assert (code, json.loads(out)["epochs"][-1]["holder"]) == (0, after.name)

    # Root's files: a member of the group is told so.
    assert "permission denied" in as_user(before, "eva", "status")[1]
    code, out = as_user(before, "eva", "history")
    assert (code, out) == (1, "")
