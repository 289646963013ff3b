"""Signals to a real daemon: release, hand-over, adoption, reload; and a second one beside it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.daemon.kit import Pair, cluster, wait

STANDARD = '[timing]\nprofile = "standard"'
"""A daemon that starts on a busy machine must come before R to adopt; on this profile that is 6 s."""
TAKEOVER_S = 14.7


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two nodes; each test leaves one of them active and the other passive."""
    with cluster(tmp_path_factory.mktemp("d"), STANDARD) as made:
        yield Pair(made)


def test_sigterm_releases(pair: Pair) -> None:
    """The service ends, the lease is given back, the peer is active long before W; nothing is left."""
    active, passive = pair.settle()
    active.signal(signal.SIGTERM)
    took_s = wait(lambda: pair.cluster.living() == [passive.name], what="the peer serves")
    assert took_s < TAKEOVER_S / 2
    wait(lambda: not active.alive(), what="the daemon ends")
    assert not (active.run_dir / "control.sock").exists()
    assert not (active.run_dir / "lease.json").exists()
    active.start()
    pair.settle()


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGKILL])
def test_the_next_daemon_adopts(number: signal.Signals, pair: Pair) -> None:
    """Handed over or killed: a daemon that comes in time takes over epoch and service as they are."""
    active, passive = pair.settle()
    before, starts = active.status("epoch"), pair.cluster.starts()
    active.signal(number)
    wait(lambda: not active.alive(), what="the daemon ends")
    assert pair.cluster.living() == [active.name]
    active.start()
    pair.settle()
    assert active.role() == "active"
    assert active.status("epoch") == before
    assert pair.cluster.starts() == starts
    assert passive.status("epoch") == before


def test_an_outdated_guard_stays_while_it_is_armed(pair: Pair) -> None:
    """A daemon that comes with other settings adopts under the guard that is there, and says that it is
    outdated; once nothing is armed another one takes its place, and no service was restarted for it.
    """
    active, passive = pair.settle()
    starts = pair.cluster.starts()
    assert not active.status("guard", "outdated")
    active.configure(f'data_directories = ["{active.directory}"]\n{STANDARD}')
    active.signal(signal.SIGKILL)
    wait(lambda: not active.alive(), what="the daemon ends")
    active.start()
    pair.settle()
    assert active.status("guard", "outdated")
    assert active.status("guard", "armed")
    assert pair.cluster.starts() == starts
    active.ask(do="switchover", to=passive.name)
    wait(lambda: passive.role() == "active", 25, "the peer takes over")
    wait(lambda: active.status("guard", "outdated") is False, what="another guard")
    active.configure()
    active.signal(signal.SIGUSR2)
    wait(lambda: not active.alive(), what="the daemon ends")
    active.start()
    pair.settle()


def test_a_second_daemon_is_refused(pair: Pair) -> None:
    """It says which process is there, ends with 1, and the first one notices nothing."""
    active, _ = pair.settle()
    second = pair.cluster.acmd("run", active)
    assert second.returncode == 1
    assert f"another acmd daemon (process {active.pid}) already runs" in second.stderr
    assert "Traceback" not in second.stderr
    assert active.role() == "active"


def test_sighup(pair: Pair) -> None:
    """What can change is taken over, the rest is refused by name, a broken file changes nothing."""
    active, _ = pair.settle()
    epoch = active.status("epoch")
    active.configure(level="debug")
    active.signal(signal.SIGHUP)
    wait(lambda: "reloaded taken='log.level' refused='nothing'" in active.said(), what="the level is taken")
    active.configure('[timing]\nprofile = "patient"')
    active.signal(signal.SIGHUP)
    wait(lambda: active.count("reload-needs-restart"), what="the timing is refused")
    assert "key='timing.heartbeat_s'" in active.said()
    active.config.write_bytes(b"\xff\0[[[")
    active.signal(signal.SIGHUP)
    wait(lambda: active.count("reload-refused"), what="the file is refused")
    active.config.unlink()
    active.signal(signal.SIGHUP)
    wait(lambda: active.count("reload-refused") == 2, what="the missing file is refused")
    active.configure()
    assert (active.role(), active.status("epoch")) == ("active", epoch)
