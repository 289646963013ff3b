"""Virtual addresses and the guard, in a network namespace of the guard's own."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from acmd.core.observation import Gate
from acmd.drivers.guard_link import GUARD
from acmd.guard import addresses
from tests.contract.guard_kit import RealBed

pytestmark = pytest.mark.asyncio

ONE, TWO, OTHER = "192.0.2.50", "2001:db8::50", "192.0.2.51"


class NamespaceBed(RealBed):
    """A guard that sees only its own network, in which `ip` acts by way of nsenter."""

    def spawn(self) -> None:
        """In a new namespace; without root in one of a new user, too."""
        new = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
        line = [shutil.which("python3") or "python3", "-I", "-S", str(GUARD), *self.arguments()]
        up = 'ip link set lo up && exec "$@"'
        self.pid = os.posix_spawnp("unshare", [*new, "sh", "-c", up, "sh", *line], os.environ)

    def ip(self, *words: str) -> str:
        """`ip` in there."""
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        line = ["nsenter", *user, "--net", f"--target={self.pid}", "ip", *words]
        return subprocess.run(line, check=True, capture_output=True, text=True, timeout=10).stdout

    def there(self) -> set[str]:
        """The addresses of loopback in there."""
        words = self.ip("-o", "address", "show", "dev", "lo").split()
        pairs = itertools.pairwise(words)
        return {after.partition("/")[0] for word, after in pairs if word in FAMILIES}


FAMILIES = {"inet", "inet6"}


def can_unshare() -> bool:
    """Whether this machine lets us have a network namespace."""
    words = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    return subprocess.run(["unshare", *words, "true"], stderr=subprocess.DEVNULL).returncode == 0


@pytest_asyncio.fixture
async def bed(tmp_path: Path) -> AsyncIterator[NamespaceBed]:
    if not can_unshare():
        pytest.skip("no network namespace can be made here")
    made = NamespaceBed(tmp_path, "--address", ONE, "--address", TWO)
    made.spawn()
    made.guard.open()
    try:
        yield made
    finally:
        made.end()
        await made.guard.close()


def bring_up(bed: NamespaceBed) -> None:
    bed.ip("address", "add", f"{OTHER}/24", "dev", "lo")  # the host's own; it is there first
    bed.ip("address", "add", f"{ONE}/24", "dev", "lo")
    bed.ip("address", "add", f"{TWO}/64", "dev", "lo")


async def test_gone_at_the_kill_deadline(bed: NamespaceBed) -> None:
    """Left alone while armed, gone at K, and nothing else with it; only then is all gone."""
    await bed.armed()
    bring_up(bed)
    await bed.until(lambda: bed.guard.view().gate is Gate.CLOSING)
    assert bed.there() >= {ONE, TWO, OTHER}
    assert not bed.guard.view().clean
    await bed.until(lambda: bed.guard.view().clean)
    assert bed.guard.view().gate is Gate.SHUT
    assert not bed.there() & {ONE, TWO}
    assert OTHER in bed.there()


async def test_an_address_is_a_sign_of_life(bed: NamespaceBed) -> None:
    """With the address there, a closed gate proves nothing, and disarming is refused; the view names it."""
    await bed.armed()
    bed.ip("address", "add", f"{ONE}/24", "dev", "lo")
    bed.guard.close_gate(7)
    bed.guard.disarm(7, detached=False)
    await bed.until(lambda: bed.guard.details().get("addresses") == [ONE])
    assert "not seen gone" in bed.guard.refusal()
    bed.ip("address", "del", f"{ONE}/24", "dev", "lo")
    await bed.until(lambda: bed.guard.view().clean)
    bed.guard.disarm(7, detached=False)
    await bed.until(lambda: bed.guard.view().epoch is None)


async def test_a_stray_is_taken_away(bed: NamespaceBed) -> None:
    """Disarmed and shut: an address that somebody brings up by hand does not stay, both at once."""
    await bed.until(lambda: bed.guard.view().clean)
    bring_up(bed)
    await bed.until(lambda: not bed.there() & {ONE, TWO})
    assert OTHER in bed.there()


async def test_a_detached_one_stays(bed: NamespaceBed) -> None:
    """Maintenance of all: the address stays where it is."""
    await bed.armed()
    bring_up(bed)
    bed.guard.disarm(7, detached=True)
    await bed.until(lambda: bed.guard.view().epoch is None)
    await bed.spend(1_300_000_000)
    assert bed.there() >= {ONE, TWO}


async def test_no_address_at_all() -> None:
    """What is no address is refused by name, and nothing is asked for none."""
    with pytest.raises(ValueError, match="'fe80::/64' is no address"):
        addresses.packed("fe80::/64")
    assert addresses.packed("fe80::1%eth0")[:2] == b"\xfe\x80"
    assert addresses.held([]) == []
    assert addresses.take_away([]) == 0
