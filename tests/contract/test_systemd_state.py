"""What PID 1's words mean, and what the gate's drop-in says: the pure parts of the systemd driver."""

from __future__ import annotations

import pytest

from acmd.drivers.systemd.dropins import Gate
from acmd.drivers.systemd.gate import refusal
from acmd.drivers.systemd.groups import slice_path
from acmd.drivers.systemd.state import UnitState, from_properties, from_show


@pytest.mark.parametrize(
    ("load", "active", "sub", "job", "state", "pending"),
    [
        ("loaded", "active", "running", False, "running", False),
        ("loaded", "active", "running", True, "running", True),
        ("loaded", "reloading", "reload", False, "running", True),
        ("loaded", "activating", "start", True, "starting", True),
        ("loaded", "activating", "auto-restart", False, "starting", True),
        ("loaded", "inactive", "dead-before-auto-restart", False, "stopped", True),
        ("loaded", "failed", "failed-before-auto-restart", False, "failed", True),
        ("loaded", "deactivating", "stop-sigterm", True, "stopping", True),
        ("loaded", "inactive", "dead", False, "stopped", False),
        ("loaded", "inactive", "dead", True, "stopped", True),
        ("loaded", "failed", "failed", False, "failed", False),
        ("not-found", "inactive", "dead", False, "failed", False),
        ("masked", "inactive", "dead", False, "failed", False),
        ("masked", "active", "running", False, "running", False),
        ("loaded", "a state of tomorrow", "", False, "unknown", True),
    ],
)
def test_states(load: str, active: str, sub: str, job: bool, state: str, pending: bool) -> None:
    """Only inactive and failed units without job or restart to come have nothing pending."""
    found = UnitState(load, active, sub, job)
    assert (found.state, found.pending) == (state, pending)


def test_reasons() -> None:
    """Why a unit is down is told in words; a result that nobody knows is told as it is."""
    assert UnitState("masked", "inactive", "dead", False).detail == "the unit is masked"
    assert "start limit" in UnitState("loaded", "failed", "failed", False, result="start-limit-hit").detail
    assert UnitState("loaded", "failed", "failed", False, result="new-thing").detail == "new-thing"
    assert UnitState("loaded", "inactive", "dead", False, result="success").detail == ""


def test_both_ways_to_ask_agree() -> None:
    """What systemctl prints comes to the same as what D-Bus says."""
    shown = from_show(
        "LoadState=loaded\nActiveState=active\nSubState=running\nJob=77\nControlGroup=/system.slice/a=b.service\n"
        "Slice=system.slice\nMainPID=42\nInvocationID=00ff\nResult=success\nNRestarts=3\n"
        "StateChangeTimestampMonotonic=123\n"
    )
    asked = from_properties(
        ("loaded", "active", "running", True),
        {"InvocationID": b"\x00\xff", "StateChangeTimestampMonotonic": 123},
        {
            "ControlGroup": "/system.slice/a=b.service",
            "Slice": "system.slice",
            "MainPID": 42,
            "Result": "success",
            "NRestarts": 3,
        },
    )
    assert shown == asked


@pytest.mark.parametrize("text", ["", "nonsense", "ActiveState=active", "LoadState=loaded\nActiveState=\n"])
def test_a_show_that_makes_no_sense(text: str) -> None:
    """What is incomplete is no answer."""
    assert from_show(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("open 3 101 201\n", ""),
        ("open 3\n", ""),
        ("", "there is no gate"),
        ("shut\n", "the gate is shut"),
        ("closing\n", "the gate is closing"),
        ("open\n", "the gate cannot be understood"),
        ("open 3 101\n", "the gate cannot be understood"),
        ("open 3 101 x\n", "the gate cannot be understood"),
        ("open 3 100 201\n", "the gate's deadline has passed"),
        ("open 3 101 200\n", "the gate's deadline has passed"),
        ("opened 3\n", "the gate is opened"),
    ],
)
def test_the_gates_line(text: str, said: str) -> None:
    """Only an open gate with both deadlines ahead lets pass (clocks at 100 and 200)."""
    assert refusal(text, (100, 200)) == said


def test_the_drop_in() -> None:
    """It has the slice, the epoch's file, and the check as condition and as the last preparation."""
    gate = Gate("prod-a", "/run/acmd/prod-a", "/opt/my acmd/python")
    text = gate.text("mysqld.service")
    assert "Slice=acmd-active-prod_a.slice\n" in text
    assert "EnvironmentFile=-/run/acmd/prod-a/epoch.env\n" in text
    for key in ("ExecCondition", "ExecStartPre"):
        assert f'{key}=+"/opt/my acmd/python" -I -S ' in text
    assert text.count("/run/acmd/prod-a/gate mysqld.service\n") == 2


def test_slices_nest_by_their_dashes() -> None:
    """A slice's control group lies in those of its name's parts."""
    assert slice_path("acmd-active-x.slice") == "/acmd.slice/acmd-active.slice/acmd-active-x.slice"
    assert slice_path("-.slice") == slice_path("") == ""
