"""On which line of a TOML text each key stands. For messages only: tomllib has accepted the text before."""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(
    r"""[ \t]*(?:(?P<bare>[A-Za-z0-9_-]+)|"(?P<basic>(?:[^"\\]|\\.)*)"|'(?P<literal>[^']*)')[ \t]*"""
)
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""+|' + r"'''.*?'''+|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'", re.DOTALL
)
_PLAIN = re.compile(r"""[^\[\]{},"'#\n]+""")


def positions(text: str) -> dict[Path, int]:
    """Paths of keys, tables and elements of lists, each with its line, counted from 1."""
    scan = _Scan(text)
    while scan.statement():
        pass
    return scan.lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """The line of a path, or of the nearest thing that holds it; None when that is the whole file."""
    while path:
        if path in lines:
            return lines[path]
        if (*path, 0) in lines:  # an array of tables begins with its first one
            return lines[*path, 0]
        path = path[:-1]
    return None


class _Scan:
    """One pass over the text: statements only, values are skipped."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.prefix: Path = ()
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}  # arrays of tables, with the index of the last one

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def statement(self) -> bool:
        """Take one header or one `key = value`; False at the end of the text."""
        self.blank()
        if self.at >= len(self.text):
            return False
        line = self.line()
        if self.text.startswith("[[", self.at):
            path = self.existing(self.keys(self.at + 2), array=True)
            self.prefix = path
        elif self.text.startswith("[", self.at):
            self.prefix = path = self.existing(self.keys(self.at + 1))
        else:
            path = (*self.prefix, *self.keys(self.at))
            self.lines.setdefault(path, line)
            self.at += 1  # the equals sign
            self.value(path)
            return True
        self.lines.setdefault(path, line)
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end
        return True

    def keys(self, at: int) -> tuple[str, ...]:
        """A dotted key that begins at `at`; leaves the position after it."""
        found: list[str] = []
        while match := _KEY.match(self.text, at):
            found.append(next(part for part in match.groups() if part is not None))
            at = match.end()
            if not self.text.startswith(".", at):
                break
            at += 1
        self.at = max(at, self.at + 1)
        return tuple(found)

    def existing(self, keys: tuple[str, ...], *, array: bool = False) -> Path:
        """A header's path, with the index of the last element in each array of tables on the way."""
        path: Path = ()
        for number, key in enumerate(keys):
            path = (*path, key)
            if array and number == len(keys) - 1:
                self.counts[path] = self.counts.get(path, -1) + 1
            if path in self.counts:
                path = (*path, self.counts[path])
        return path

    def value(self, path: Path) -> None:
        """Skip a value; note where the elements of an outer list begin."""
        depth, index, fresh = 0, 0, False
        opening = ""
        while self.at < len(self.text):
            if depth:
                self.blank()
            char = self.text[self.at : self.at + 1]
            if depth == 1 and opening == "[" and fresh and char not in {"]", ""}:
                self.lines.setdefault((*path, index), self.line())
                fresh = False
            if not depth and char in {"\n", "#", ""}:
                return
            if char in {"[", "{"}:
                depth += 1
                if depth == 1:
                    opening, fresh = char, True
            elif char in {"]", "}"}:
                depth -= 1
            elif char == "," and depth == 1:
                index, fresh = index + 1, True
            match = _STRING.match(self.text, self.at) or _PLAIN.match(self.text, self.at)
            self.at = match.end() if match else self.at + 1
