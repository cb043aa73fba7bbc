"""Digests inside files: a file that was altered after it was written is refused, not read as other data.

A text file carries SHA-256 of its content in the JSON object that it is or that heads it (key "sha256"), so that tools that lay the object
out differently do no harm; a binary file carries it in a last line, which HDF5 readers ignore. Files without one (earlier releases, other
tools) are read unchecked.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

KEY = "sha256"
_LINE = re.compile(rb"\nsha256:([0-9a-f]{64})\n\Z")
_LENGTH = len(b"\nsha256:") + 64 + 1


class AlteredError(ValueError):
    """The content does not have the digest that the file carries."""

    def __init__(self) -> None:
        super().__init__("it was altered after it was saved (its digest differs)")


def sealed_object(content: dict[str, Any], rest: bytes = b"") -> dict[str, Any]:
    """A JSON object with the digest of itself and of the `rest` of the file."""
    return content | {KEY: _digest(content, rest)}


def opened_object(stored: dict[str, Any], rest: bytes = b"") -> dict[str, Any]:
    """The object without its digest, checked if it has one."""
    content = {key: value for key, value in stored.items() if key != KEY}
    if KEY in stored and stored[KEY] != _digest(content, rest):
        raise AlteredError
    return content


def _digest(content: dict[str, Any], rest: bytes) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(text + b"\n" + rest.replace(b"\r\n", b"\n")).hexdigest()


def sealed(content: bytes) -> bytes:
    """Binary content with its digest as a last line."""
    return content + f"\nsha256:{hashlib.sha256(content).hexdigest()}\n".encode()


def opened(stored: bytes) -> bytes:
    """The content without its digest, checked if it has one."""
    found = _LINE.search(stored[-_LENGTH:])
    if found is None:
        return stored
    content = stored[:-_LENGTH]
    if hashlib.sha256(content).hexdigest().encode() != found[1]:
        raise AlteredError
    return content
