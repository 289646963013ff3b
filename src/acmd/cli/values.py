"""Values of arguments, checked where they are typed. All raise ArgumentTypeError, which argparse words."""

from __future__ import annotations

import argparse
import math
import sys

LONGEST_NAME = 32
LONGEST_REASON = 200
_DIGITS = 18


def positive_count(text: str) -> int:
    """A number of things, 1 or more."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{clipped(text)!r} is not a whole number, 1 or more")
    return int(text)


def positive_seconds(text: str) -> float:
    """A length of time in seconds, greater than 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds greater than 0")
    return value


def name(text: str) -> str:
    """Of a node or a service. An empty one is a script's unset variable: it must not stand for this node."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; a name belongs there")
    if len(text) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(
            f"{clipped(text)!r} is {len(text)} characters long; a name has {LONGEST_NAME} at most"
        )
    return text


def file_name(text: str) -> str:
    """The name of a file, which may not be there."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError("is empty; name a file")
    return text


def reason(text: str) -> str:
    """What is logged with an order: one line of readable text. An order is never refused for it, but cut."""
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    line = " ".join("".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in readable).split())
    if len(line) > LONGEST_REASON:
        print(f"acmd: of the reason the first {LONGEST_REASON} characters are kept", file=sys.stderr)
    return line[:LONGEST_REASON]


def clipped(text: str, most: int = 40) -> str:
    """For a message: not a page of what was typed."""
    return text if len(text) <= most else f"{text[:most]}..."
