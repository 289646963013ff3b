"""Each error that a person can see has a test of its words: whoever adds one adds that, too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.tree import ROOT

ERRORS = ("AcmdError", "ConfigError", "UsageError", "LocalFailure", "ClusterDirectoryError", "NotRunning")
ALSO = ("DatabaseYmlError", "AgentError", "Refused", "ArgumentTypeError")
WORDS = 3
"""So many words of a message in a row have to be found in a test."""
UNTOLD = {
    # The demonstration makes its own places; it says so where a machine has none.
    "node  ...  has no storage workers to stop",
    "no port is free on 127.0.0.1",
    " is too long a path for sockets",
    "no temporary directory can be made: ",
    # Ten seconds in which a daemon that has consented does not end: another one was started at once.
    "the daemon consented, and still runs after  ...  s ... g",
    # Their tests have them with values between the words, or know them by what follows.
    "the token in  ...  is shorter than  ...  characters",
    " cannot be rewritten: ",
    "the guard at  ...  takes no request: ",
    " failed with  ... :  ... it said nothing",
    "the backup below  ...  failed: ",
    ":  ...  is no program",
    " does not give its meta-data: ",
}
"""What no test has said, each with its reason. No line is added here without one."""


def strings(tree: ast.AST) -> Iterator[str]:
    """All literal texts, and the pieces of those with values in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def raised(tree: ast.AST) -> Iterator[list[str]]:
    """The literal pieces of each message that an error is made with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            pieces = list(strings(node.args[0]))
            if name in (*ERRORS, *ALSO) and any(len(piece.split()) >= WORDS for piece in pieces):
                yield pieces  # others hand on what something else said


def told(pieces: list[str], said: str) -> bool:
    """Whether a test has words of it."""
    for piece in pieces:
        words = piece.split()
        if any(" ".join(words[at : at + WORDS]) in said for at in range(len(words) - WORDS + 1)):
            return True
    return False


def test_each_message_is_tested() -> None:
    """Words of it stand in some test."""
    said = "\n".join(
        " ".join(text.split())
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__)
        for text in strings(ast.parse(path.read_text(encoding="utf-8")))
    )
    found = {
        " ... ".join(pieces)
        for path in sorted((ROOT / "src/acmd").rglob("*.py"))
        for pieces in raised(ast.parse(path.read_text(encoding="utf-8")))
        if not told(pieces, said)
    }
    assert found == UNTOLD, found ^ UNTOLD
