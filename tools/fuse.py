"""Install the lock file's pyfuse3 into the running environment where it can be compiled, or say why not.

The fault-injecting file system of the tests needs it; without it those tests skip and name what they miss.
A missing compiler or header is no error here: `make test` must work on a machine with Python and make alone.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "fuse.txt"
STAMP = Path(sys.prefix) / ".fuse-lock"


def missing() -> list[str]:
    """What this machine lacks, as Debian's package names."""
    lacks = []
    if shutil.which("gcc") is None:
        lacks.append("gcc")
    if shutil.which("pkg-config") is None:
        lacks.append("pkg-config")
    elif subprocess.run(["pkg-config", "--exists", "fuse3"], check=False).returncode != 0:
        lacks.append("libfuse3-dev")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        lacks.append("python3-dev")
    if shutil.which("fusermount3") is None:
        lacks.append("fuse3")
    return lacks


def main() -> int:
    """Install once per version of the lock file; 0 also when the machine cannot."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return 0
    lacks = missing()
    if lacks:
        print(f"tests on the fault-injecting file system will be skipped; they need: {' '.join(lacks)}")
        return 0
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--require-hashes", "--requirement", str(LOCK)]
    done = subprocess.run(pip, check=False)
    if done.returncode == 0:
        STAMP.write_text(wanted)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
