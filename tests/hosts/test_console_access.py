"""Who may ask a node, and who is told no: the group of the control socket on a host with real users."""

from __future__ import annotations

import json

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, renew
from tests.hosts.host import Host
from tests.hosts.witness import wait_for


def as_user(host: Host, user: str, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command line of acmd."""
    done = host.exec(["runuser", "-u", user, "--", ACMD, *words], check=False)
    return done.returncode, done.stdout, done.stderr


def test_members_of_the_group(pair: Bed) -> None:
    """A member asks and orders, and is named in the log; anybody else gets one clear error."""
    renew(pair)
    host = pair.hosts[0]
    host.exec("groupadd -r acmd; useradd -G acmd eva; useradd mallory", check=False)
    cluster = Cluster(pair)
    cluster.install()
    cluster.init()
    host.exec(["systemctl", "start", "acmd"])
    run = json.loads(host.exec([ACMD, "status", "--json"], check=False).stdout)["cluster"]["name"]
    wait_for(lambda: as_user(host, "eva", "status", "--json")[0] in {0, 1}, 20, "a member is answered")
    assert host.exec(["stat", "-c", "%a %G", f"/run/acmd/{run}"]).stdout.strip() == "710 acmd"
    assert host.exec(["stat", "-c", "%a %G", f"/run/acmd/{run}/control.sock"]).stdout.strip() == "660 acmd"
    code, out, _ = as_user(host, "eva", "disable", "--all", "--reason", "disks")
    assert code == 0, out
    assert "by='eva'" in host.journal("acmd")
    shown = json.loads(as_user(host, "eva", "status", "--json")[1])
    assert (shown["maintenance"]["all"]["by"], shown["maintenance"]["all"]["reason"]) == ("eva", "disks")
    assert as_user(host, "eva", "enable", "--all")[0] == 0
    for words in (["status"], ["switchover"], ["disable", "--all"]):
        code, out, err = as_user(host, "mallory", *words)
        assert code == 1
        assert "may not be used by this user" in err
        assert "Traceback" not in err
        assert out == ""
    assert (
        host.exec(["runuser", "-u", "mallory", "--", "ls", f"/run/acmd/{run}"], check=False).returncode != 0
    )
    assert host.exec(["runuser", "-u", "eva", "--", "ls", f"/run/acmd/{run}"], check=False).returncode != 0

    host.exec(["systemctl", "stop", "acmd"])
    code, out, err = as_user(host, "eva", "status")
    assert code == 3
    assert "the acmd daemon does not run on this host" in out
    assert "Traceback" not in err
