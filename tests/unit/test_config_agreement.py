"""Nodes and daemons whose configurations differ: what is refused, and in which words."""

from __future__ import annotations

from acmd.config.agreement import configured_timing_mismatch, differences
from acmd.core.timing import PROFILES, Timing
from tests.unit.configs import loaded


def test_equal_timing_is_no_mismatch() -> None:
    """A node with its cluster's timing may start."""
    assert configured_timing_mismatch(loaded("").config, PROFILES["standard"]) is None


def test_other_timing_says_both_values() -> None:
    """Each value that differs is told, here and there."""
    there = Timing.of_seconds(1, 6, 3, 9, 1, 2, 12, 15, 0.11)
    error = configured_timing_mismatch(loaded("").config, there)
    assert error is not None
    assert str(error) == (
        "the timing in acmd.toml (profile standard) is not that of the cluster in "
        "/opt/aspera/acm/acmd/cluster.json: "
        "timing.takeover_wait_s is 14.7 s here, 15 s there; timing.clock_rate_error is 0.1 here, 0.11 there; "
        "this node does not start\n  -> make [timing] in acmd.toml equal to the cluster's, on every node"
    )


SERVICE = '[[service]]\nname = "web"\ncommand = ["/web"]\n'


def test_a_reload_without_changes() -> None:
    """Equal configurations differ in nothing, defaults written out included."""
    assert differences(loaded("").config, loaded('[log]\nlevel = "info"\n').config) == ([], [])


def test_a_reload_tells_what_it_can_change_and_what_not() -> None:
    """Log level, budgets and limits may change; the rest is named."""
    old = loaded(SERVICE).config
    new = loaded(
        '[log]\nlevel = "debug"\n[timing]\nprofile = "fast"\nheartbeat_s = 0.5\n[adoption]\nlimit = 4\n'
        '[[service]]\nname = "web"\ncommand = ["/web2"]\nstop_timeout_s = 9\n[service.restart]\n'
        "max_restarts = 1\n"
    ).config
    can, cannot = differences(old, new)
    assert sorted(can) == [
        "log.level",
        "service[web].restart.max_restarts",
        "service[web].stop_timeout_s",
    ]
    assert {"timing.profile", "timing.heartbeat_s", "adoption.limit", "service[web].command"} <= set(cannot)


PROBED = SERVICE + '[[service.probe]]\nkind = "tcp"\nport = 80\n'


def test_a_reload_changes_the_limits_of_probes() -> None:
    """Their times and thresholds may change; what they ask, and which there are, needs a restart."""
    old = loaded(PROBED).config
    limits = "interval_s = 3\ntimeout_s = 2\nfail_after = 7\nrecover_after = 2\n"
    can, cannot = differences(old, loaded(PROBED + limits).config)
    assert {key.rpartition(".")[2] for key in can} == {
        "interval_s",
        "timeout_s",
        "fail_after",
        "recover_after",
    }
    assert all(key.startswith("service[web].probe[tcp].") for key in can)
    assert cannot == []
    assert differences(old, loaded(PROBED.replace("80", "81")).config) == (
        [],
        ["service[web].probe[tcp].port"],
    )
    assert differences(old, loaded(SERVICE).config) == ([], ["service[web].probe[tcp]"])


def test_a_reload_changes_the_limits_of_agents() -> None:
    """Those that acmd keeps itself; an agent's parameters need a restart."""
    head = '[[service]]\nname = "ip"\nkind = "ocf"\n'
    text = head + 'agent = "ocf:heartbeat:IPaddr2"\nparameters = {{ ip = "{}" }}\n'
    old = loaded(text.format("192.0.2.20")).config
    limits = "monitor_timeout_s = 3\nmonitor_interval_s = 2\nstop_timeout_s = 4\n"
    can, cannot = differences(old, loaded(text.format("192.0.2.21") + limits).config)
    assert sorted(key.rpartition(".")[2] for key in can) == [
        "monitor_interval_s",
        "monitor_timeout_s",
        "stop_timeout_s",
    ]
    assert cannot == ["service[ip].parameters"]


def test_a_service_that_comes_or_goes_is_no_reload() -> None:
    """A new or a missing service is refused by its name."""
    assert differences(loaded("").config, loaded(SERVICE).config) == ([], ["service[web]"])
    assert differences(loaded(SERVICE).config, loaded("").config) == ([], ["service[web]"])
