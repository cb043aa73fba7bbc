"""Numbers as short text that reads back exactly, and names of users' functions."""

from __future__ import annotations

import json
from typing import Any


def exact(value: float) -> str:
    """The shortest text of a number that gives the same number again."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def short_name_of(function: Any) -> str:
    """The name of a function, or of the class of a callable object."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    return str(name or type(function).__qualname__)


def name_of(function: Any) -> str:
    """module:name of a user's function, as files keep it; of its class for a callable object."""
    return f"{getattr(function, '__module__', None) or type(function).__module__}:{short_name_of(function)}"


def as_json(description: Any) -> Any:
    """A description as JSON gives it back: tuples are lists.

    Examples
    --------
    >>> as_json({"lams": (0.1, 1.0)})
    {'lams': [0.1, 1.0]}
    """
    return json.loads(json.dumps(description))
