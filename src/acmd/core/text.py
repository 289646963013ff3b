"""Texts by others, for people: nothing in them steers a terminal, forges a line, or cannot be encoded."""

from __future__ import annotations


def printable(text: str, limit: int) -> str:
    """At most `limit` characters of it; what cannot be printed (surrogates, controls, newlines) as "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:limit])
