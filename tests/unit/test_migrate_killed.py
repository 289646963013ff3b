"""`acmd migrate` killed before each single step of its own: undone, everything is byte for byte as before."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acmd.cli.main import main
from tests.unit.test_migrate import root, snapshot

__all__ = ["root"]

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.chmod", "os.symlink", "os.link", "subprocess.Popen"}
WRITING = os.O_WRONLY | os.O_RDWR
LARGEST = 200  # more steps than a migration has


def killed_before(step: int, root: Path, *words: str) -> bool:
    """Run it, killed as if by `kill -9` before its n-th step; whether it came that far."""
    child = os.fork()
    if child == 0:
        _run(step, root, *words)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _run(step: int, root: Path, *words: str) -> None:
    left = step

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if event in CHANGES or (opens and str(arguments[0]).startswith(str(root))):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    nowhere = os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.addaudithook(hook)
    code = 1
    try:
        code = main(["migrate", "--root", str(root), *words])
    finally:
        os._exit(code)


def each_step(root: Path, before: Callable[[Path], None], word: str, after: Callable[[Path], None]) -> int:
    """`before`, killed before step n of `migrate WORD`, `after`, for every n; how many there were."""
    for step in range(1, LARGEST):
        copy = root.with_name(f"{root.name}-{step}")
        shutil.copytree(root, copy, symlinks=True)
        before(copy)
        if not killed_before(step, copy, word):
            return step - 1
        after(copy)
        shutil.rmtree(copy)
    raise AssertionError(f"more than {LARGEST} steps")


def named(root: Path) -> dict[str, tuple[object, ...]]:
    """What is there, by the names below the root. acmd's own state may be left."""
    found = {name.removeprefix(f"{root}/"): value for name, value in snapshot(root).items()}
    return {name: value for name, value in found.items() if not name.startswith("var/lib/acmd/")}


def undo(root: Path) -> None:
    """Put everything back."""
    main(["migrate", "--root", str(root), "--undo"])


def apply(root: Path) -> None:
    """Migrate."""
    assert main(["migrate", "--root", str(root), "--apply"]) == 0


@pytest.mark.parametrize("again", [False, True])
def test_killed_while_applying(root: Path, again: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Undone at once, or after the same command went on to its end."""
    original = named(root)

    def after(copy: Path) -> None:
        if again:
            apply(copy)
        undo(copy)
        assert named(copy) == original

    assert each_step(root, lambda _: None, "--apply", after) > 10
    capsys.readouterr()


def test_killed_while_undoing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same command goes on."""
    original = named(root)

    def after(copy: Path) -> None:
        undo(copy)
        assert named(copy) == original

    assert each_step(root, apply, "--undo", after) > 10
    capsys.readouterr()
