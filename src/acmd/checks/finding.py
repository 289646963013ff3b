"""What a check comes to: one line for people, the remedy, and where it is safe a way to mend it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acmd.checks.subject import Subject


class Level(StrEnum):
    """In the words of ACM's own check, and WARN for what may be meant so or cannot be known."""

    OK = "OK"
    WARN = "WARN"
    KO = "KO"


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that `--fix` offers: a file's content, a command, or a command once the file is written."""

    command: tuple[str, ...] = ()
    file: str = ""
    before: str | None = None  # what the file holds; None: it is not there
    after: str = ""
    proof: tuple[str, ...] = ()  # has to succeed with the new file, or the old one is put back
    question: str = ""  # only a person can answer it: `--yes` does not

    @property
    def shown(self) -> str:
        """As a person would type it."""
        return shlex.join(self.command)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. A remedy is there whenever the level is not OK."""

    level: Level
    what: str
    remedy: str = ""
    fix: Fix | None = None


def ok(what: str) -> Finding:
    """Fine."""
    return Finding(Level.OK, what)


def warn(what: str, remedy: str, fix: Fix | None = None) -> Finding:
    """May be meant so, or cannot be known."""
    return Finding(Level.WARN, what, remedy, fix)


def ko(what: str, remedy: str, fix: Fix | None = None) -> Finding:
    """Has to be mended."""
    return Finding(Level.KO, what, remedy, fix)


class Silent(Exception):
    """Something that a check asks did not answer in time: that is what the check says then, as a KO."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `run` gives one finding or more; nothing at all means that it does not apply here."""

    id: str
    group: str
    about: str  # one sentence for the manual: what is looked at and why it matters
    run: Callable[[Subject], Iterable[Finding]]
    configured: bool = True  # needs a configuration; those that do not also run with --pre-install


def all_or(findings: list[Finding], fine: str) -> list[Finding]:
    """The findings, or one line that says that all is well."""
    return findings or [ok(fine)]
