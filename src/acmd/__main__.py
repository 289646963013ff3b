"""`python -m acmd` is the command `acmd`."""

from __future__ import annotations

import sys

from acmd.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
