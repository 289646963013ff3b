"""What keeps a daemon from starting, and a cluster from being made: on hosts, with storage as it can be."""

from __future__ import annotations

import pytest

from tests.hosts.refusals import Refusal
from tests.hosts.refused import Site, call, wrong
from tests.hosts.witness import wait_for

RUN = "timeout 20 acmd -c /root/x.toml run"
ELSEWHERE = '\\n[run]\\nrun_dir = "/run/acmd/x"\\nstate_dir = "/var/lib/acmd/x"\\n'
STATE = "/var/lib/acmd/x"


def other(change: str = "") -> str:
    """The good configuration with a change, and with places of its own."""
    return f"(sed '{change}' good; printf '{ELSEWHERE}') > x.toml; rm -rf {STATE}"


def directory(path: str) -> str:
    """With another directory of the cluster."""
    return other(f"s,/shared/acm/acmd,{path},")


OPERATIONS = (
    *("getattr", "lookup", "mkdir", "opendir", "readdir", "create", "open", "read", "write", "fsync"),
    *("link", "fsyncdir", "unlink", "rename"),
)
# What is made of /root/good, what the daemon says then, and what it says to do.
STARTS = {
    "the same twice": (
        "cp good x.toml",
        "another acmd daemon (process ",
        "stop it first (systemctl stop acmd), or give each cluster on this host its own name",
    ),
    "another name": (
        other('s/^.cluster.$/[cluster]\\nname = "other"/'),
        "belongs to cluster 'acmd', but /root/x.toml says cluster.name = 'other'; this node does not start",
        "give each cluster a directory of its own, or correct the name",
    ),
    "another timing": (
        other("s/standard/fast/"),
        "the timing in /root/x.toml (profile fast) is not that of the cluster",
        "make [timing] in /root/x.toml equal to the cluster's, on every node",
    ),
    "another tier": (
        other('s/^.cluster.$/[cluster]\\ntier = "mysql"/'),
        "was initialised for a cluster without tiers, and this node is of the tier 'mysql'",
        "give cluster.directory of this tier in /root/x.toml",
    ),
    "a state directory for everybody": (
        f"{other()}; mkdir -p {STATE}; chmod 777 {STATE}",
        f"{STATE} belongs to user 0 with mode 0777",
        f"chmod 0700 {STATE}",
    ),
    "a state directory that is a file": (f"{other()}; touch {STATE}", STATE, ""),
    "another cluster before": (
        f"{directory('/shared/two/acmd')}; mkdir -p /shared/two; acmd -c x.toml init >/dev/null; "
        f"cp -a /var/lib/acmd/acmd {STATE}",
        "but this node was part of cluster",
        "mount the right storage",
    ),
    "no cluster.json": (
        f"{directory('/shared/two')}; mkdir -p -m 755 /shared/two; echo '{{' > /shared/two/cluster.json",
        "cluster.json cannot be understood",
        "restore it from a backup or initialise another directory",
    ),
    "a link": (
        f"{directory('/shared/two')}; ln -sfn acm/acmd /shared/two",
        'cluster.directory = "/shared/two": is a symbolic link',
        "write /shared/acm/acmd",
    ),
    "a directory for everybody": (
        f"{directory('/shared/two')}; mkdir -p /shared/two; chmod 777 /shared/two",
        "mode 0777 lets everybody write there, leases included",
        "`chmod 0755 /shared/two`",
    ),
}
# How /root/x.toml's directory is made unusable, what `acmd init` says then, and what it says to do.
MAKES = {
    "not mounted": (
        "/mnt/none/acmd",
        "true",
        "/mnt/none/acmd cannot be made: /mnt/none does not exist",
        "mount the",
    ),
    "a file above": (
        "/mnt/file/acmd",
        "touch /mnt/file",
        "/mnt/file/acmd cannot be made: not a directory",
        "writable",
    ),
    "a file": (
        "/mnt/file",
        "touch /mnt/file",
        'cluster.directory = "/mnt/file": is not a directory',
        "correct the",
    ),
    "a link": ("/mnt/link", "ln -sfn /mnt /mnt/link", "is a symbolic link", "write /mnt"),
    "not empty": (
        "/mnt/used",
        "mkdir -p -m 755 /mnt/used; touch /mnt/used/data",
        "acmd cannot initialise the cluster directory /mnt/used",
        "choose an empty directory of its own",
    ),
    "read-only": (
        "/mnt/ro/acmd",
        "mkdir -p /mnt/ro; mount -t tmpfs -o ro tmpfs /mnt/ro",
        "/mnt/ro/acmd cannot be made: read-only file system",
        "mount the shared storage and make it writable",
    ),
    "read-only from now on": (
        "/mnt/ro",
        "mkdir -p /mnt/ro; mount -t tmpfs -o ro,mode=755 tmpfs /mnt/ro",
        "acmd cannot initialise the cluster directory /mnt/ro",
        "mount it read-write, and export it so",
    ),
    "full": (
        "/mnt/full/acmd",
        "mkdir -p /mnt/full; mount -t tmpfs -o nr_inodes=6 tmpfs /mnt/full",
        "acmd cannot initialise the cluster directory /mnt/full/acmd",
        "make room on the shared storage",
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_daemon_that_is_refused(refusing: Site, name: str) -> None:
    """One error and exit code 1, 78 for systemd; nothing is started, and the daemon beside it runs on."""
    host = refusing.alpha
    made, says, remedy = STARTS[name]
    host.exec(f"cd /root; rm -f x.toml; {made}; chmod 600 x.toml")
    text = wrong(host, Refusal(RUN, says, remedy, 1))
    done = call(host, RUN, INVOCATION_ID="0")
    host.exec("rm -rf /root/x.toml /run/acmd/x /var/lib/acmd/x /shared/two")
    assert not text
    assert done.returncode == 78
    refusing.settle()


@pytest.mark.parametrize("name", MAKES)
def test_a_cluster_that_is_not_made(refusing: Site, name: str) -> None:
    """One error, exit code 1, and nothing of a cluster is there; the same command again works once mended."""
    host = refusing.alpha
    place, made, says, remedy = MAKES[name]
    host.exec(f"sed s,/shared/acm/acmd,{place}, /root/good > /root/x.toml; chmod 600 /root/x.toml; {made}")
    try:
        text = wrong(
            host,
            Refusal(
                "acmd -c /root/x.toml init",
                says,
                remedy,
                1,
            ),
        )
        found = host.exec(f"ls {place}/cluster.json", check=False).returncode
        if name == "full":
            host.exec("mount -o remount,nr_inodes=100 /mnt/full; acmd -c /root/x.toml init")
    finally:
        host.exec(
            "umount -q /mnt/ro /mnt/full; rm -rf /mnt/file /mnt/link /mnt/used /root/x.toml", check=False
        )
    assert not text
    assert found != 0


def test_slow_storage(refusing: Site) -> None:
    """Where each operation takes 0.1 s a cluster is made all the same, and it is said what is waited for."""
    host = refusing.alpha
    host.exec("sed s,/shared/acm/acmd,/shared/slow, /root/good > /root/x.toml; chmod 600 /root/x.toml")
    host.shared.fail("delay", *OPERATIONS, name="*slow*", seconds=0.1)
    try:
        done = call(host, "acmd -c /root/x.toml init")
    finally:
        host.shared.clear()
        host.exec("rm -rf /shared/slow /root/x.toml")
    assert (done.returncode, "made cluster acmd in /shared/slow" in done.stdout) == (0, True), done.stderr
    assert "/shared/slow is slow: still waiting for it, for up to 60 s" in done.stderr


def test_dead_storage(refusing: Site) -> None:
    """Nobody has to wait for the limit: ^C ends it, after it was said what it waits for."""
    host = refusing.alpha
    host.exec("sed s,/shared/acm/acmd,/shared/dead, /root/good > /root/x.toml; chmod 600 /root/x.toml")
    host.shared.fail("stall", "mkdir", name="*dead*")
    try:
        done = call(host, "timeout -s INT 8 acmd -c /root/x.toml init; echo $?")
    finally:
        host.shared.clear()
        wait_for(
            lambda: not host.exec(["pgrep", "-f", "x.toml"], check=False).stdout, 10, "its processes are gone"
        )
        host.exec("rm -rf /shared/dead /root/x.toml")
    assert "/shared/dead is slow: still waiting" in done.stderr
    assert done.stdout.split() == ["124"]  # timeout's own: it ended by then
