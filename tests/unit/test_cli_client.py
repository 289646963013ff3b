"""Asking a daemon: each way in which that fails has its own message, and none takes longer than its limit."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from acmd.cli.client import NotRunning, Refused, ask
from acmd.config.glance import glance
from acmd.errors import AcmdError
from tests.unit.cli_daemon import configuration, daemon


def test_a_question_is_answered(tmp_path: Path) -> None:
    """The request goes there as it is, the answer comes back."""
    place = glance(str(configuration(tmp_path)))
    with daemon(tmp_path, {"ok": True}) as asked:
        assert ask(place, {"do": "status"}) == {"ok": True}
    assert asked == [{"do": "status"}]


def test_a_refusal_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    """What the daemon refuses is raised with its own words."""
    place = glance(str(configuration(tmp_path)))
    with (
        daemon(tmp_path, {"error": "no node can take over", "remedy": "mend b"}),
        pytest.raises(Refused) as no,
    ):
        ask(place, {"do": "switchover"})
    assert (no.value.what, no.value.remedy, no.value.exit_code) == ("no node can take over", "mend b", 1)


def test_no_socket_means_not_running(tmp_path: Path) -> None:
    """Without a daemon: exit code 3, and how to start it."""
    place = glance(str(configuration(tmp_path)))
    with pytest.raises(NotRunning, match=r"no acmd daemon runs.*control\.sock") as error:
        ask(place, {"do": "status"})
    assert error.value.exit_code == 3


def test_a_socket_left_behind_means_not_running(tmp_path: Path) -> None:
    """The file of a daemon that was killed is no daemon."""
    place = glance(str(configuration(tmp_path)))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "run" / "control.sock"))
    with pytest.raises(NotRunning):
        ask(place, {"do": "status"})


def test_a_daemon_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody accepts: the limit holds and the message says so."""
    place = glance(str(configuration(tmp_path)))
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "run" / "control.sock"))
        deaf.listen()
        with pytest.raises(AcmdError, match=r"did not answer within 0\.05 s"):
            ask(place, {"do": "status"}, 0.05)


@pytest.mark.parametrize("answer", [b"hello\n", b"[1]\n", b"[" * 100_000 + b"\n"])
def test_an_answer_that_makes_no_sense(tmp_path: Path, answer: bytes) -> None:
    """Whatever else answers there is called what it is, without a traceback."""
    place = glance(str(configuration(tmp_path)))
    with daemon(tmp_path, answer), pytest.raises(AcmdError, match="is not an acmd daemon"):
        ask(place, {"do": "status"})


def test_an_answer_that_is_missing(tmp_path: Path) -> None:
    """A daemon that ends in between is worth another try."""
    place = glance(str(configuration(tmp_path)))
    with daemon(tmp_path, b""), pytest.raises(AcmdError, match="without an answer"):
        ask(place, {"do": "status"})


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """A run directory deeper than a socket's name may be long is reached all the same."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    place = glance(str(configuration(deep)))
    with pytest.raises(NotRunning):
        ask(place, {"do": "status"})
