"""`acmd check` and `acmctl` on hosts with a real systemd: what is broken is named, and only that."""

from __future__ import annotations

import json
from typing import Any

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.witness import wait_for

CRON = "/etc/cron.d/acm"


def found(host: Host, group: str) -> dict[str, list[str]]:
    """What each check of a group says there: level and sentence."""
    said: dict[str, Any] = json.loads(
        host.exec([ACMD, "check", "--json", "--group", group], check=False).stdout
    )
    rows: dict[str, list[str]] = {}
    for row in said["findings"]:
        assert row["remedy"] or row["level"] == "OK", row
        rows.setdefault(row["check"], []).append(f"{row['level']} {row['what']}")
    return rows


def test_what_is_broken_is_named(pair: Bed) -> None:
    """A line of ACM's in a crontab is a KO with its place until it is gone; all nodes are heard and fit."""
    cluster = Cluster(pair)
    active, passive = cluster.start()
    cluster.wait_active(active)
    heard = [f"OK {passive.name} is heard and fit"]
    wait_for(lambda: found(active, "cluster")["nodes"] == heard, 30, f"{passive.name} is heard")
    assert found(active, "acm")["acm-cron"] == ["OK no crontab starts ACM"]
    active.exec(["sh", "-c", f"echo '* * * * * root /opt/aspera/acm/bin/acm4orchestrator' > {CRON}"])
    assert found(active, "acm")["acm-cron"] == [f"KO {CRON}, line 1 still starts ACM each minute"]
    active.exec(["rm", CRON])
    assert found(active, "acm")["acm-cron"] == ["OK no crontab starts ACM"]
    passive.exec(["systemctl", "stop", "acmd"])
    assert "WARN the daemon does not run here" in found(passive, "cluster")["nodes"][0]
    cluster.assert_alone()


class WithApache(Cluster):
    """The witness, and Apache on both hosts."""

    def config(self, host: Host) -> str:
        """The host's configuration."""
        unit = '\n[[service]]\nname = "web"\nkind = "systemd"\nunit = "apache2.service"\nruns_on = "all"\n'
        return Cluster.config(self, host) + unit


def test_autostart_is_named_and_mended(pair: Bed) -> None:
    """A managed unit that starts by itself is a KO; `--fix` shows the change, makes it, and it is fine."""
    cluster = WithApache(pair)
    active, _ = cluster.start()
    cluster.wait_active(active)
    active.exec(["systemctl", "disable", "apache2"])
    assert found(active, "acm")["autostart"][0].startswith("OK web: apache2.service does not start by itself")
    active.exec(["systemctl", "enable", "apache2"])
    assert found(active, "acm")["autostart"][0].startswith("KO web: apache2.service starts by itself at boot")
    said = active.exec([ACMD, "check", "--group", "acm", "--fix", "--yes"], check=False).stdout
    assert "fix: systemctl disable apache2.service" in said
    assert found(active, "acm")["autostart"][0].startswith("OK web")
