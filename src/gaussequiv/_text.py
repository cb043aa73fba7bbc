"""Numbers as short text that reads back exactly."""

from __future__ import annotations


def exact(value: float) -> str:
    """The shortest text of a number that gives the same number again."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))
