"""Defaults that depend on other values: of services and probes, and of what depends on the database."""

from __future__ import annotations

from typing import Any

from acmd.config.model_services import EVERYWHERE
from acmd.config.positions import Path
from acmd.config.presets import DATABASE_COPY, DATABASE_FILE, presets_of

Origins = dict[Path, str]
ADDRESS_AGENTS = {f"ocf:heartbeat:{name}" for name in ("IPaddr", "IPaddr2", "IPv6addr", "IPsrcaddr")}
"""They write to no file system."""


def fill_dependent(tree: dict[str, Any], origins: Origins) -> None:
    """Fill in what the file left out; `origins` gets where each value comes from."""
    names = presets_of(tree["service"])
    on_active = {table["name"] for table in tree["service"] if table["runs_on"] == "active"}
    mysql_here = bool(on_active.intersection(names["MYSQL"]))
    application = bool(names["APACHE"] or names["ORCHESTRATOR"])

    def fill(section: str, key: str, value: Any, origin: str) -> None:
        if tree[section][key] is None:
            tree[section][key] = value
            origins[(section, key)] = origin

    tier = "" if application == bool(names["MYSQL"]) else "application" if application else "mysql"
    fill("cluster", "tier", tier, "services")
    database = tree["database"]
    copied = bool(names["MYSQL"]) and not names["ORCHESTRATOR"]
    fill("database", "file", DATABASE_COPY if copied else DATABASE_FILE, "services")
    fill("publish", "file", database["file"], "database.file")
    fill("publish", "section", database["section"], "database.section")
    fill("publish", "services_to_restart", names["ORCHESTRATOR"], "services")
    fill("interlock", "mysql", mysql_here, "services")
    fill("interlock", "port", database["port"], "database.port")
    for number, table in enumerate(tree["service"]):
        if table["data_directories"] is None:
            anywhere = table["runs_on"] == "active" and table.get("agent") not in ADDRESS_AGENTS
            table["data_directories"] = [EVERYWHERE] if anywhere else []
            origins[("service", number, "data_directories")] = "runs_on"
    directories = [place for table in tree["service"] for place in table["data_directories"]]
    directories = [place for place in directories if place != EVERYWHERE]
    fill("fitness", "directories", list(dict.fromkeys(directories)), "data_directories of services")
    for number, table in enumerate(tree["service"]):
        if table["critical"] is None:
            table["critical"] = table["runs_on"] == "active"
            origins[("service", number, "critical")] = "runs_on"
        for position, probe in enumerate(table["probe"]):
            _fill_probe(probe, ("service", number, "probe", position), tree, origins)


def _fill_probe(probe: dict[str, Any], path: Path, tree: dict[str, Any], origins: Origins) -> None:
    probes, position = tree["service"][path[1]]["probe"], int(path[3])
    if probe["name"] is None:
        earlier = sum(other["kind"] == probe["kind"] for other in probes[:position])
        probe["name"] = probe["kind"] if not earlier else f"{probe['kind']}-{earlier + 1}"
        origins[(*path, "name")] = "kind"
    if probe["kind"] == "http" and probe["port"] is None:
        probe["port"] = 443 if probe["tls"] else 80
        origins[(*path, "port")] = "tls"
    if probe["kind"] == "mysql":
        if probe["port"] is None:
            probe["port"] = tree["database"]["port"]
            origins[(*path, "port")] = "database.port"
        keys = ("defaults_file", "user", "password_file")
        own = any(probe[key] is not None for key in keys)
        for key in keys:
            if probe[key] is None:
                probe[key] = "" if own else tree["database"][key]
                origins[(*path, key)] = "default" if own else f"database.{key}"
