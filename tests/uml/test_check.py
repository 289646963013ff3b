"""`acmd check` about what a kernel of one's own has: clock, watchdog, SELinux. Remedies run as printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hosts.cluster import ACMD
from tests.hosts.host import Host
from tests.hosts.witness import wait_for
from tests.uml.bed import UmlBed
from tests.uml.cluster import WATCHDOG_DEVICE, NfsCluster, guest
from tests.uml.guest import SLEW_PPM, Guest
from tests.uml.image import Image

LIMIT_S = 60.0
COMMAND = re.compile(r"`([^`]+)`")
OTHER = "/etc/acmd/other.toml"
# What a program that keeps the clock tells the kernel: in step (adjtimex(2), ADJ_STATUS | ADJ_MAXERROR).
IN_STEP = """import ctypes, sys
class Timex(ctypes.Structure):
    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long), ("status", ctypes.c_int),
                ("rest", ctypes.c_char * 320)]
wish = Timex(modes=0x14, maxerror=1000, status=int(sys.argv[1]))
sys.exit(ctypes.CDLL(None).adjtimex(ctypes.byref(wish)) < 0)
"""
UNSYNCHRONISED = 0x40
PLACE = "system_u:system_r:unconfined_service_t:s0"
# As ausearch prints one; the kernel of the bed has SELinux, but no policy that could deny anything.
DENIAL = (
    "----\ntime->Sat Nov 28 00:00:00 2026\ntype=AVC msg=audit(1795824000.123:456): avc:  denied  "
    '{{ search }} for  pid=812 comm="{comm}" name="/" dev="0:42" ino=2 scontext=system_u:system_r:init_t:s0 '
    "tcontext=system_u:object_r:nfs_t:s0 tclass=dir permissive=0\n"
)


@pytest.fixture(scope="module")
def cluster(image: Image) -> Iterator[NfsCluster]:
    """Two nodes on NFS. Nobody has loaded a watchdog's driver."""
    with UmlBed(image=image) as bed:
        made = NfsCluster(bed, watchdog="automatic")
        made.start()
        yield made


def looked(host: Host, check: str, *, config: str = "") -> list[dict[str, Any]]:
    """What one check says."""
    options = ["--config", config] if config else []
    group = {"guard": "daemon", "export": "storage", "data-mounts": "storage"}.get(check, "host")
    done = host.exec([ACMD, *options, "check", "--json", "--group", group], check=False)
    rows: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    assert not any("the check itself failed" in row["what"] for row in rows), rows
    return [row for row in rows if row["check"] == check]


def said(host: Host, check: str, words: str, *, config: str = "") -> dict[str, Any]:
    """The one finding with these words, once it is there."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [row for row in looked(host, check, config=config) if words in row["what"]]
        return bool(found)

    wait_for(there, LIMIT_S, f"{words!r} in what {check} says")
    return found[0]


def follow(host: Host, row: dict[str, Any], *, but: tuple[str, ...] = ()) -> None:
    """Run what stands in its remedy, as it is printed."""
    for command in COMMAND.findall(row["remedy"]):
        if command not in but:
            host.exec(command, timeout_s=120)


def machine(cluster: NfsCluster, host: Host) -> Guest:
    """With the verbs of a kernel of its own."""
    assert isinstance(cluster.bed, UmlBed)
    return guest(cluster.bed, host)


def test_the_clock(cluster: NfsCluster) -> None:
    """A rate within what the deadlines allow for is fine, a greater one is not; out of step is mentioned."""
    alpha = machine(cluster, cluster.bed.hosts[0])
    strict = alpha.read("/etc/acmd/acmd.toml").replace("[timing]\n", "[timing]\nclock_rate_error = 0.05\n")
    alpha.push(OTHER, strict)
    try:
        alpha.slew_clock(SLEW_PPM)
        (now,) = looked(alpha, "clock")
        assert now["level"] == "OK"
        assert re.search(r"slewed by \+8\.3\d*%; 10% is allowed for; not synchronised", now["what"])
        (wrong,) = looked(alpha, "clock", config=OTHER)
        assert (wrong["level"], "slewed by +8.33%, more than the 5%" in wrong["what"]) == ("KO", True)
    finally:
        alpha.slew_clock(0)  # "limit the slewing"
    alpha.exec(["python3", "-c", IN_STEP, "0"])
    (mended,) = looked(alpha, "clock", config=OTHER)
    assert mended["level"] == "OK"
    assert "not synchronised" not in mended["what"]
    alpha.exec(["python3", "-c", IN_STEP, str(UNSYNCHRONISED)])


DOG = f"""[Service]
ExecStart=/bin/sh -c 'exec 3>{WATCHDOG_DEVICE}; trap "echo -n V >&3; exit" TERM; \
    while :; do echo 1 >&3; sleep 1; done'
[Install]
WantedBy=multi-user.target
"""
SYSTEMD = f"[Manager]\nRuntimeWatchdogSec=30\nWatchdogDevice={WATCHDOG_DEVICE}\n"
# How somebody takes it, and what that one is called.
HELD = {
    "systemctl daemon-reload; systemctl enable --now dog": "held by dog.service",
    "systemctl daemon-reexec": "held by systemd (process 1)",
}


def test_the_watchdog(cluster: NfsCluster) -> None:
    """Not there where it is required; somebody else's; there, but not open where the guard is armed."""
    active, peer = cluster.whole()
    for host in (active, peer):
        # One that can be stopped: else the host is reset when it is let go, as the remedy says.
        host.push("/etc/modprobe.d/softdog.conf", "options softdog nowayout=0\n")
    text = peer.read("/etc/acmd/acmd.toml")
    peer.exec("systemctl stop acmd")
    peer.push("/etc/acmd/acmd.toml", text.replace('"automatic"', '"required"'))
    peer.exec("systemctl start acmd")
    row = said(peer, "guard", "it is required, so this node is not promoted")
    assert (row["level"], f"there is no watchdog {WATCHDOG_DEVICE}" in row["what"]) == ("KO", True)
    follow(peer, row)
    assert peer.read("/etc/modules-load.d/softdog.conf") == "softdog\n"
    assert said(peer, "guard", "for when this node is active (required)")["level"] == "OK"

    peer.push("/etc/systemd/system/dog.service", DOG)
    for takes, words in HELD.items():
        if "reexec" in takes:
            peer.push("/etc/systemd/system.conf.d/dog.conf", SYSTEMD)
        peer.exec(takes)
        row = said(peer, "guard", words)
        assert row["level"] == "KO"
        follow(peer, row)
        assert said(peer, "guard", "for when this node is active")["level"] == "OK"

    row = said(active, "guard", f"there is no watchdog {WATCHDOG_DEVICE}")
    assert row["level"] == "WARN"
    follow(active, row)
    row = said(active, "guard", "is armed without the watchdog")
    assert row["remedy"].startswith("`acmd switchover` ")
    cluster.switchover(active)
    cluster.taken_over(peer)
    assert said(peer, "guard", f"the watchdog {WATCHDOG_DEVICE} is fed")["level"] == "OK"
    assert said(active, "guard", "for when this node is active")["level"] == "OK"


SETENFORCE = "#!/bin/sh\nexec echo $1 > /sys/fs/selinux/enforce\n"


def test_selinux(cluster: NfsCluster) -> None:
    """The kernel's own: permissive, enforcing and not known, denied, and mended as the remedy says."""
    active, _ = cluster.whole()
    # What the packages policycoreutils and audit bring, as far as it is asked for here.
    active.push("/usr/sbin/setenforce", SETENFORCE, 0o755)
    active.push("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")
    active.exec("mountpoint -q /sys/fs/selinux || mount -t selinuxfs selinuxfs /sys/fs/selinux")
    row = said(active, "selinux", "does not enforce now, but will after a reboot")
    assert row["level"] == "WARN"
    follow(active, row)
    assert looked(active, "selinux")[0]["level"] == "OK"

    active.exec("sed -i s/permissive/enforcing/ /etc/selinux/config; echo 1 > /sys/fs/selinux/enforce")
    assert said(active, "selinux", "ausearch does not say what was denied")["level"] == "WARN"
    active.push("/usr/sbin/ausearch", "#!/bin/sh\necho '<no matches>' >&2\nexit 1\n", 0o755)
    row = said(active, "selinux", "not known: acmd runs as")
    assert row["level"] == "WARN"
    active.push("/usr/sbin/ausearch", f"#!/bin/sh\ncat <<'E'\n{DENIAL.format(comm='acmd')}E\n", 0o755)
    row = said(active, "selinux", "denied something to acmd today")
    assert row["level"] == "KO"
    follow(active, row)
    assert active.read("/sys/fs/selinux/enforce") == "0"
    assert looked(active, "selinux")[0]["what"] == "SELinux does not enforce"
