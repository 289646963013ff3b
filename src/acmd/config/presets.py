"""The presets: what `services = ["APACHE", "ORCHESTRATOR", "MYSQL"]` stands for.

`expand` runs before the schema: it puts a preset's values under those of the file, so that the
schema sees complete tables. Tables of the file keep their places, presets without one come after
them: paths into the file stay true.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from acmd.config.positions import Path
from acmd.config.schema_services import KINDS, CommonTable

Mistake = tuple[Path, str, str]  # where, what, remedy

DATABASE_FILE = "/opt/aspera/orchestrator/config/database.yml"
DATABASE_COPY = "/etc/acmd/database.yml"

_REDIRECTS = [200, 301, 302, 303, 307, 308, 401, 403, 404]  # Apache is there, whatever it serves
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "APACHE": {
        "kind": "systemd",
        "unit": ["aspera_httpd.service"],
        "runs_on": "all",
        "after": ["ORCHESTRATOR"],
        "start_timeout_s": 120.0,
        "stop_timeout_s": 60.0,
        "probe": [
            {"kind": "http", "name": "http", "port": 80, "status": _REDIRECTS},
            {"kind": "http", "name": "https", "port": 443, "tls": True, "status": _REDIRECTS},
        ],
    },
    "ORCHESTRATOR": {
        "kind": "systemd",
        "unit": ["AsperaOrchestrator.service", "orchestrator_asctl.service"],
        "runs_on": "all",
        "after": ["MYSQL"],
        # The engine and its workers take minutes.
        "start_timeout_s": 600.0,
        "stop_timeout_s": 300.0,
    },
    "MYSQL": {
        "kind": "systemd",
        "unit": ["aspera_mysqld.service"],
        "runs_on": "active",
        # InnoDB recovers from a crash before it answers.
        "start_timeout_s": 600.0,
        "stop_timeout_s": 120.0,
        "data_directories": ["/opt/aspera/common/mysql/data"],
        "probe": [{"kind": "mysql", "name": "mysql", "must_be_writable": True, "timeout_s": 10.0}],
    },
}


@dataclass(slots=True)
class Expanded:
    """A raw document with its presets put in."""

    raw: dict[str, Any]
    origins: dict[Path, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    unknown: set[int] = field(default_factory=set)  # tables of which nothing more can be said


def expand(raw: Mapping[str, Any]) -> Expanded:
    """The document with presets, kinds included. What is no list or no table is left to the schema."""
    tables = raw.get("service", [])
    wanted = raw.get("services", [])
    if not _is_list(tables, dict) or not _is_list(wanted, str):
        return Expanded(dict(raw))
    found = Expanded({**raw, "service": [dict(table) for table in tables]})
    found.mistakes += _unknown(wanted)
    presets = list(dict.fromkeys(name for name in wanted if name in PRESETS))
    for number, table in enumerate(found.raw["service"]):
        _settle(found, number, table, presets)
    named = {table.get("name") for table in found.raw["service"] if isinstance(table.get("name"), str)}
    found.raw["service"] += [{"name": preset, "preset": preset} for preset in presets if preset not in named]
    for number, table in enumerate(found.raw["service"]):
        if number not in found.unknown:
            _fill(found, number, table, given=number < len(tables))
    if not found.raw["service"]:
        del found.raw["service"]
    return found


def presets_of(tables: list[Any]) -> dict[str, list[str]]:
    """For each preset the names of the services that have it."""
    names: dict[str, list[str]] = {preset: [] for preset in PRESETS}
    for table in tables:
        if table.get("preset") in PRESETS and isinstance(table.get("name"), str):
            names[table["preset"]].append(table["name"])
    return names


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _unknown(wanted: list[str]) -> Iterator[Mistake]:
    for position, name in enumerate(wanted):
        if name not in PRESETS:
            yield ("services", position), "is not a preset", _nearest(name)
        elif name in wanted[:position]:
            yield ("services", position), "is named twice", "name it once"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name.upper(), PRESETS, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"presets are {', '.join(PRESETS)}; a service of your own is a [[service]] table"


def _settle(found: Expanded, number: int, table: dict[str, Any], presets: list[str]) -> None:
    """Which preset a table of the file has, if any."""
    name, preset = table.get("name"), table.get("preset", "")
    if not isinstance(name, str) or not isinstance(preset, str):
        return
    if not preset and name in presets:
        table["preset"] = name
        found.origins[("service", number, "preset")] = "services"
    elif preset and preset not in PRESETS:
        found.mistakes.append((("service", number, "preset"), "is not a preset", _nearest(preset)))
        found.unknown.add(number)
    elif preset and name in presets and preset != name:
        what = f"contradicts services, which has {name} with the preset of that name"
        found.mistakes.append(
            (("service", number, "preset"), what, f"take {name} out of services, or rename this table")
        )
        found.unknown.add(number)
    elif not preset and not any(key in table for options in KINDS.values() for key in _own_required(options)):
        near = difflib.get_close_matches(name.upper(), presets, n=1)
        if near:
            what = "is not the name of an entry of services, and the table says nothing of what to run"
            found.mistakes.append((("service", number, "name"), what, f'did you mean "{near[0]}"?'))
            found.unknown.add(number)


def _own_required(options: type[CommonTable]) -> list[str]:
    return [
        key
        for key, described in options.model_fields.items()
        if described.is_required() and key not in {"name", "kind"}
    ]


def _fill(found: Expanded, number: int, table: dict[str, Any], *, given: bool) -> None:
    """Put the preset's values where the table has none."""
    preset = table.get("preset", "")
    if not isinstance(preset, str) or preset not in PRESETS:
        table.setdefault("kind", "command")
        return
    values = copy.deepcopy(dict(PRESETS[preset]))
    origin = f"preset {preset}"
    if not given:
        found.origins[("service", number, "name")] = origin
        found.origins[("service", number, "preset")] = "services"
    if table.get("kind", values["kind"]) != values["kind"]:
        values = {key: value for key, value in values.items() if key in CommonTable.model_fields}
    names = presets_of(found.raw["service"])
    values["after"] = [name for other in values.get("after", []) for name in names[other]]
    for key, value in values.items():
        if key not in table:
            table[key] = value
            for path in _leaves(value, ("service", number, key)):
                found.origins[path] = origin


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    if path[-1] == "probe":
        for position, probe in enumerate(value):
            for key in probe:
                yield (*path, position, key)
    else:
        yield path
