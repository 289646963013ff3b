"""Shared storage that fails for one host: what its verbs do, and that power and resets work all the same."""

from __future__ import annotations

import errno

import pytest

from tests.hosts.bed import Bed, leftovers
from tests.hosts.image import Template
from tests.hosts.inside import HostError
from tests.hosts.storage import StorageError, faultfs_available

NEEDS_FAULTFS = pytest.mark.skipif(not faultfs_available(), reason="needs pyfuse3 and tests/faultfs")


def test_a_plain_directory_cannot_stall(pair: Bed) -> None:
    """Asking a plain directory to stall is an error that says what to do instead."""
    with pytest.raises(StorageError, match="faultfs"):
        pair["alpha"].shared.stop()


@NEEDS_FAULTFS
def test_storage_that_stops_answering(template: Template) -> None:
    """With a file system of its own each host can lose shared storage alone; power off works as ever."""
    with Bed(["one", "two"], storage="faultfs", template=template) as bed:
        one, two = bed.hosts
        one.exec("echo hello > /shared/file")
        assert two.read("/shared/file") == "hello\n"
        one.shared.stop()
        with pytest.raises(HostError, match="longer than"):
            one.exec("cat /shared/file; ls /shared/none", timeout_s=0.5)
        assert two.read("/shared/file") == "hello\n"
        one.shared.go_on()
        assert one.read("/shared/file") == "hello\n"
        one.shared.stop()
        one.exec("setsid sh -c 'echo late > /shared/late' >/dev/null 2>&1 &")
        assert one.power_off() < 2.0
        one.shared.go_on()
        one.boot()
        assert one.read("/shared/file") == "hello\n"
    assert [found for found in leftovers() if bed.name in found] == []


@NEEDS_FAULTFS
def test_a_reset_with_dead_storage(template: Template) -> None:
    """A host with processes stuck on dead storage resets itself all the same and finds storage still dead."""
    with Bed(["one", "two"], storage="faultfs", template=template) as bed:
        one = bed["one"]
        one.shared.stop()
        one.exec("setsid sh -c 'echo late > /shared/late' >/dev/null 2>&1 &")
        old = one.boot_id()
        one.exec("reboot -f", check=False)
        one.wait_running(timeout_s=20, after_boot_id=old)
        with pytest.raises(HostError, match="longer than"):
            one.exec("ls /shared/none", timeout_s=0.5)
        one.shared.go_on()
        one.exec("ls /shared")
        assert not (bed.shared / "late").exists(), "a reset drops what its kernel had not sent"


@NEEDS_FAULTFS
def test_single_faults_by_order(template: Template) -> None:
    """One host gets errors, or never an answer, for single operations, and resets; the other works on."""
    with Bed(["one", "two"], storage="faultfs", template=template) as bed:
        one, two = bed.hosts
        rule = one.shared.fail("errno", "create", name="*refused*", error=errno.EROFS)
        assert "Read-only" in one.exec("touch /shared/refused", check=False).stderr
        assert one.shared.hits(rule) > 0
        two.exec("touch /shared/refused")
        one.shared.fail("stall", "create")
        # Interrupted while it waits for the server's answer: in D from then on, which no SIGKILL ends.
        one.exec("setsid timeout -s KILL 0.1 touch /shared/stuck >/dev/null 2>&1 &")
        two.exec("sleep 0.3; touch /shared/works")
        old = one.boot_id()
        one.exec("reboot -f", check=False)
        one.wait_running(timeout_s=20, after_boot_id=old)
        one.exec("touch /shared/after")
        assert not (bed.shared / "stuck").exists()
        one.shared.fail("stall", "create")
        one.exec("setsid touch /shared/later >/dev/null 2>&1 &")
        one.exec("sleep 0.2")
        one.reset()
        one.exec("touch /shared/healed")
        assert one.boot_id() != old
