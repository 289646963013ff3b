"""Expected operating errors: each says what happened and what the operator can do.

Anything else that is raised is a broken invariant and is meant to end the process:
crashing is the safe direction, since the dead man's switch then decides.
"""

from __future__ import annotations


class AcmdError(Exception):
    """An expected error with a remedy.

    `what` says what happened, in one sentence; `remedy` says what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}\n  -> {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy


class UsageError(AcmdError):
    """The command line cannot be understood (exit code 64, EX_USAGE of sysexits.h)."""

    exit_code = 64


class ConfigError(AcmdError):
    """The configuration is refused; nothing was changed."""


class TimingError(AcmdError):
    """Timing values that break an inequality of the protocol; `what` shows the arithmetic."""


class IllegalTransition(RuntimeError):
    """A role change that the table in `core.state` does not allow: a bug, never an operating error."""
