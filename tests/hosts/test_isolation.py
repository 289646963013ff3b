"""Nothing that happens in a host reaches the machine around it, and nothing of a bed stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hosts.bed import Bed, clean, leftovers
from tests.hosts.host import Host
from tests.hosts.image import REPO, Template

REBOOT_LIMIT_S = 180.0  # an orderly one waits for each unit's stop; the machine may be busy


def _machine_state() -> tuple[str, str]:
    return Path("/proc/sys/kernel/random/boot_id").read_text(), Path("/proc/1/stat").read_text().split()[21]


def test_the_clock_cannot_be_set_from_inside(host: Host) -> None:
    """Neither an exec nor a service of the host can set the machine's clock."""
    before = time.time() - time.monotonic()
    for command in (["date", "-s", "@1"], ["systemd-run", "--wait", "-q", "date", "-s", "@1"]):
        assert host.exec(command, check=False).returncode != 0
    assert abs(time.time() - time.monotonic() - before) < 1.0
    mask = int(host.exec("grep CapBnd /proc/self/status").stdout.split()[1], 16)
    sys_module, sys_rawio, sys_time = 16, 17, 25
    assert not any(mask >> capability & 1 for capability in (sys_module, sys_rawio, sys_time))


def test_sysrq_and_watchdogs_are_out_of_reach(host: Host) -> None:
    """No file inside leads to the machine's sysrq or watchdogs: absent, or covered and unwritable (never
    written).
    """
    for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/sysrq"):
        # access(2) as root answers EROFS for a read-only mount; the content test keeps a covered node out,
        # too.
        assert host.exec(["test", "-w", path], check=False).returncode != 0
    assert (
        host.exec("ls /dev | grep -c -E 'watchdog|^loop|^mem$|^kmsg$|^vd|^sd'", check=False).stdout.strip()
        == "0"
    )


@pytest.mark.parametrize("command", ["systemctl reboot -ff", "reboot -f", "systemctl reboot"])
def test_a_reset_from_inside_ends_that_host_only(pair: Bed, command: str) -> None:
    """A host that resets itself comes up with another boot id; its peer and the machine notice nothing."""
    alpha, beta = pair.hosts
    machine, peer, old = _machine_state(), beta.boot_id(), alpha.boot_id()
    alpha.exec("ip address add 10.99.0.77/24 dev host0")
    # Detached: what asked goes down with the host, and on a busy machine nobody knows when.
    alpha.exec(f"nohup {command} >/dev/null 2>&1 &", check=False)
    alpha.wait_running(REBOOT_LIMIT_S, after_boot_id=old)
    assert alpha.boot_id() != old
    assert (beta.boot_id(), _machine_state()) == (peer, machine)
    assert "10.99.0.77" not in alpha.exec("ip -4 address").stdout, "a reset forgets virtual addresses"
    assert alpha.journal(boot=-1), "the journal has the boot before"


def test_the_reboot_call_itself_ends_that_host_only(pair: Bed) -> None:
    """reboot(2), the guard's last rung, called by a service of the host with no sync before, resets that
    host.
    """
    alpha, beta = pair.hosts
    machine, peer, old = _machine_state(), beta.boot_id(), alpha.boot_id()
    call = "import ctypes; ctypes.CDLL(None).reboot(0x01234567)"
    alpha.exec(["systemd-run", "-q", "--no-block", "python3", "-c", call], check=False)
    alpha.wait_running(REBOOT_LIMIT_S, after_boot_id=old)
    assert (beta.boot_id(), _machine_state()) == (peer, machine)


def test_nothing_is_left_behind(template: Template) -> None:
    """A bed that is removed leaves no directory, mount, namespace, loop device, process or cgroup of its
    own.
    """
    with Bed(["one", "two"], template=template) as bed:
        assert [found for found in leftovers() if bed.name in found]
        bed["one"].freeze()
        bed["two"].fill_disk("/")
    assert [found for found in leftovers() if bed.name in found] == []


def test_a_killed_run_is_cleaned(template: Template) -> None:
    """What a SIGKILLed run left is found and removed by `clean`; beds of living runs are left alone."""
    code = """if True:
        import time
        from tests.hosts.bed import Bed
        with Bed(["one"]) as bed:
            print(bed.name, flush=True)
            time.sleep(60)
    """
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    ) as run:
        assert run.stdout is not None
        name = run.stdout.readline().strip()
        assert name not in clean()
        run.kill()
    assert name in clean()
    assert [found for found in leftovers() if name in found] == []
