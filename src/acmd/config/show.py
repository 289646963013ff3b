"""The effective configuration with the origin of each value, secrets masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.config.load import Loaded
from acmd.config.positions import Path, line_of
from acmd.config.problems import dotted, masked, toml, value_at

FREE = {"environment", "parameters", "parameter_files"}  # tables whose keys are the operator's


def _leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Each option's path; lists of plain values and tables of free names are one option."""
    if isinstance(value, Mapping) and not (path and path[-1] in FREE):
        # Tables last: what follows a table's header in TOML belongs to it.
        for key, item in sorted(value.items(), key=lambda entry: bool(path) and _is_table(entry)):
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and value and path[-1] in {"service", "probe", "hook"}:
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    elif path not in {("service",), ("hook",)}:
        yield path


def _is_table(entry: tuple[str, Any]) -> bool:
    return (isinstance(entry[1], Mapping) and entry[0] not in FREE) or (
        entry[0] == "probe" and bool(entry[1])
    )


def _given(path: Path, raw: Any) -> bool:
    return value_at(path, raw) is not None


def origin(path: Path, loaded: Loaded) -> tuple[str, int | None]:
    """Where a value comes from: "file" with its line, "default", or what it was computed from."""
    if path in loaded.origins:
        return loaded.origins[path], None
    if _given(path, loaded.raw):
        return "file", line_of(path, loaded.lines)
    return "default", None


def as_plain(loaded: Loaded) -> dict[str, Any]:
    """For JSON: each option's dotted name with value, from and line."""
    found = {}
    for path in _leaves(loaded.tree):
        source, line = origin(path, loaded)
        found[dotted(path, loaded.tree)] = {
            "value": masked(value_at(path, loaded.tree), path),
            "from": source,
            "line": line,
        }
    return {"file": loaded.file, "options": found}


def as_text(loaded: Loaded) -> str:
    """TOML that means the same as the file, except for masked secrets; origins are comments."""
    lines = [f"# effective configuration, from {loaded.file}"]
    last: Path = ()
    for path in _leaves(loaded.tree):
        wanted = _header(path)
        table = path[:-1]
        if wanted and table != last:
            lines += ["", wanted]
            last = table
        value = value_at(path, loaded.tree)
        source, line = origin(path, loaded)
        comment = f"line {line}" if source == "file" else source
        if value is None:
            lines.append(f"# {path[-1]} is not set")
        else:
            lines.append(f"{f'{path[-1]} = {toml(masked(value, path))}':<44}  # {comment}")
    return "\n".join(lines) + "\n"


def _header(path: Path) -> str:
    if len(path) == 1:
        return ""
    if path[0] == "hook":
        return "[[hook]]"
    if path[0] != "service":
        return f"[{path[0]}]"
    if len(path) == 3:
        return "[[service]]"
    return "[[service.probe]]" if path[2] == "probe" else f"[service.{path[2]}]"
