"""Every command of the how-tos is run by a test or says why not; every piece of configuration loads."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.hosts.pages import INTRODUCTION
from tests.tree import ROOT
from tests.unit.configs import loaded

PAGES = [
    *sorted((ROOT / "docs/howto").glob("*.md")),
    ROOT / "docs/tutorial.md",
    ROOT / "docs/install.md",
    ROOT / "README.md",
]
BLOCK = re.compile(
    r"(?:^<!-- (.*?) -->\n)?^```(?:sh|bash|shell|console)\n(.*?)^```", re.DOTALL | re.MULTILINE
)
TOML = re.compile(r"^```toml\n(.*?)^```", re.DOTALL | re.MULTILINE)
STEP = re.compile(r"on [a-z]+( and [a-z]+)*")
PLACES = '[cluster]\ndirectory = "/mnt/shared/acmd"\n'
Followed = dict[str, set[str]]


@functools.cache
def followed() -> tuple[Followed, Followed]:
    """For each page of docs/ the headings (`""` for all of it) whose steps, and whose files, tests use."""
    steps: Followed = {}
    files: Followed = {}
    for path in [*(ROOT / "tests/hosts").glob("*.py"), *(ROOT / "tests/uml").glob("*.py")]:
        tree = ast.parse(path.read_text())
        names = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        } | {"INTRODUCTION": INTRODUCTION}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in {"follow", "files"} or not node.args:
                continue
            into = steps if node.func.attr == "follow" else files
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            heading = named.get("heading") or (node.args[2] if into is steps and len(node.args) > 2 else None)
            page, below = (_text(word, names) if word is not None else "" for word in (node.args[0], heading))
            if page.endswith(".md"):
                into.setdefault(page, set()).add(below)
    return steps, files


def _text(word: ast.expr, names: Mapping[str, object]) -> str:
    if isinstance(word, ast.Constant):
        return str(word.value)
    return str(names.get(word.id)) if isinstance(word, ast.Name) else ""


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of the second level."""
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    return {INTRODUCTION: parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_run(page: Path) -> None:
    """Each block of commands is a step that a test follows, or a file that one uses, or gives a reason."""
    steps, files = followed()
    name = str(page.relative_to(ROOT)).removeprefix("docs/")
    found = 0
    for heading, text in sections(page.read_text(encoding="utf-8")).items():
        for note, script in BLOCK.findall(text):
            found += 1
            at = f"{name}, {heading}: {script.splitlines()[0]}"
            if note.startswith("not run: "):
                assert len(note) > len("not run: a reason"), at
            elif note.startswith("file /"):
                assert {"", heading} & files.get(name, set()), f"{at}: no test uses this file"
            else:
                assert STEP.fullmatch(note), (
                    f"{at}: neither `<!-- on HOST -->` nor `<!-- not run: REASON -->`"
                )
                assert {"", heading} & steps.get(name, set()), f"{at}: no test follows it"
    assert found == page.read_text(encoding="utf-8").count("```sh\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configurations_load(page: Path) -> None:
    """Each piece of configuration is one, alone or beside the cluster's directory."""
    for text in TOML.findall(page.read_text(encoding="utf-8")):
        whole = text if "[cluster]" in text else PLACES + text
        loaded(re.sub(r'^address = ".*"', "", whole, flags=re.MULTILINE))
