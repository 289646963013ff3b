"""From what the file says to what holds: profile, dependent defaults, checks over several values."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from acmd.config.dependent import fill_dependent
from acmd.config.mistakes_fencing import fencing_mistakes
from acmd.config.mistakes_http import http_mistakes
from acmd.config.mistakes_services import service_mistakes
from acmd.config.model import (
    TIMING_KEYS,
    default_node_name,
    default_run_dir,
    default_state_dir,
    timing_of,
)
from acmd.config.model_services import EVERYWHERE
from acmd.config.positions import Path
from acmd.config.presets import Mistake
from acmd.core.timing import NS_PER_S, PROFILES

LONGEST_SOCKET_PATH = 107


def resolve(document: Mapping[str, Any], hostname: str) -> tuple[dict[str, Any], dict[Path, str]]:
    """The effective tree, and for each value that was computed where it comes from.

    `document` is the validated document as plain values, None where the file says nothing.
    """
    tree: dict[str, Any] = copy.deepcopy(dict(document))
    origins: dict[Path, str] = {}

    def fill(section: str, key: str, value: Any, origin: str) -> None:
        if tree[section][key] is None:
            tree[section][key] = value
            origins[(section, key)] = origin

    cluster = tree["cluster"]["name"]
    fill("node", "name", default_node_name(hostname), "the host's name")
    profile = tree["timing"]["profile"]
    for key, value in profile_values(profile).items():
        fill("timing", key, value, f"profile {profile}")
    fill("run", "run_dir", default_run_dir(cluster), "cluster.name")
    fill("run", "state_dir", default_state_dir(cluster), "cluster.name")
    fill("guard", "socket", f"{tree['run']['run_dir']}/guard.sock", "run.run_dir")
    half = int(min(60, max(1, tree["timing"]["lease_duration_s"] / 2)))
    fill("guard", "watchdog_timeout_s", half, "timing.lease_duration_s")
    if tree["guard"]["last_resort"] == "none" and tree["guard"]["watchdog"] == "automatic":
        tree["guard"]["watchdog"] = "off"
        origins[("guard", "watchdog")] = "guard.last_resort"
    fill_dependent(tree, origins)
    return tree, origins


def profile_values(profile: str) -> dict[str, float]:
    """A profile's numbers under the names that the file has for them."""
    timing = PROFILES[profile]
    values = {
        key: getattr(timing, key.removesuffix("_s") + "_ns") / NS_PER_S
        for key in TIMING_KEYS
        if key.endswith("_s")
    }
    values["clock_rate_error"] = timing.clock_rate_error_permille / 1000
    return values


def mistakes(tree: Mapping[str, Any], raw: Mapping[str, Any]) -> list[Mistake]:
    """What is wrong between the values of an effective tree; `raw` is what the file itself says."""
    return [
        *_timing(tree, raw),
        *_guard(tree),
        *fencing_mistakes(tree),
        *_hold_down(tree),
        *_failback(tree),
        *_places(tree),
        *http_mistakes(tree),
        *service_mistakes(tree),
    ]


def _timing(tree: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Mistake]:
    given = raw.get("timing", {})
    section = tree["timing"]
    steps = section["clock_rate_error"] * 1000
    if abs(steps - round(steps)) > 1e-6:
        yield (
            ("timing", "clock_rate_error"),
            "must be a multiple of 0.001",
            f"write {-(-steps // 1) / 1000:g}, which is the next one above",
        )
        return
    for problem in timing_of(section).broken():
        named = [key for key in TIMING_KEYS if key in problem]
        overridden = [key for key in named if key in given]
        yield (("timing", *overridden[:1]), problem, f"change {' or '.join(named)}")


def _guard(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    guard = tree["guard"]
    if guard["last_resort"] == "none" and guard["watchdog"] == "required":
        yield (
            ("guard", "watchdog"),
            'contradicts guard.last_resort = "none": a watchdog resets the host',
            'set guard.last_resort = "reset", or guard.watchdog = "off"',
        )
    timeout, lease = guard["watchdog_timeout_s"], tree["timing"]["lease_duration_s"]
    if guard["watchdog"] != "off" and not 0 < timeout < lease:
        yield (
            ("guard", "watchdog_timeout_s"),
            f"{timeout} s does not lie between 0 and timing.lease_duration_s, {lease:g} s",
            'write a whole number between them, or set guard.watchdog = "off"',
        )
    length = len(guard["socket"].encode())
    if length > LONGEST_SOCKET_PATH:
        yield (
            ("guard", "socket"),
            f"{guard['socket']} is {length} bytes long, but a socket's path has at most "
            f"{LONGEST_SOCKET_PATH}",
            "set guard.socket or run.run_dir to a shorter path",
        )


def _hold_down(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    first, longest = tree["hold_down"]["first_s"], tree["hold_down"]["longest_s"]
    if first > longest:
        yield (
            ("hold_down", "longest_s"),
            f"{longest:g} s is less than hold_down.first_s, {first:g} s",
            f"write at least {first:g}",
        )


def _failback(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    if tree["failback"]["policy"] == "preferred" and not tree["failback"]["node"]:
        yield (
            ("failback", "policy"),
            "no node is named that is preferred",
            'set failback.node = "NODE", or failback.policy = "manual"',
        )


def _places(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    directory = tree["cluster"]["directory"]
    local: list[tuple[Path, str]] = [
        (("run", "run_dir"), tree["run"]["run_dir"]),
        (("run", "state_dir"), tree["run"]["state_dir"]),
        (("guard", "socket"), tree["guard"]["socket"]),
    ]
    if tree["fencing"]["agent"]:
        local.append((("fencing", "agent"), tree["fencing"]["agent"][0]))
    for name, place in tree["fencing"]["parameter_files"].items():
        local.append((("fencing", "parameter_files", name), place))
    for number, table in enumerate(tree["service"]):
        local += _places_of_service(number, table)
    for number, table in enumerate(tree["hook"]):
        local.append((("hook", number, "command"), table["command"][0]))
    for section, key in _FILES:
        if (section, key) != ("publish", "file") or tree[section][key] != tree["database"]["file"]:
            local.append(((section, key), tree[section][key]))
    if directory == "/":
        yield (
            ("cluster", "directory"),
            "must not be the root directory",
            "name the directory on shared storage",
        )
        return
    for path, place in local:
        if place == directory or place.startswith(directory + "/"):
            yield (
                path,
                f"{place} lies in the cluster's directory, {directory}, where whatever uses it hangs when "
                "that storage does",
                "use a place outside of it",
            )


_FILES = (
    ("database", "file"),
    ("database", "defaults_file"),
    ("database", "password_file"),
    ("publish", "file"),
    ("http", "certificate_file"),
    ("http", "key_file"),
    ("http", "token_file"),
)


def _places_of_service(number: int, table: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    path: Path = ("service", number)
    for key in ("working_directory", "log_file", "script"):
        if key in table:
            yield ((*path, key), table[key])
    for place in table["data_directories"]:
        if place != EVERYWHERE:
            yield ((*path, "data_directories"), place)
    if "command" in table:
        yield ((*path, "command"), table["command"][0])
    for name, place in table.get("parameter_files", {}).items():
        yield ((*path, "parameter_files", name), place)
    for position, probe in enumerate(table["probe"]):
        for key in ("defaults_file", "password_file"):
            if key in probe:
                yield ((*path, "probe", position, key), probe[key])
        if "command" in probe:
            yield ((*path, "probe", position, "command"), probe["command"][0])
