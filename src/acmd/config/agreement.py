"""Whether this node's configuration agrees with its cluster, and with the one that the daemon runs on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from acmd.config.model import TIMING_KEYS, Config
from acmd.config.model_services import FILE_KEYS
from acmd.core.timing import Timing, seconds
from acmd.errors import ConfigError

NAMED = re.compile(r"\[[^\]]*\]")
SERVICE_LIMITS = ("start_timeout_s", "stop_timeout_s", "monitor_timeout_s", "monitor_interval_s")
PROBE_LIMITS = ("interval_s", "timeout_s", "fail_after", "recover_after")

# What a running daemon can take over without touching its lease; `[]` stands for any name.
RELOADABLE = frozenset(
    {
        "log.level",
        "service[].critical",
        *(f"service[].{key}" for key in SERVICE_LIMITS),
        *(f"service[].probe[].{key}" for key in PROBE_LIMITS),
        "service[].restart.max_restarts",
        "service[].restart.window_s",
        "service[].restart.backoff_s",
        "service[].restart.longest_backoff_s",
    }
)


def configured_timing_mismatch(config: Config, cluster_timing: Timing) -> ConfigError | None:
    """The refusal for a node whose timing is not the one in cluster.json, with both values; None if equal."""
    differences = [
        f"timing.{key} is {here} here, {there} there"
        for key in TIMING_KEYS
        if (here := _timing_value(key, config.timing)) != (there := _timing_value(key, cluster_timing))
    ]
    if not differences:
        return None
    return ConfigError(
        f"the timing in {config.file} (profile {config.profile}) is not that of the cluster in "
        f"{config.cluster.directory}/cluster.json: {'; '.join(differences)}; this node does not start",
        f"make [timing] in {config.file} equal to the cluster's, on every node",
    )


def configured_tier_mismatch(config: Config, cluster_tier: str) -> ConfigError | None:
    """The refusal for a node whose tier is not that of its cluster's directory; None if equal."""
    here = config.cluster.tier
    if here == cluster_tier:
        return None
    there = f"the tier {cluster_tier!r}" if cluster_tier else "a cluster without tiers"
    own = f"is of the tier {here!r}" if here else "is of no tier"
    return ConfigError(
        f"{config.cluster.directory} was initialised for {there}, and this node {own}; it does not start",
        f"give cluster.directory of this tier in {config.file}; should they belong together, "
        f'set cluster.tier = "{cluster_tier}"',
    )


def _timing_value(key: str, timing: Timing) -> str:
    if key == "clock_rate_error":
        return f"{timing.clock_rate_error_permille / 1000:g}"
    duration_ns: int = getattr(timing, key.removesuffix("_s") + "_ns")
    return seconds(duration_ns)


def differences(old: Config, new: Config) -> tuple[list[str], list[str]]:
    """The options in which two configurations differ: those a reload may change, and those it must refuse."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    can = [key for key in changed if _pattern(key) in RELOADABLE and key in before and key in after]
    cannot = (_what_came_or_went(key, before, after) for key in changed if key not in can)
    return can, list(dict.fromkeys(cannot))


def _pattern(key: str) -> str:
    return NAMED.sub("[]", key)


def _what_came_or_went(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """A whole service or probe stands for its options where the other configuration has nothing of it."""
    for match in NAMED.finditer(key):
        whole = key[: match.end()]
        if not all(any(other.startswith(f"{whole}.") for other in side) for side in (before, after)):
            return whole
    return key


# Where the plain values have another shape than the file.
_FILE_NAMES = {
    "adoption_limit": "adoption.limit",
    "run_dir": "run.run_dir",
    "state_dir": "run.state_dir",
    "profile": "timing.profile",
}


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in fields(value):
        item = getattr(value, entry.name)
        if isinstance(item, Timing):
            for key in TIMING_KEYS:
                yield f"timing.{key}", _timing_value(key, item)
        elif entry.name == "services":
            for service in item:
                yield from _leaves(service, f"service[{service.name}].")
        elif entry.name == "probes":
            for probe in item:
                yield from _leaves(probe, f"{prefix}probe[{probe.name}].")
        elif entry.name == "hooks":
            for number, hook in enumerate(item):
                yield from _leaves(hook, f"hook[{number}].")
        elif is_dataclass(item):
            yield from _leaves(item, f"{prefix}{entry.name}.")
        elif prefix or entry.name != "file":
            name = FILE_KEYS.get(entry.name, entry.name) if prefix.startswith("service[") else entry.name
            yield (prefix + name) if prefix else _FILE_NAMES[entry.name], item
