"""The schema's refusals in an operator's words."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from pydantic import BaseModel, ValidationError

from acmd.config.positions import Path, line_of
from acmd.config.presets import Expanded
from acmd.config.problems import Problem, dotted, shown, value_at
from acmd.config.schema import Document
from acmd.config.schema_hooks import HookTable
from acmd.config.schema_probes import PROBE_KINDS, CommonProbe
from acmd.config.schema_services import KINDS, CommandTable, RestartTable

_KINDS = {
    bool: "a truth value",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a table",
    datetime: "a date",
    date: "a date",
    time: "a time of day",
}
_WANTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}


def problems_of(
    error: ValidationError, raw: Mapping[str, Any], expanded: Expanded, lines: Mapping[Path, int]
) -> list[Problem]:
    """Each refusal of the schema as a problem, in the order of the file."""
    found = []
    for detail in error.errors(include_url=False):
        path = _without_tags(tuple(detail["loc"]))
        if path[:1] == ("service",) and len(path) > 1 and path[1] in expanded.unknown:
            continue
        if detail["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            path = (*path, "kind")
        what, remedy = _words(detail, path, expanded.raw)
        key = dotted(path, expanded.raw)
        value = value_at(path, raw)
        known = detail["type"] != "missing" and value is not None and not isinstance(value, dict)
        problem = Problem(
            what=what,
            remedy=remedy,
            key=key,
            value=shown(value, path) if known else "",
            line=line_of(path, lines),
        )
        found.append(problem)
    return sorted(found, key=lambda problem: problem.line or 0)


def _without_tags(path: Path) -> Path:
    """Errors below a union carry the kind after the list's index, which the file does not have."""
    if path[:1] != ("service",) or len(path) < 3:
        return path
    path = path[:2] + path[3:]
    if path[2:3] == ("probe",) and len(path) > 4:
        path = path[:4] + path[5:]
    return path


def _words(detail: Any, path: Path, raw: Mapping[str, Any]) -> tuple[str, str]:
    kind = detail["type"]
    limits = detail.get("ctx", {})
    given = detail["input"]
    if kind == "extra_forbidden":
        return "there is no such option", _nearest(path, raw)
    if kind == "missing":
        return "is missing", _example(path, raw)
    if kind == "union_tag_not_found":
        return "is missing", f"add one of {_quoted(_kinds(path))}"
    if kind == "union_tag_invalid":
        given = value_at(path, raw)
        return _choice(_kinds(path), given)
    if kind == "literal_error":
        return _choice(_choices(path, raw), given)
    if kind == "value_error":
        return str(limits["error"]), "correct it"
    if kind in _WANTED:
        what = f"must be {_WANTED[kind]}, not {_KINDS.get(type(given), 'something else')}"
        return what, _without_quotes(kind, given)
    if kind in {"greater_than_equal", "less_than_equal"}:
        side = "at least" if kind == "greater_than_equal" else "at most"
        bound = limits["ge" if kind == "greater_than_equal" else "le"]
        return f"must be {side} {bound:.12g}", "correct it"
    if kind == "finite_number":
        return "must be an ordinary number", "correct it"
    if kind == "too_long":
        return (
            f"has {limits['actual_length']} elements, at most {limits['max_length']} are allowed",
            "shorten it",
        )
    return str(detail["msg"]), "correct it"


def _without_quotes(kind: str, given: Any) -> str:
    if kind == "list_type" and not isinstance(given, dict):
        return "write it in brackets: [...]"
    if kind == "string_type" and not isinstance(given, (list, dict)):
        return 'write it in quotes: "..."'
    if not isinstance(given, str):
        return "correct it"
    if kind == "bool_type" and given.lower() in {"true", "false"}:
        return f"write it without quotes: {given.lower()}"
    try:
        number = float(given)
    except ValueError:
        return "correct it"
    fits = kind in {"float_type", "int_type"} and math.isfinite(number)
    return f"write it without quotes: {given.strip()}" if fits else "correct it"


def _kinds(path: Path) -> list[Any]:
    return list(PROBE_KINDS if "probe" in path else KINDS)


def _quoted(choices: list[Any]) -> str:
    return ", ".join(f'"{choice}"' for choice in choices)


def _choice(choices: list[Any], given: Any) -> tuple[str, str]:
    near = difflib.get_close_matches(str(given).lower(), choices, n=1)
    return (
        f"must be one of {_quoted(choices)}",
        f'did you mean "{near[0]}"?' if near else "choose one of them",
    )


def _choices(path: Path, raw: Mapping[str, Any]) -> list[Any]:
    field = _model(path[:-1], raw).model_json_schema()["properties"][str(path[-1])]
    return [str(choice) for choice in field["enum"]]


def _model(path: Path, raw: Mapping[str, Any]) -> type[BaseModel]:
    """The class that describes the table at a path."""
    if not path:
        return Document
    if path[0] == "service":
        if path[-1] == "restart":
            return RestartTable
        if path[2:3] == ("probe",):
            return PROBE_KINDS.get(str(value_at((*path[:4], "kind"), raw)), CommonProbe)
        return KINDS.get(str(value_at((*path[:2], "kind"), raw)), CommandTable)
    if path[0] == "hook":
        return HookTable
    section = Document.model_fields[str(path[0])].annotation
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        raise TypeError(f"{path[0]} is not a section")
    return section


def _nearest(path: Path, raw: Mapping[str, Any]) -> str:
    key = str(path[-1])
    if len(path) > 1 and key == "services":
        return "write it at the top of the file, before the first [section]"
    own = list(_model(path[:-1], raw).model_fields)
    near = difflib.get_close_matches(key.lower(), own, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    if path[:1] == ("service",) and (kinds := [name for name in KINDS if key in KINDS[name].model_fields]):
        return f"it is for services of kind {' or '.join(kinds)}"
    others = [name for name in Document.model_fields if key in _fields_of(name)]
    if others:
        tables = {"service": "[[service.probe]]" if key == "probe" else "[[service]]", "hook": "[[hook]]"}
        return f"it belongs into {tables.get(others[0], f'[{others[0]}]')}"
    return f"known here are {', '.join(own)}"


def _fields_of(section: str) -> set[str]:
    if section == "service":
        return {key for kind in KINDS.values() for key in kind.model_fields}
    return set() if section == "services" else set(_model((section,), {}).model_fields)


def _example(path: Path, raw: Mapping[str, Any]) -> str:
    field = _model(path[:-1], raw).model_fields[str(path[-1])]
    example = (field.examples or [""])[0]
    return f"add a line such as {path[-1]} = {shown(example)}"
