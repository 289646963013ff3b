"""The template of all hosts, in three cached layers: Debian, acmd's dependencies, acmd itself.

Each layer is a directory tree under the cache (``ACMD_BED_CACHE`` or ``~/.cache/acmd-bed``), named by the
hash of what it was made of, and is used as a lower layer of every host's overlay. A layer is built in a
directory of another name and renamed when complete, so a killed build leaves nothing that looks like a layer.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.debian import ImageError, build_base, run
from tests.hosts.recipe import Recipe

REPO = Path(__file__).resolve().parents[2]
VENV = "/opt/acmd/venv"

# How many layers of each kind the cache keeps; those of acmd are small and change with every edit.
KEPT = {"base": 3, "deps": 4, "acmd": 30, "nfs": 2, "disk": 2, "peers": 2, "deb": 3}

# What the repository asks for when it names nothing itself (no pyproject.toml yet).
FALLBACK_DEPENDENCIES = (
    "pydantic",
    "psutil",
    "sdnotify",
    "structlog",
    "PyMySQL",
    "rich",
    "dbus-fast",
    "ruamel.yaml",
)
TEST_DEPENDENCIES = ("pytest", "pytest-asyncio", "hypothesis")
LOCK_FILES = ("requirements/runtime.txt", "requirements/tests.txt")


@dataclass(frozen=True, slots=True)
class Template:
    """The lower layers of a host's root, topmost first, and whether acmd came from a built wheel."""

    lower: tuple[Path, ...]
    acmd_from_wheel: bool


def cache_dir() -> Path:
    """Where layers are kept between runs."""
    return Path(os.environ.get("ACMD_BED_CACHE") or Path.home() / ".cache" / "acmd-bed").resolve()


def build_template(repo: Path = REPO, recipe: Recipe | None = None) -> Template:
    """Return the template for `repo` as it is now; builds what the cache does not hold.

    Raises ImageError when a layer cannot be built. A wheel that cannot be built is not an error: acmd's
    sources are then copied, and `acmd_from_wheel` is False.
    """
    recipe = recipe or Recipe()
    base = _layer(f"base-{recipe.key()}", lambda target, log: build_base(recipe, target, log))
    wanted = _requirements(repo)
    deps_key = _hash((recipe.key(), *wanted))
    deps = _layer(f"deps-{deps_key}", lambda target, log: _build_deps(repo, base, target, log))
    acmd_key = _hash((deps_key, _tree_hash(repo)))
    acmd = _layer(f"acmd-{acmd_key}", lambda target, log: _build_acmd(repo, base, deps, target, log))
    return Template(lower=(acmd, deps, base), acmd_from_wheel=not (acmd / "opt/acmd/from-sources").exists())


def packages(repo: Path, build: Callable[[Path], None]) -> Path:
    """A directory with what `build` packs of `repo` as it is now; built when the cache does not hold it."""
    names = (
        "src",
        "packaging",
        "etc",
        "requirements",
        "tools",
        "docs",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
    )
    digest = hashlib.sha256()
    for name in names:
        place = repo / name
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(repo)).encode() + b"\0" + path.read_bytes() + b"\0")
    return _layer(f"deb-{digest.hexdigest()[:12]}", lambda target, _: build(target))


def _hash(parts: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _tree_hash(repo: Path) -> str:
    digest = hashlib.sha256()
    files = [repo / "pyproject.toml", *sorted((repo / "src").rglob("*"))]
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(".pyc"):
            digest.update(str(path.relative_to(repo)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _locks(repo: Path) -> list[Path]:
    return [repo / name for name in LOCK_FILES if (repo / name).exists()]


def _requirements(repo: Path) -> tuple[str, ...]:
    """What pip is asked for: the locked versions where locks exist, else pyproject's, plus what tests need
    inside.
    """
    pins: set[str] = set()
    for lock in _locks(repo):
        text = re.sub(r"\\\n|--hash=\S+", " ", lock.read_text())
        pins |= {line.split("#")[0].strip() for line in text.splitlines()}
    if pins:
        return tuple(sorted(pin for pin in pins if pin and not pin.startswith("-")))
    project = repo / "pyproject.toml"
    declared = (
        tomllib.loads(project.read_text()).get("project", {}).get("dependencies")
        if project.exists()
        else None
    )
    return (*sorted(declared if declared is not None else FALLBACK_DEPENDENCIES), *TEST_DEPENDENCIES)


def _layer(name: str, build: Callable[[Path, Path], None]) -> Path:
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    final = cache / name
    kind = name.partition("-")[0]
    with (cache / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if final.is_dir():
            os.utime(final)
            return final
        log = cache / f"{name}.log"
        partial = Path(tempfile.mkdtemp(prefix=f"partial-{name}-", dir=cache))
        partial.chmod(0o755)
        try:
            build(partial, log)
            partial.rename(final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _forget_old(cache, kind, keep=final)
    return final


def _forget_old(cache: Path, kind: str, keep: Path) -> None:
    """Keep the newest layers of a kind: one that another bed uses was touched when that bed began."""
    layers = sorted(cache.glob(f"{kind}-*/"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in layers[KEPT[kind] :]:
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)
            (cache / f"{old.name}.log").unlink(missing_ok=True)


@contextmanager
def _stacked(lower: list[Path], upper: Path) -> Iterator[str]:
    """A shell prelude (for `unshare -m`) that leaves the stacked tree at $root, `upper` taking what is
    written.
    """
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="work-") as scratch:
        root, work = Path(scratch, "root"), Path(scratch, "work")
        root.mkdir()
        work.mkdir()
        layers = ":".join(str(path) for path in lower)
        yield (
            f"set -eu; root={root}; "
            f"mount -t overlay overlay -o lowerdir={layers},upperdir={upper},workdir={work} $root; "
            "mount -t proc proc $root/proc; mkdir -p $root/wheels; "
        )


def _wheels(arguments: list[str], into: Path, log: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--wheel-dir", str(into), *arguments], log)


def _install(prelude: str, wheels: Path, arguments: list[str], log: Path, before: str = "") -> None:
    # pip's caches and the wheels stay outside of the layer; byte code is made now, once.
    script = (
        f"{prelude} mount --bind {wheels} $root/wheels; {before} "
        f"chroot $root env -i PATH=/usr/bin:/bin HOME=/root {VENV}/bin/python -m pip install -q --no-index "
        f"--no-cache-dir --disable-pip-version-check --find-links /wheels {' '.join(arguments)}"
    )
    run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], log)


def _build_deps(repo: Path, base: Path, target: Path, log: Path) -> None:
    wanted = _requirements(repo)
    # The locks themselves when there are any: then pip compares the hashes.
    locks = [word for lock in _locks(repo) for word in ("-r", str(lock))]
    with (
        tempfile.TemporaryDirectory(dir=cache_dir(), prefix="wheels-") as scratch,
        _stacked([base], target) as prelude,
    ):
        _wheels(locks or list(wanted), Path(scratch), log)
        Path(scratch, "wanted.txt").write_text("\n".join(wanted) + "\n")
        _install(
            prelude,
            Path(scratch),
            ["-r", "/wheels/wanted.txt"],
            log,
            before=f"chroot $root python3 -m venv {VENV};",
        )
    _drop_mountpoint(target)


def _build_acmd(repo: Path, base: Path, deps: Path, target: Path, log: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="wheels-") as scratch:
        copy = Path(scratch, "tree")
        copy.mkdir()
        for name in ("src", "pyproject.toml", "README.md", "LICENSE"):
            source = repo / name
            if source.is_dir():
                shutil.copytree(
                    source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
                )
            elif source.exists():
                shutil.copy(source, copy / name)
        wheels = Path(scratch, "wheels")
        wheels.mkdir()
        try:
            _wheels(["--no-deps", str(copy)], wheels, log)
        except ImageError:
            _copy_sources(copy, target)
            return
        with _stacked([deps, base], target) as prelude:
            _install(prelude, wheels, ["--no-deps", "acmd"], log)
    _drop_mountpoint(target)


def _copy_sources(tree: Path, target: Path) -> None:
    """While the project cannot be built as a wheel: its sources on the venv's path, and a mark that says
    so.
    """
    packages = target / "opt/acmd/venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    if (tree / "src/acmd").is_dir():
        shutil.copytree(tree / "src/acmd", packages / "acmd")
    (target / "opt/acmd/from-sources").write_text("acmd's wheel could not be built; these are its sources\n")


def _drop_mountpoint(layer: Path) -> None:
    (layer / "wheels").rmdir()
