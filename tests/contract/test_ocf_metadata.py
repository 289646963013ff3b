"""What agents say of themselves: understood where it makes sense, refused with a reason where not."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmd.drivers.scripts.metadata import AgentError, parse, seconds

GOOD = """<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Thing" version="1.0">
<parameters>
<parameter name="ip" unique="1" required="1"><content type="string" default="" /></parameter>
<parameter name="count"><content type="integer" default="3" /></parameter>
<parameter name="quick"><content type="boolean" /></parameter>
<parameter name="bare"/>
<parameter name="not a name"><content type="string" /></parameter>
</parameters>
<actions>
<action name="start" timeout="20s" />
<action name="stop" timeout="2min" />
<action name="monitor" depth="0" timeout="20" interval="10s" />
<action name="monitor" depth="10" timeout="45s" interval="60s" />
<action name="meta-data" timeout="5" />
</actions>
</resource-agent>
"""


def test_good_metadata() -> None:
    """Parameters, the longest timeout of each action, and the first monitor's interval are taken."""
    found = parse(GOOD)
    assert found.name == "Thing"
    assert sorted(found.parameters) == ["bare", "count", "ip", "quick"]
    assert {name: found.timeouts_s[name] for name in ("start", "stop", "monitor")} == {
        "start": 20.0, "stop": 120.0, "monitor": 45.0,
    }  # fmt: skip
    assert found.monitor_interval_s == 10.0
    assert parse("a warning on standard output\n" + GOOD) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its meta-data is not XML"),
        ("usage: agent {start|stop}", "its meta-data is not XML"),
        ("<resource-agent name='x'>", "its meta-data is not XML"),
        ("<html/>", "describes no resource agent"),
        ("<resource-agent/>", "describes no resource agent"),
        (GOOD.replace('name="stop"', 'name="halt"'), "lacks the actions stop"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><resource-agent name='&b;'/>", "its meta-data is not XML"),
    ],
)
def test_nonsense_is_refused(text: str, said: str) -> None:
    """What is no meta-data is an error that says why and what to do."""
    with pytest.raises(AgentError, match=said) as raised:
        parse(text)
    assert raised.value.remedy


def test_parameters_are_checked() -> None:
    """Unknown, missing and mistyped parameters are all told at once, values never."""
    found = parse(GOOD)
    assert found.problems({"ip": "10.0.0.1", "count": "-4", "quick": "Yes"}) == ()
    problems = found.problems({"count": "s3cret", "quick": "maybe", "address": "x"})
    assert len(problems) == 4
    assert "has no parameter 'address'; it has bare, count, ip, quick" in problems[0]
    assert "needs the parameter 'ip'" in " ".join(problems)
    assert "s3cret" not in " ".join(problems)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20s", 20.0),
        ("20", 20.0),
        (" 2 min", 120.0),
        ("500ms", 0.5),
        ("1h", 3600.0),
        ("soon", 0.0),
        ("", 0.0),
        ("5y", 0.0),
    ],
)
def test_times(text: str, value: float) -> None:
    """Times are read in the units that agents use; what is none is no time."""
    assert seconds(text) == value


@given(st.text(max_size=200))
def test_any_text_is_metadata_or_an_agent_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    with suppress(AgentError):
        parse(text)
