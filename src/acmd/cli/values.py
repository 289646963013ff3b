"""Values of arguments, checked where they are typed."""

from __future__ import annotations

import argparse
import math


def positive_count(text: str) -> int:
    """A number of things, 1 or more. Raises ArgumentTypeError, which argparse words."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")
    return int(text)


def positive_seconds(text: str) -> float:
    """A length of time in seconds, greater than 0. Raises ArgumentTypeError, which argparse words."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds greater than 0")
    return value
