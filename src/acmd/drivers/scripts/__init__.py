"""Services that are kept by scripts with actions and exit codes: `ocf` agents and `sysv` init scripts.

One driver, because both are run by `program` in the same way.
"""

from acmd.drivers.scripts.program import Ended, run_program

__all__ = ["Ended", "run_program"]
