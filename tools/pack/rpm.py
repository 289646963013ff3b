"""`make rpm`: the package for RHEL-like systems, by rpmbuild, which Debian has too (package rpm)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tools.pack import source, tree, vendor

SPEC = "packaging/rpm/acmd.spec"
OWN_BELOW = ("/opt/acmd", "/etc/acmd", "/usr/share/acmd", "/usr/share/doc/acmd")


def rpm_version(version: str) -> str:
    """As for Debian: rpm sorts `~` before the end too."""
    for mark in (".dev", "rc", "b", "a"):
        if mark in version:
            return version.replace(mark, "~" + mark.lstrip("."), 1)
    return version


def build(out: Path, cache: Path, version: str | None = None, *, quick: bool = False) -> Path:
    """Build the package of this checkout, as another `version` if wanted. Raises PackError."""
    with tempfile.TemporaryDirectory(prefix="acmd-rpm-") as scratch:
        copy = source.copy(Path(scratch, "tree"), version)
        root, top, files = Path(scratch, "root"), Path(scratch, "top"), Path(scratch, "files")
        tree.stage(copy, root, "rpm", cache)
        files.write_text("".join(f"{line}\n" for line in _files(root)), encoding="utf-8")
        defines = {
            "_topdir": str(top),
            "_rpmdir": str(top / "out"),
            "acmd_version": rpm_version(source.version(copy)),
            "acmd_root": str(root),
            "acmd_files": str(files),
            "_binary_payload": "w1.gzdio" if quick else "w6.xzdio",
        }
        words = [word for name, value in defines.items() for word in ("--define", f"{name} {value}")]
        command = ["rpmbuild", "-bb", "--nodeps", "--target", f"{vendor.machine()}-linux", *words]
        source.run([*command, str(copy / SPEC)], env={"SOURCE_DATE_EPOCH": str(source.epoch())})
        (built,) = top.glob("out/**/*.rpm")
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(built, out / built.name))


def _files(root: Path) -> list[str]:
    """The %files list: everything that was laid out, own directories too, all of root's."""
    lines = ["%defattr(-,root,root,-)"]
    for path in sorted(root.rglob("*")):
        name = f"/{path.relative_to(root)}"
        quoted = f'"{name}"'
        if path.is_dir() and not path.is_symlink():
            if name.startswith(OWN_BELOW):
                lines.append(f"%dir {quoted}")
        elif name in tree.CONFIG_FILES:
            lines.append(f"%config(noreplace) {quoted}")
        elif name.startswith("/usr/share/doc/"):
            lines.append(f"%doc {quoted}")
        else:
            lines.append(quoted)
    return lines
