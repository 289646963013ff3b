"""What is wrong between the values of services, probes, and what depends on the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.config import secret
from acmd.config.positions import Path
from acmd.config.presets import Mistake

Tables = list[Mapping[str, Any]]


def service_mistakes(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """All of them, in no order."""
    tables: Tables = tree["service"]
    services: dict[str, Mapping[str, Any]] = {}
    for number, table in enumerate(tables):
        if table["name"] in services:
            yield (("service", number, "name"), "is the name of two services", "give each a name of its own")
        services.setdefault(table["name"], table)
        yield from _backoff(table["restart"], number)
        yield from _probes(table["probe"], number)
        if table["kind"] == "ocf":
            yield from _agent(table, number, tree["node"]["address"])
    yield from _one_thing_twice(tables)
    yield from _order(tables, services)
    yield from _circles(tables, services)
    yield from _credentials(("database",), tree["database"])
    yield from _publish(tree, services)


def _backoff(restart: Mapping[str, Any], number: int) -> Iterator[Mistake]:
    if restart["backoff_s"] > restart["longest_backoff_s"]:
        yield (
            ("service", number, "restart", "longest_backoff_s"),
            f"{restart['longest_backoff_s']:g} s is less than backoff_s, {restart['backoff_s']:g} s",
            f"write at least {restart['backoff_s']:g}",
        )


def _probes(probes: Tables, number: int) -> Iterator[Mistake]:
    names: set[str] = set()
    for position, probe in enumerate(probes):
        path: Path = ("service", number, "probe", position)
        if probe["name"] in names:
            yield (
                (*path, "name"),
                f"{probe['name']} is the name of two probes of this service",
                "give each a name of its own",
            )
        names.add(probe["name"])
        if probe["kind"] == "http" and not probe["status"]:
            yield ((*path, "status"), "no status would do", "name one at least, as [200]")
        if probe["kind"] == "http" and probe["verify"] and not probe["tls"]:
            yield ((*path, "verify"), "there is no certificate without TLS", "set tls = true")
        if probe["kind"] == "mysql":
            yield from _credentials(path, probe)


def _credentials(path: Path, table: Mapping[str, Any]) -> Iterator[Mistake]:
    if table["defaults_file"] and (table["user"] or table["password_file"]):
        yield (
            (*path, "defaults_file"),
            "contradicts user and password_file",
            "name the one or the others",
        )
    elif table["password_file"] and not table["user"]:
        yield ((*path, "password_file"), "is nobody's without user", "set user, too")


def parameter_mistakes(path: Path, table: Mapping[str, Any]) -> Iterator[Mistake]:
    """In what an agent is given: a secret, or something given twice."""
    for name in table["parameters"]:
        if name in table["parameter_files"]:
            yield (
                (*path, "parameters", name),
                "stands under parameter_files, too",
                "take it out of one of them",
            )
        elif secret.named(name):
            yield (
                (*path, "parameters", name),
                "looks like a secret, which must not stand in this file",
                "write it into a file that only root may read, and name that under parameter_files",
            )


def _agent(table: Mapping[str, Any], number: int, address: str) -> Iterator[Mistake]:
    yield from parameter_mistakes(("service", number), table)
    if address and table["parameters"].get("ip") == address:
        yield (
            ("service", number, "parameters", "ip"),
            f"{address} is node.address, which this node has always; an agent would take it away",
            "use an address that no node has of its own",
        )


def _one_thing_twice(tables: Tables) -> Iterator[Mistake]:
    """One unit or script under two names would be started by one and stopped by the other."""
    owners: dict[str, str] = {}
    for number, table in enumerate(tables):
        for key in ("unit", "script"):
            things = [table[key]] if key == "script" and key in table else table.get(key, [])
            for thing in things:
                unit = thing if key == "unit" else f"{thing.rpartition('/')[2]}.service"
                owner = owners.setdefault(unit, table["name"])
                if owner != table["name"]:
                    yield (
                        ("service", number, key),
                        f"{thing} belongs to the service {owner} already",
                        "let one service have it",
                    )


def _order(tables: Tables, services: Mapping[str, Mapping[str, Any]]) -> Iterator[Mistake]:
    for number, table in enumerate(tables):
        for key in ("after", "requires"):
            for position, other in enumerate(table[key]):
                path: Path = ("service", number, key, position)
                if other not in services:
                    yield (path, "is not the name of a service", f"known are {', '.join(services)}")
                elif (
                    key == "requires" and table["runs_on"] == "all" and services[other]["runs_on"] == "active"
                ):
                    yield (
                        path,
                        "runs on the active node only, so that this service could not run on the others",
                        "name it under after instead",
                    )


def _circles(tables: Tables, services: Mapping[str, Mapping[str, Any]]) -> Iterator[Mistake]:
    """Start in rounds, as supervision would; what never gets its turn waits for itself."""
    waiting = dict(services)
    while ready := [
        name
        for name, table in waiting.items()
        if not any(other in waiting for other in (*table["after"], *table["requires"]))
    ]:
        for name in ready:
            del waiting[name]
    if waiting:
        first = next(iter(waiting))
        number = next(number for number, table in enumerate(tables) if table["name"] == first)
        yield (
            ("service", number, "after"),
            f"{', '.join(sorted(waiting))} wait for one another in a circle",
            "take one of them out of after or requires",
        )


def _publish(tree: Mapping[str, Any], services: Mapping[str, Mapping[str, Any]]) -> Iterator[Mistake]:
    publish = tree["publish"]
    if publish["enabled"] and not tree["node"]["address"]:
        yield (("publish", "enabled"), "node.address is empty: nothing to publish", "set node.address")
    for key in ("services_to_restart", "services_to_reload"):
        for position, name in enumerate(publish[key]):
            path: Path = ("publish", key, position)
            if name not in services:
                known = ", ".join(services) or "none"
                yield (path, "is not the name of a service", f"known are {known}")
            elif key == "services_to_reload" and services[name]["kind"] != "systemd":
                kind = services[name]["kind"]
                yield (
                    path,
                    f"is a service of kind {kind}, which cannot be reloaded",
                    "name it under services_to_restart",
                )
            elif key == "services_to_reload" and name in publish["services_to_restart"]:
                yield (path, "stands under services_to_restart, too", "take it out of one of them")
