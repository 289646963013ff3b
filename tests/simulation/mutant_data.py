"""All mutants of the protocol page, in its order."""

from __future__ import annotations

from tests.simulation.mutant import Mutant
from tests.simulation.mutants_first import FIRST
from tests.simulation.mutants_second import SECOND

MUTANTS = FIRST + SECOND

__all__ = ["MUTANTS", "Mutant"]
