"""The files of a package as they lie on a host, without the interpreter's link: that is made at install time.

/opt/acmd/venv         an environment of its own: acmd, its dependencies, bin/acmd, bin/acmctl
/opt/acmd/libexec      what both packages' scriptlets call
/usr/bin               links to bin/acmd, bin/acmctl
/usr/lib/{systemd,sysusers.d,tmpfiles.d}, /etc/rsyslog.d, /usr/share/{acmd,doc,man,…}
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from pathlib import Path

from tools.pack import source, vendor

VENV = "opt/acmd/venv"
SITE = f"{VENV}/lib/python3/site-packages"
COMMANDS = {"acmd": "acmd.cli.main", "acmctl": "acmd.cli.acmctl"}
CONFIG_FILES = ("/etc/rsyslog.d/acmd.conf",)
SCRIPT = """#!/opt/acmd/venv/bin/python -I
import sys

from {module} import main

sys.exit(main())
"""
PYVENV = "home = /usr/bin\ninclude-system-site-packages = false\n"
# Where completions go, by shell; zsh has another place in each distribution.
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions",
    "fish": "usr/share/fish/vendor_completions.d",
}
ZSH = {"deb": "usr/share/zsh/vendor-completions", "rpm": "usr/share/zsh/site-functions"}


def stage(tree: Path, root: Path, kind: str, cache: Path) -> None:
    """Lay out `tree` (a copy of the sources) below `root` for a package of `kind`, deb or rpm."""
    with tempfile.TemporaryDirectory() as scratch:
        (wheel,) = source.build(tree, Path(scratch), "wheel")
        vendor.unpack([*vendor.wheels(cache), wheel], root / SITE)
    _environment(tree, root)
    _systemd(tree, root)
    _documents(tree, root)
    _completions(tree / "packaging/completions", root, kind)
    _put(tree / "etc/rsyslog.d/acmd.conf", root / "etc/rsyslog.d/acmd.conf")
    for file in sorted((tree / "etc/logrotate.d").iterdir()):
        _put(file, root / "usr/share/acmd/logrotate.d" / file.name)
    (root / "etc/acmd").mkdir(parents=True)
    _settle(root)
    # It may hold credentials.
    (root / "etc/acmd").chmod(0o750)


def _environment(tree: Path, root: Path) -> None:
    venv = root / VENV
    _write(venv / "pyvenv.cfg", PYVENV)
    for python in vendor.PYTHONS:
        (venv / f"lib/python{python}").symlink_to("python3")
    for command, module in COMMANDS.items():
        if (root / SITE / (module.replace(".", "/") + ".py")).exists():
            _write(venv / "bin" / command, SCRIPT.format(module=module), 0o755)
            (root / "usr/bin").mkdir(parents=True, exist_ok=True)
            (root / "usr/bin" / command).symlink_to(f"/{VENV}/bin/{command}")
    _put(tree / "packaging/scriptlets/package-step", root / "opt/acmd/libexec/package-step", 0o755)


def _systemd(tree: Path, root: Path) -> None:
    for unit in sorted((tree / "packaging/systemd").iterdir()):
        _put(unit, root / "usr/lib/systemd/system" / unit.name)
    for kind in ("sysusers.d", "tmpfiles.d"):
        _put(tree / "packaging" / kind / "acmd.conf", root / "usr/lib" / kind / "acmd.conf")


def _documents(tree: Path, root: Path) -> None:
    documents = root / "usr/share/doc/acmd"
    _put(tree / "LICENSE", documents / "copyright")
    _put(tree / "README.md", documents / "README.md")
    _compress(tree / "CHANGELOG.md", documents / "changelog.gz")
    _put(tree / "etc/acmd/acmd.toml", documents / "examples/acmd.toml")
    # Also where a host drops /usr/share/doc: what `acmd setup` and people start from.
    _put(tree / "etc/acmd/acmd.toml", root / "usr/share/acmd/acmd.toml")
    for page in sorted((tree / "docs").glob("*.md")):
        _put(page, documents / "docs" / page.name)
    for page in sorted((tree / "docs/man").glob("*.[1-8]")) if (tree / "docs/man").is_dir() else ():
        _compress(page, root / f"usr/share/man/man{page.suffix[1:]}" / f"{page.name}.gz")


def _completions(made: Path, root: Path, kind: str) -> None:
    """packaging/completions holds COMMAND.bash, COMMAND.fish and _COMMAND (zsh), as far as they are there."""
    for file in sorted(made.iterdir()) if made.is_dir() else ():
        shell = file.suffix[1:]
        if shell in COMPLETIONS:
            name = file.stem if shell == "bash" else file.name
            _put(file, root / COMPLETIONS[shell] / name)
        elif file.name.startswith("_") or shell == "zsh":
            _put(file, root / ZSH[kind] / ("_" + file.stem.lstrip("_")))


def _put(file: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    target.chmod(mode)


def _write(target: Path, text: str, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)


def _compress(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(file.read_bytes(), mtime=0))
    target.chmod(0o644)


def _settle(root: Path) -> None:
    """The same modes and times wherever and whenever it was built."""
    for directory, _, files in os.walk(root):
        for name in files:
            os.utime(Path(directory, name), (source.epoch(),) * 2, follow_symlinks=False)
        Path(directory).chmod(0o755)
    for directory, _, _ in os.walk(root, topdown=False):
        os.utime(directory, (source.epoch(),) * 2)
