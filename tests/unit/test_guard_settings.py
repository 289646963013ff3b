"""What the guard of a node is told, out of the configuration."""

from __future__ import annotations

import json

import pytest

from acmd.config.model import Config
from acmd.daemon.building import guard_settings
from acmd.daemon.guarding import release_settings, unseen, virtual_addresses
from acmd.guard.settings import Refused, parse
from tests.unit.configs import loaded

GROUP = '[guard]\ncgroup_parent = "/sys/fs/cgroup/x"\n'
COMMAND = '[[service]]\nname = "web"\nkind = "command"\ncommand = ["/bin/web"]\n'


def agent(name: str, kind: str, parameters: str, more: str = "") -> str:
    """A service of kind `ocf`."""
    return (
        f'[[service]]\nname = "{name}"\nkind = "ocf"\nagent = "ocf:heartbeat:{kind}"\n'
        f"parameters = {{ {parameters} }}\n{more}\n"
    )


def config(text: str) -> Config:
    """The configuration of a text."""
    return loaded(text).config


def test_addresses_come_from_the_agents() -> None:
    """Each address of an active-only address agent, once; those of every node stay as they are."""
    text = (
        agent("one", "IPaddr2", 'ip = "192.0.2.50", cidr_netmask = "24"')
        + agent("two", "IPv6addr", 'ipv6addr = "2001:db8::50/64"')
        + agent("again", "IPaddr2", 'ip = "192.0.2.50", nic = "eth1"')
        + agent("odd", "IPaddr2", 'ip = "nowhere"')
        + agent("all", "IPaddr2", 'ip = "192.0.2.60"', 'runs_on = "all"')
        + agent("files", "Filesystem", 'ip = "192.0.2.61"')
    )
    assert virtual_addresses(config(text)) == ("192.0.2.50", "2001:db8::50")
    assert guard_settings(config(text))["address"] == ["192.0.2.50", "2001:db8::50"]


@pytest.mark.parametrize(
    ("text", "released"),
    [
        (COMMAND, True),
        (COMMAND + agent("vip", "IPaddr2", 'ip = "192.0.2.50"'), False),  # its processes: no control group
        (GROUP + COMMAND + agent("vip", "IPaddr2", 'ip = "192.0.2.50"'), True),
        (GROUP + agent("files", "Filesystem", 'device = "/dev/x"'), False),
        (GROUP + agent("files", "Filesystem", 'device = "/dev/x"', 'runs_on = "all"'), True),
        ('[[service]]\nname = "db"\nkind = "systemd"\nunit = ["db.service"]\n', True),
    ],
)
def test_released_for_a_dead_daemon(text: str, released: bool) -> None:
    """Only where the guard sees all that services hold; otherwise the peer waits for W."""
    settings = release_settings(config(text))
    assert bool(settings) == released
    parsed = parse([json.dumps(guard_settings(config(text)))])
    assert bool(parsed.helper) == released
    if released:
        assert parsed.helper[-2:] == ("guard", "release")
        assert parsed.helper[0].startswith("/")
        assert parsed.lock.endswith("/daemon.lock")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--run-dir"], "options come in pairs: --key value"),
        (["--nope", "x"], "unknown option --nope"),
        (["--socket", "/a", "--socket", "/b"], "--socket is given twice"),
        (["--socket", "/a"], "unknown keys [], missing keys ["),
        (['{"nope": 1}'], "unknown keys ['nope'], missing keys ["),
        (["{"], "not JSON: "),
    ],
)
def test_a_command_line_that_makes_no_sense(words: list[str], said: str) -> None:
    """Whoever starts a guard by hand is told what is wrong with it."""
    with pytest.raises(Refused) as caught:
        parse(words)
    assert str(caught.value).startswith(said)


def test_a_required_watchdog_is_told_though_it_is_missing() -> None:
    """`required`: the device is named, so that its absence shows; `automatic`: only one that is there."""
    device = 'watchdog_device = "/dev/there-is-none"\n'
    required = guard_settings(config(f'[guard]\nwatchdog = "required"\n{device}{COMMAND}'))
    assert (required["watchdog"], required["watchdog_mode"]) == ("/dev/there-is-none", "required")
    assert "watchdog" not in guard_settings(config(f"[guard]\n{device}{COMMAND}"))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("address", ["nowhere"], "'nowhere' is no address"),
        ("address", "192.0.2.1", "must be a list"),
        ("watchdog_mode", "maybe", "must be 'automatic' or 'required'"),
    ],
)
def test_nonsense_is_refused(key: str, value: object, said: str) -> None:
    """The guard does not start with what it cannot use, and says which key."""
    settings = {**guard_settings(config(COMMAND)), key: value}
    with pytest.raises(Refused, match=said):
        parse([json.dumps(settings)])


def test_a_script_that_the_guard_could_not_see_makes_unfit() -> None:
    """Without a control group nobody would notice that it lives on while the other node starts it."""
    script = '[[service]]\nname = "old"\nkind = "sysv"\nscript = "/etc/init.d/old"\n'
    assert unseen(config(COMMAND + script)).startswith("old would run in no control group")
    for text in (GROUP + script, script + 'runs_on = "all"\n', COMMAND):
        assert unseen(config(text)) == ""
