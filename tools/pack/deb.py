"""`make deb`: the Debian package, by dpkg-deb, the same bytes for the same sources and time."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from tools.pack import source, tree, vendor

SCRIPTS = ("postinst", "prerm", "postrm")
MAINTAINERS = "packaging/deb"


def debian_version(version: str) -> str:
    """`0.2.0.dev3` and `0.2.0rc1` come before `0.2.0`: dpkg's `~` does that."""
    for mark in (".dev", "rc", "b", "a"):
        if mark in version:
            return version.replace(mark, "~" + mark.lstrip("."), 1) + "-1"
    return version + "-1"


def build(out: Path, cache: Path, version: str | None = None, *, quick: bool = False) -> Path:
    """Build the package of this checkout, as another `version` if wanted. Raises PackError."""
    with tempfile.TemporaryDirectory(prefix="acmd-deb-") as scratch:
        copy = source.copy(Path(scratch, "tree"), version)
        root = Path(scratch, "root")
        tree.stage(copy, root, "deb", cache)
        full = debian_version(source.version(copy))
        architecture = vendor.MACHINES[vendor.machine()]
        _control(copy, root, full, architecture)
        out.mkdir(parents=True, exist_ok=True)
        package = out / f"acmd_{full}_{architecture}.deb"
        packing = ["-Zgzip", "-z1"] if quick else ["-Zxz", "-z6"]
        command = ["dpkg-deb", "--root-owner-group", *packing, "--build", str(root), str(package)]
        source.run(command, env={"SOURCE_DATE_EPOCH": str(source.epoch())})
        return package


def _control(copy: Path, root: Path, version: str, architecture: str) -> None:
    control = root / "DEBIAN"
    sums, size = _sums(root)
    control.mkdir()
    text = (copy / MAINTAINERS / "control").read_text(encoding="utf-8")
    for name, value in (("VERSION", version), ("ARCHITECTURE", architecture), ("SIZE", str(size // 1024))):
        text = text.replace(f"@{name}@", value)
    (control / "control").write_text(text, encoding="utf-8")
    (control / "md5sums").write_text(sums, encoding="utf-8")
    (control / "conffiles").write_text("".join(f"{name}\n" for name in tree.CONFIG_FILES), encoding="utf-8")
    for name in SCRIPTS:
        shutil.copyfile(copy / MAINTAINERS / name, control / name)
        (control / name).chmod(0o755)
    for path in (control, *control.iterdir()):
        os.utime(path, (source.epoch(),) * 2)


def _sums(root: Path) -> tuple[str, int]:
    lines, size = [], 0
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            size += len(data)
            name = path.relative_to(root)
            if f"/{name}" not in tree.CONFIG_FILES:
                lines.append(f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {name}\n")
    return "".join(lines), size
