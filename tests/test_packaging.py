"""The units of packaging/systemd by their text; tests/hosts/test_units.py has them on a real systemd."""

from __future__ import annotations

from pathlib import Path

import pytest

UNITS = Path(__file__).parents[1] / "packaging/systemd"
ROLES = ("acmd", "acmd-guard", "acmd-services")


def values(name: str) -> dict[str, list[str]]:
    """Every option of a unit with its values in their order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("role", ROLES)
def test_templates_say_the_same(role: str) -> None:
    """The template is the plain unit with the instance's names in it, and nothing else."""
    plain, template = ((UNITS / f"{role}{at}.service").read_text() for at in ("", "@"))
    template = template.replace("@%i.service", ".service").replace(" of cluster %i", "")
    assert template.replace("/etc/acmd/%i.toml", "/etc/acmd/acmd.toml") == plain


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_required(role: str) -> None:
    """No dependency by which systemd would stop, or never start, one unit for the sake of another."""
    strong = {"Requires", "Requisite", "BindsTo", "PartOf", "RequiresMountsFor", "Conflicts"}
    assert strong & set(values(f"{role}.service")) == set()


@pytest.mark.parametrize("role", ROLES)
def test_started_again_for_ever(role: str) -> None:
    """Restart=always without a start limit, and only the main process is ever killed."""
    unit = values(f"{role}.service")
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["KillMode"] == ["process"]
    assert unit["OOMPolicy"] == ["continue"]


@pytest.mark.parametrize("role", ["acmd", "acmd-guard"])
def test_only_refusals_wait(role: str) -> None:
    """After a crash (status 1, or a signal) the next one starts at once: to adopt, or to reset the host."""
    unit = values(f"{role}.service")
    assert unit["ExecStopPost"] == ["""-/bin/sh -c 'case "$EXIT_STATUS" in 64|73|78) exec sleep 5;; esac'"""]
    assert unit["RestartSec"][0].endswith("ms")


def test_order() -> None:
    """Up: group, guard, daemon; on the way down the daemon ends first, before network and mounts."""
    daemon, guard = values("acmd.service"), values("acmd-guard.service")
    after = " ".join(daemon["After"]).split()
    assert {"acmd-guard.service", "acmd-services.service", "network.target", "remote-fs.target"} <= set(after)
    assert guard["Before"] == ["acmd.service"]
    assert guard["StopWhenUnneeded"] == guard["RefuseManualStop"] == ["yes"]


def test_the_guard_is_watched() -> None:
    """PID 1 kills a guard that hangs outright, and waits for one that is armed for as long as it takes."""
    guard = values("acmd-guard.service")
    assert guard["Type"] == ["notify"]
    assert guard["WatchdogSignal"] == ["SIGKILL"]
    assert guard["OOMScoreAdjust"] == ["-1000"]
    assert guard["LimitMEMLOCK"] == guard["TimeoutStopSec"] == ["infinity"]
    assert guard["SendSIGKILL"] == ["no"]


@pytest.mark.parametrize("role", ROLES)
def test_no_mount_namespace(role: str) -> None:
    """Setting one up touches every mount, dead storage too; mounts made in one are not the host's."""
    makes_one = {
        *(
            "ProtectSystem",
            "ProtectHome",
            "ProtectKernelTunables",
            "ProtectKernelModules",
            "ProtectKernelLogs",
        ),
        *(
            "ProtectControlGroups",
            "ProtectProc",
            "PrivateTmp",
            "PrivateDevices",
            "PrivateMounts",
            "DynamicUser",
        ),
        *("ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "BindPaths", "TemporaryFileSystem"),
        *("RootDirectory", "RootImage"),
    }
    assert makes_one & set(values(f"{role}.service")) == set()
