"""Warnings of a status and the exit code that follows: what commands take from `acmd.display`."""

from __future__ import annotations

from acmd.display.document import exit_code
from acmd.display.findings import warnings_of
from acmd.display.words import ALARM, NOT_RUNNING_ROLE, NOTE, WARN, Finding, ago, fault_in_words, marked

__all__ = [
    "ALARM",
    "NOTE",
    "NOT_RUNNING_ROLE",
    "WARN",
    "Finding",
    "ago",
    "exit_code",
    "fault_in_words",
    "marked",
    "warnings_of",
]
