"""What a mutant is. A rule with a second line of defence is broken in both places."""

from __future__ import annotations

from typing import NamedTuple

OBSERVING, RENEWAL, CLAIMING = "core/observing.py", "core/renewal.py", "core/claiming.py"
HOLDING, ELECTION, TURN, TIMING = "core/holding.py", "core/election.py", "core/turn.py", "core/timing.py"
SWITCH = "guard/switch.py"


class Mutant(NamedTuple):
    """`edits`: file below src/acmd, the exact old text, the new one."""

    name: str
    focus: str
    edits: tuple[tuple[str, str, str], ...]
