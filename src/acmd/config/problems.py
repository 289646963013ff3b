"""A refused configuration: one line for each problem, with file, line, key, value and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acmd.config import secret
from acmd.config.positions import Path
from acmd.config.secret import MASK
from acmd.errors import ConfigError

_OPTION = re.compile(r"(-{0,2}[^=\s]*)=(.*)", re.DOTALL)
_LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or with `warning` one that may be. Texts are single lines.

    `unavailable`: the storage may just not be there yet. A daemon waits for it rather than refusing to start.
    """

    what: str
    remedy: str
    key: str = ""
    value: str = ""
    line: int | None = None
    warning: bool = False
    unavailable: bool = False

    def text(self, file: str) -> str:
        """`FILE:LINE: key = value: what; remedy`, without the parts that are not known."""
        place = file if self.line is None else f"{file}:{self.line}"
        subject = f"{self.key} = {self.value}: " if self.value else f"{self.key}: " if self.key else ""
        return (
            f"{place}: {subject}{self.what}; {self.remedy}"
            if self.remedy
            else f"{place}: {subject}{self.what}"
        )

    def plain(self) -> dict[str, Any]:
        """For JSON; `Problem(**plain)` gives it back."""
        return {name: getattr(self, name) for name in self.__slots__}


class ConfigRefused(ConfigError):
    """The configuration is refused; `problems` holds all that was found, one at least."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        lines = [problem.text(file) for problem in problems]
        if len(lines) > 1:
            lines.insert(0, f"{file} has {len(problems)} mistakes:")
        super().__init__("\n".join(lines))
        self.file = file
        self.problems = tuple(problems)


def dotted(path: Path, raw: Mapping[str, Any]) -> str:
    """A path as people write it: `timing.heartbeat_s`, `service["web"].command[0]`."""
    text = ""
    here: Any = raw
    for part in path:
        here = _step(here, part)
        if isinstance(part, str):
            part_text = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part)
            text += f".{part_text}" if text else part_text
        elif isinstance(here, dict):
            name = here.get("name")
            text += f"[{json.dumps(name)}]" if isinstance(name, str) else f"[{part}]"
        else:
            text += f"[{part}]"
    return text


def value_at(path: Path, raw: Any) -> Any:
    """What the file says at a path, or None."""
    for part in path:
        raw = _step(raw, part)
    return raw


def _step(here: Any, part: str | int) -> Any:
    if isinstance(here, dict):
        return here.get(str(part))
    if isinstance(here, list) and isinstance(part, int) and part < len(here):
        return here[part]
    return None


def shown(value: Any, path: Path = ()) -> str:
    """A value as the file would say it, secrets masked, on one line and not too long."""
    text = toml(masked(value, path))
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 4]} ..."


def masked(value: Any, path: Path = ()) -> Any:
    """The value with what looks like a secret replaced: by a key's name, or by an argument's."""
    if isinstance(value, dict):
        return {key: masked(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return _masked_list(value, path)
    if path and value != "" and not isinstance(value, bool):
        in_a_file = len(path) > 1 and path[-2] == "parameter_files"
        if secret.named(str(path[-1])) and not in_a_file:
            return MASK
    return secret.in_text(value) if isinstance(value, str) else value


def _masked_list(values: list[Any], path: Path) -> list[Any]:
    result: list[Any] = []
    hide_next = False
    for number, value in enumerate(values):
        item = MASK if hide_next else masked(value, (*path, number))
        hide_next = False
        if isinstance(item, str) and item.startswith("-") and secret.telling(item.partition("=")[0]):
            hide_next = "=" not in item
        match = _OPTION.fullmatch(item) if isinstance(item, str) else None
        if match and secret.telling(match[1]):
            item = f"{match[1]}={MASK}"
        if isinstance(item, str) and item.startswith("-p") and secret.of_mysql(values[0]):
            item = f"-p{MASK}"
        result.append(item)
    return result


def toml(value: Any) -> str:
    """A plain value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {toml(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return str(value)  # dates and times, which no option takes


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml(key)
