"""Digests: what was altered is refused, what has none is read."""

import json

import pytest

from gaussequiv.store import seal


def test_what_is_opened_is_what_was_sealed():
    content = {"a": [1, 2.5, None], "b": {"c": "é"}}
    closed = seal.sealed_object(content, b"rows\n")
    assert seal.opened_object(closed, b"rows\n") == content
    again = json.loads(json.dumps(closed, indent=3))  # laid out differently by another tool
    assert seal.opened_object(again, b"rows\r\n") == content
    assert seal.opened(seal.sealed(b"\x00\n")) == b"\x00\n"


def test_other_content_is_refused():
    closed = seal.sealed_object({"a": 1}, b"rows")
    for stored, rest in (
        ({**closed, "a": 2}, b"rows"),
        ({**closed, "b": 1}, b"rows"),
        (closed, b"raws"),
        ({**closed, "sha256": None}, b"rows"),
    ):
        with pytest.raises(seal.AlteredError, match="was altered"):
            seal.opened_object(stored, rest)
    with pytest.raises(seal.AlteredError):
        seal.opened(b"x" + seal.sealed(b"abc"))


def test_what_has_no_digest_is_read():
    assert seal.opened_object({"a": 1}) == {"a": 1}
    assert seal.opened(b"abc") == b"abc"
