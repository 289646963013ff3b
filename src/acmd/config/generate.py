"""`python -m acmd.config.generate [DIRECTORY]` writes what is generated from the schema into a checkout.

Without a directory: into the checkout that this module is in. Prints what it changed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from acmd.config.manual import commented_file, reference_page


def generated() -> dict[str, str]:
    """Paths in the repository and what belongs there."""
    return {"etc/acmd/acmd.toml": commented_file(), "docs/configuration.md": reference_page()}


def write(files: Mapping[str, str], arguments: list[str]) -> int:
    """Write those that differ into a checkout: the one given, or the one that this module is in."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[3]
    for name, text in files.items():
        path = root / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(write(generated(), sys.argv[1:]))
