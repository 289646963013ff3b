"""`python -m tools.pack KIND [--out DIR] [--as VERSION] [--cache DIR]`: builds, and says what it built."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tools.pack import deb, rpm, source


def main() -> int:
    """0, or 1 with a message."""
    parser = argparse.ArgumentParser(prog="python -m tools.pack", description=__doc__)
    parser.add_argument("kind", choices=["dist", "deb", "rpm"])
    parser.add_argument("--out", type=Path, default=source.ROOT / "dist", help="where packages go (dist)")
    parser.add_argument("--as", dest="version", help="pack it as this version (tests of upgrades)")
    parser.add_argument("--cache", type=Path, default=source.ROOT / "build", help="for wheels (build)")
    parser.add_argument("--quick", action="store_true", help="weak compression, for tests")
    args = parser.parse_args()
    try:
        built = _build(args)
    except source.PackError as error:
        print(f"pack: {error}", file=sys.stderr)
        return 1
    for package in built:
        print(package)
    return 0


def _build(args: argparse.Namespace) -> list[Path]:
    if args.kind == "dist":
        with tempfile.TemporaryDirectory(prefix="acmd-dist-") as scratch:
            tree = source.copy(Path(scratch, "tree"), args.version)
            return source.build(tree, args.out, "wheel", "sdist")
    builder = deb if args.kind == "deb" else rpm
    return [builder.build(args.out, args.cache, args.version, quick=args.quick)]


if __name__ == "__main__":
    sys.exit(main())
