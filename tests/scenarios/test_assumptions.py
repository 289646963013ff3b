"""What the protocol assumes of the storage, by showing what happens without it (docs/protocol.md).

These tests fail, and are expected to: they say that two hosts never answer, on storage that acmd
does not support. Should one of them pass, the assumption is no longer needed.
"""

from __future__ import annotations

import copy

import pytest

from acmd.core.lease import lease_name
from tests.scenarios.play import expect, play
from tests.scenarios.world import TwoActive


@pytest.mark.xfail(
    raises=TwoActive, strict=True, reason="an acknowledged link must survive a server's restart"
)
def test_a_lost_link() -> None:
    """A file server that forgets an acknowledged claim, before anybody else has seen it."""
    world = play("nodes a b\ncut b\nwithin 2 s a active epoch 1\n")
    del world.directory.files[lease_name(1)]
    world.hosts["b"].power_on(world.now)
    expect(world, "within", 20, "b active")


@pytest.mark.xfail(
    raises=TwoActive, strict=True, reason="acknowledged writes must survive a server's restart"
)
def test_rolled_back_storage() -> None:
    """A directory restored from a snapshot, while a host that knows nothing newer starts."""
    world = play("nodes a b c\ncut c\nwithin 2 s a active epoch 1\n")
    world.hosts["a"].power_off()
    expect(world, "within", 20, "b active")
    held = world.epoch
    snapshot = copy.deepcopy(world.directory.files)
    world.directory.files = {
        name: file for name, file in snapshot.items() if name not in (lease_name(1), lease_name(held))
    }
    world.hosts["c"].power_on(world.now)
    expect(world, "within", 20, "c active")
