"""A warning or a reason of the status has to be tried on hosts: sources, register and tests agree."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from acmd.core.decision import Reason
from tests.hosts.sentences import PASSING, SENTENCES
from tests.tree import ROOT

DISPLAY = sorted((ROOT / "src/acmd/display").glob("*.py"))
TRIALS = sorted((ROOT / "tests/hosts").glob("test_status*.py"))


def calls(paths: list[Path], name: str) -> Iterator[ast.Call]:
    """All calls of that function."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node


def words(text: ast.expr) -> str:
    """A text as it is written, `{}` for each thing that is filled in."""
    if isinstance(text, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in text.values)
    assert isinstance(text, ast.Constant), (
        f"line {text.lineno}: a warning's sentence is written where it is made"
    )
    return str(text.value)


def test_every_warning_is_registered() -> None:
    """Each sentence of the sources, and no other, is in the register that the host tests use."""
    written = Counter(words(call.args[1]) for call in calls(DISPLAY, "Finding"))
    registered = Counter(sentence.words for sentence in SENTENCES.values())
    assert written == registered, (
        "tests/hosts/sentences.py: add it, and try it in tests/hosts/test_status*.py"
    )


def test_every_warning_has_a_remedy() -> None:
    """No warning without what to do about it."""
    assert all(len(call.args) == 3 for call in calls(DISPLAY, "Finding"))


def test_every_warning_is_tried_on_hosts() -> None:
    """Each registered sentence is waited for by a host test, in the situation that it speaks of."""
    constants = {
        target.id: str(node.value.value)
        for path in TRIALS
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    tried = {
        str(key.value) if isinstance(key, ast.Constant) else constants[getattr(key, "id", "")]
        for call in calls(TRIALS, "said")
        for key in call.args[1:2]
    }
    assert tried == set(SENTENCES)


def test_every_reason_is_tried_on_hosts() -> None:
    """Each reason is waited for by a host test, unless it is gone before a person could read it."""
    tried = {
        Reason[node.attr]
        for path in TRIALS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }
    assert tried | set(PASSING) == set(Reason)
    assert not tried & set(PASSING)
