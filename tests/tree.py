"""Which files belong to the project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NOT_OURS = {".git", ".venv", ".tox", ".hypothesis", "__pycache__", "build", "dist", "htmlcov"}


def tracked() -> list[Path]:
    """Every file under version control; without git, or in an unpacked archive, every file that looks so."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        # safe.directory: a checkout of another owner (CI in a container) is still this project.
        git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
        listing = subprocess.run(git, check=True, capture_output=True, text=True).stdout
        paths = [ROOT / name for name in listing.split("\0") if name]
        return sorted(path for path in paths if path.is_file())
    everything = (path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sorted(p for p in everything if not _NOT_OURS.intersection(p.relative_to(ROOT).parts))
