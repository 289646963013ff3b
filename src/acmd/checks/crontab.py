"""Which lines of a crontab start ACM, and a crontab without them."""

from __future__ import annotations

import re

MARKER = "#acmd-migrate# "  # `acmd migrate --undo` puts the file back by its own copy, not by this
CHECK_MARKER = "#acmd-check# "
PROGRAM = re.compile(r"(?P<program>[^\s'\"]*\bacm4orchestrator)['\"]?(?P<rest>[^\n>|&;]*)")


def starts_acm(line: str) -> bool:
    """Whether a line of a crontab starts ACM."""
    return not line.lstrip().startswith("#") and PROGRAM.search(line) is not None


def commented(text: str, marker: str = MARKER) -> str:
    """A crontab in which no line starts ACM any more; nothing else is changed."""
    return "\n".join(marker + line if starts_acm(line) else line for line in text.split("\n"))
