"""`python -m acmd.config.generate [DIRECTORY]` writes what is generated from the schema into a checkout.

Without a directory: into the checkout that this module is in. Prints what it changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from acmd.config.manual import commented_file, reference_page


def generated() -> dict[str, str]:
    """Paths in the repository and what belongs there."""
    return {"etc/acmd/acmd.toml": commented_file(), "docs/configuration.md": reference_page()}


def main(arguments: list[str]) -> int:
    """Write the files that differ."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[3]
    for name, text in generated().items():
        path = root / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
