"""Assignments of a bash file, read and never executed. What bash would have to compute is an error."""

from __future__ import annotations

import re

from acmd.errors import AcmdError

_ASSIGNMENT = re.compile(
    r"^[ \t]*(?:(?:export|readonly|declare|typeset)(?:[ \t]+-\w+)*[ \t]+)?"
    r"(?P<name>[A-Za-z_]\w*)(?P<plus>\+?)="
)
_END = " \t\n;&|"
_BLANK = " \t\r\n"
REMEDY = "write plain values there (quotes are fine), then run this again"


def assignments(file: str, text: str, wanted: frozenset[str]) -> dict[str, list[str]]:
    """The words last given to each wanted name; one word for a plain value, any number for an array.

    Raises AcmdError with file, line and name for a value that only bash could compute. The value itself is
    not shown: it may be a password.
    """
    found: dict[str, list[str]] = {}
    at = 0
    line = 1
    while at < len(text):
        match = _ASSIGNMENT.match(text[at:].split("\n", 1)[0])
        end = text.find("\n", at) + 1 or len(text)
        if match and match["name"] in wanted:
            reader = _Reader(file, text, at + match.end(), line, match["name"])
            words = reader.words()
            found[match["name"]] = [*found.get(match["name"], []), *words] if match["plus"] else words
            end = text.find("\n", reader.at) + 1 or len(text)
        line += text.count("\n", at, end)
        at = end
    return found


class _Reader:
    """Reads the value of one assignment."""

    def __init__(self, file: str, text: str, at: int, line: int, name: str) -> None:
        self._file, self._text, self.at, self._line, self._name = file, text, at, line, name

    def words(self) -> list[str]:
        """The words of an array, or the one word of a plain value."""
        if not self._text.startswith("(", self.at):
            return [self._word(_END)]
        self.at += 1
        words: list[str] = []
        while True:
            self._skip()
            if self.at >= len(self._text):
                raise self._error("has no closing parenthesis")
            if self._text[self.at] == ")":
                return words
            words.append(self._word(_BLANK + ")"))

    def _skip(self) -> None:
        while self.at < len(self._text):
            if self._text[self.at] == "#":
                self.at = self._text.find("\n", self.at) % (len(self._text) + 1)
            elif self._text[self.at] in _BLANK:
                self.at += 1
            else:
                return

    def _word(self, stops: str) -> str:
        word = ""
        while self.at < len(self._text) and (sign := self._text[self.at]) not in stops:
            self.at += 1
            if sign == "'":
                word += self._until("'")
            elif sign == '"':
                word += self._double()
            elif sign == "\\":
                word += self._text[self.at : self.at + 1].replace("\n", "")
                self.at += 1
            elif sign in "$`":
                raise self._error("is computed by the shell")
            elif sign in "(<>":
                raise self._error(f"holds {sign!r} without quotes")
            elif sign != "\r":
                word += sign
        return word

    def _until(self, quote: str) -> str:
        end = self._text.find(quote, self.at)
        if end < 0:
            raise self._error(f"has no closing {quote}")
        inside, self.at = self._text[self.at : end], end + 1
        return inside

    def _double(self) -> str:
        inside = ""
        while self.at < len(self._text):
            sign = self._text[self.at]
            self.at += 1
            if sign == '"':
                return inside
            if sign in "$`":
                raise self._error("is computed by the shell")
            if sign == "\\" and self._text[self.at : self.at + 1] in tuple('$`"\\\n'):
                inside += self._text[self.at].replace("\n", "")
                self.at += 1
            else:
                inside += sign
        raise self._error('has no closing "')

    def _error(self, what: str) -> AcmdError:
        return AcmdError(f"{self._file}, line {self._line}: {self._name} {what}", REMEDY)
