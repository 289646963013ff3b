"""Every locked dependency as wheels, for all supported Pythons at once, unpacked into one directory.

Compiled modules carry their Python in their name (`…cpython-311-x86_64-linux-gnu.so`), so that those of
several Pythons lie side by side, and one package serves all of them. Nothing is fetched at install time.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.pack.source import ROOT, PackError, run

LOCK = ROOT / "requirements" / "runtime.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# RHEL 9 has glibc 2.34, the oldest that is supported.
GLIBCS = ("2_34", "2_31", "2_28", "2_27", "2_26", "2_24", "2_17")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
HASHED = ("--no-deps", "--require-hashes", "-r")
_PURE = re.compile(r"-py3-none-any\.whl$|-py2\.py3-none-any\.whl$")
_DIFFERS_BY_PYTHON = ("RECORD", "WHEEL", "INSTALLER", "direct_url.json")


def machine() -> str:
    """This machine's architecture as uname(1) says it. Raises PackError for one without wheels."""
    name = platform.machine()
    if name not in MACHINES:
        raise PackError(f"no wheels are known for {name}; build on one of: {', '.join(MACHINES)}")
    return name


def wheels(cache: Path) -> list[Path]:
    """All wheels of the lock file, fetched once for each state of it."""
    key = hashlib.sha256(LOCK.read_bytes() + " ".join((*PYTHONS, machine())).encode()).hexdigest()[:12]
    kept = cache / f"wheels-{key}"
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            fetch(Path(scratch, "all"))
            try:
                Path(scratch, "all").rename(kept)
            except OSError:  # somebody else was faster
                if not kept.is_dir():
                    raise
    return sorted(kept.rglob("*.whl"))


def fetch(into: Path) -> None:
    """Fetch by the hashes of the lock file: what is pure Python, then what is compiled, for each Python."""
    with tempfile.TemporaryDirectory() as scratch:
        compiled = _fetch_pure(Path(scratch), into / "pure")
        wanted = Path(scratch, "compiled.txt")
        wanted.write_text(_lock_of(compiled), encoding="utf-8")
        for python in PYTHONS:
            _fetch_compiled(python, wanted, into / python)


def _fetch_pure(scratch: Path, into: Path) -> list[str]:
    """The names of the packages that are not pure. sdnotify comes as source and is built here."""
    into.mkdir(parents=True)
    constraint = {"PIP_BUILD_CONSTRAINT": str(ROOT / "requirements" / "all.txt")}
    run([*PIP, "wheel", "--wheel-dir", str(scratch), *HASHED, str(LOCK)], env=constraint)
    compiled = []
    for wheel in sorted(scratch.glob("*.whl")):
        if _PURE.search(wheel.name):
            shutil.move(wheel, into / wheel.name)
        else:
            compiled.append(wheel.name.partition("-")[0])
    return compiled


def _fetch_compiled(python: str, wanted: Path, into: Path) -> None:
    tag = "cp" + python.replace(".", "")
    options = ["--python-version", python, "--implementation", "cp", "--abi", tag, "--abi", "abi3"]
    for glibc in GLIBCS:
        options += ["--platform", f"manylinux_{glibc}_{machine()}"]
    options += ["--platform", f"manylinux2014_{machine()}", "--only-binary", ":all:"]
    run([*PIP, "download", "--dest", str(into), *options, *HASHED, str(wanted)])


def _lock_of(packages: list[str]) -> str:
    """The lock file's entries for these packages, hashes included."""
    names = {re.sub(r"[-_.]+", "-", package).lower() for package in packages}
    text = re.sub(r"^ *#.*\n", "", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    entries = re.findall(r"^[^\s#].*(?:\n[ \t]+.*)*", text, flags=re.MULTILINE)
    chosen = [entry for entry in entries if entry.partition("==")[0].lower() in names]
    if len(chosen) != len(names):
        raise PackError(f"{LOCK} does not have all of: {', '.join(sorted(names))}")
    return "\n".join(chosen) + "\n"


def unpack(all_wheels: list[Path], site: Path) -> None:
    """All wheels into `site`. Raises PackError where two of them disagree about a file."""
    site.mkdir(parents=True, exist_ok=True)
    for wheel in all_wheels:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                _place(archive, entry, site, wheel)


def _place(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, site: Path, wheel: Path) -> None:
    parts = Path(entry.filename).parts
    if entry.is_dir() or (parts[0].endswith(".dist-info") and parts[-1] in _DIFFERS_BY_PYTHON):
        return
    if ".." in parts or parts[0].startswith("/") or parts[0].endswith(".data"):
        raise PackError(f"{wheel.name}: {entry.filename} belongs outside of site-packages")
    target = site.joinpath(*parts)
    data = archive.read(entry)
    if target.exists() and target.read_bytes() != data:
        if not parts[0].endswith(".dist-info"):
            raise PackError(f"{wheel.name}: {entry.filename} differs from another wheel's")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    os.chmod(target, 0o644)
