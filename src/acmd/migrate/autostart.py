"""Autostart of the services: off, and back as it was, link by link."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from acmd.config.presets import PRESETS
from acmd.errors import AcmdError
from acmd.migrate.originals import Originals, remove

LIMIT_S = 60.0
NOTE = "links"
_PLACES = ("etc/systemd/system", *(f"etc/rc{level}.d" for level in "0123456S"), "etc/rc.d")


def units(services: tuple[str, ...]) -> list[str]:
    """The units of the presets."""
    return [unit for name in services for unit in PRESETS[name]["unit"]]


def links(root: Path, names: list[str]) -> dict[str, str]:
    """Each link that starts one of them at boot, and where it leads."""
    scripts = "|".join(re.escape(name.removesuffix(".service")) for name in names)
    pattern = re.compile(rf"(?:[SK]\d\d(?:{scripts})|(?:{scripts})\.service)")
    found = {}
    for place in _PLACES:
        for where, directories, files in os.walk(root / place):
            for name in (*directories, *files):
                path = Path(where) / name
                if pattern.fullmatch(name) and path.is_symlink():
                    found[f"/{path.relative_to(root)}"] = os.readlink(path)
    return found


def starting(root: Path, names: list[str]) -> list[str]:
    """Those of the links that start something."""
    return sorted(
        path for path in links(root, names) if ".wants/" in path or ".requires/" in path or "/S" in path
    )


def turn_off(root: Path, names: list[str], originals: Originals) -> list[str]:
    """Disable what starts at boot; the links as they were are kept first. Raises AcmdError."""
    active = starting(root, names)
    if not active:
        return []
    originals.note(NOTE, links(root, names))
    for name in names:
        if any(path.endswith((f"/{name}", name.removesuffix(".service"))) for path in active):
            systemctl(root, "disable", name)
    return active


def put_back(root: Path, names: list[str], originals: Originals) -> None:
    """The links as they were."""
    before = originals.notes.get(NOTE)
    if before is None:
        return
    for path in links(root, names).keys() - before.keys():
        remove(root / path.lstrip("/"))
    for path, target in before.items():
        at = root / path.lstrip("/")
        if not at.is_symlink():
            at.parent.mkdir(parents=True, exist_ok=True)
            at.symlink_to(target)
    del originals.notes[NOTE]
    originals.save()


def systemctl(root: Path, *words: str) -> None:
    """Run it on the host, or on a root that is not booted. Raises AcmdError."""
    command = ["systemctl", *([] if root == Path("/") else [f"--root={root}"]), *words]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AcmdError(f"`{' '.join(command)}` failed: {error}", "mend that, then run this again") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise AcmdError(
            f"`{' '.join(command)}` failed: {said[-1] if said else done.returncode}",
            "mend that, then run this again",
        )
