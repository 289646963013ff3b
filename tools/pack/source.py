"""The source that is packed: its version, its time, and a copy that carries another version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION_FILE = "src/acmd/__init__.py"
COPIED = ("src", "docs", "etc", "packaging", "tests", "tools", "requirements")
COPIED_FILES = (
    "pyproject.toml",
    "Makefile",
    "tox.ini",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "LICENSE",
    ".gitignore",
)
STEP_LIMIT_S = 900
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


class PackError(Exception):
    """A package cannot be built; the message says why and what to do."""


def run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a step of a build. Raises PackError with its last words."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_LIMIT_S,
            check=False,
        )
    except FileNotFoundError:
        raise PackError(f"{command[0]} is not there; install it (Debian: dpkg, rpm)") from None
    if done.returncode != 0:
        words = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise PackError(f"{' '.join(command[:6])} … ended with {done.returncode}\n{words}")
    return done.stdout


def version(tree: Path = ROOT) -> str:
    """The version as the sources say it."""
    found = _VERSION.search((tree / VERSION_FILE).read_text(encoding="utf-8"))
    if found is None:
        raise PackError(f"{VERSION_FILE} has no line __version__ = …")
    return found[1]


def epoch() -> int:
    """Seconds since 1970 that every packed file is dated with: SOURCE_DATE_EPOCH, or the last commit.

    Raises PackError where there is neither.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    try:
        return int(run(["git", "log", "-1", "--format=%ct"], cwd=ROOT))
    except (PackError, ValueError):
        raise PackError("no git history to take the time from; set SOURCE_DATE_EPOCH=seconds") from None


def copy(target: Path, wanted: str | None) -> Path:
    """A copy of what is packed, with the `wanted` version written into it; nothing of caches."""
    junk = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", "cache", ".mypy_cache")
    target.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=junk, symlinks=True)
    for name in COPIED_FILES:
        shutil.copy2(ROOT / name, target / name)
    if wanted is not None:
        file = target / VERSION_FILE
        text = _VERSION.sub(f'__version__ = "{wanted}"', file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")
    return target


def build(tree: Path, out: Path, *kinds: str) -> list[Path]:
    """Wheel and sdist (`kinds`) of `tree` into `out`; the same bytes for the same tree and time."""
    out.mkdir(parents=True, exist_ok=True)
    wanted = [word for kind in kinds for word in ("-t", kind)]
    command = [sys.executable, "-m", "hatchling", "build", *wanted, "-d", str(out)]
    # Hatchling says what it wrote on standard error or output, depending on its version: look instead.
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    run(command, cwd=tree, env={"SOURCE_DATE_EPOCH": str(epoch())})
    return sorted(path for path in out.iterdir() if before.get(path) != path.stat().st_mtime_ns)
