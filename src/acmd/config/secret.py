"""What looks like a secret: by the name of an option, or in the middle of a text.

Nothing can tell every secret, so rather too much is taken away: what a telling name is set to, passwords
in addresses, what follows `Bearer`, what a chat's address ends with, a password glued to `-p` of MySQL.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "********"
_WORDS = r"passw|passphrase|pwd|secret|token|credential|api[-_]?key|private[-_]?key"
_NAME = re.compile(rf"{_WORDS}|pass", re.IGNORECASE)
_FILE = re.compile(r"files?$|path$|dir$", re.IGNORECASE)
_LOGIN = re.compile(r"(://[^/@\s:'\"]*):[^/@\s'\"]+@")
_AUTHORIZATION = re.compile(r"\b(Bearer|Basic)(\s+)[^\s'\"]+", re.IGNORECASE)
_POSTED_TO = re.compile(r"(https?://[^/\s'\"]+/)(?=[^\s'\"]*(?:hook|services/|[\w-]{24}))[^\s'\"]+")
_GLUED = re.compile(r"((?:mysql|mariadb)[^\n]*?[\s'\"]-p)[^\s'\",]+")
_SET = re.compile(
    rf"(?P<name>[\w-]*(?:{_WORDS})[\w-]*)(?P<sets>['\"]?\s*[=:]\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;'\"]+)",
    re.IGNORECASE,
)
_OPTION = re.compile(
    rf"(?P<name>--?[\w-]*(?:{_WORDS})[\w-]*)(?P<sets>['\",]*\s+['\"]*)(?P<value>[^\s,;'\"-][^\s,;'\"]*)"
)


def named(name: str) -> bool:
    """Whether an option of this name holds a secret itself, rather than the name of a file that does."""
    return bool(_NAME.search(name)) and not _FILE.search(name)


def telling(name: str) -> bool:
    """Whether it speaks of a secret, or of a file that holds one."""
    return bool(_NAME.search(name))


def of_mysql(program: object) -> bool:
    """Whether it is one of MySQL's clients, which take a password glued to `-p`."""
    return isinstance(program, str) and bool(re.search(r"(mysql|mariadb)[\w-]*$", program))


def in_text(text: str) -> str:
    """Without passwords in addresses, what follows `Bearer` or `Basic`, what a chat's address ends with."""
    text = _LOGIN.sub(rf"\1:{MASK}@", text)
    return _POSTED_TO.sub(rf"\1{MASK}", _AUTHORIZATION.sub(rf"\1\2{MASK}", text))


def scrubbed(text: str) -> str:
    """Any text, for other people's eyes: command lines, units, logs, configurations."""
    text = _GLUED.sub(rf"\1{MASK}", in_text(text))
    return _OPTION.sub(_hidden, _SET.sub(_hidden, text))


def _hidden(found: re.Match[str]) -> str:
    return found[0] if _FILE.search(found["name"]) else f"{found['name']}{found['sets']}{MASK}"
