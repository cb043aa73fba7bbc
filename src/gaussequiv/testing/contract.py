"""`ContractError` and what all checks say it with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import GaussequivError
from gaussequiv.ingredients.adopted import LeftOut, missing, original

T = TypeVar("T")


class ContractError(GaussequivError, AssertionError):
    """A piece does not keep its contract; the message says what is wrong, with numbers, and how to mend it."""


def require(good: bool, piece: Any, wrong: str, mend: str) -> None:
    """Raise what is wrong with a piece, and how to mend it, unless all is well."""
    if not good:
        raise ContractError(f"{type(original(piece)).__name__}: {wrong} {mend}")


def members(piece: Any, names: tuple[str, ...], where: str) -> None:
    """All these members exist."""
    lacks = missing(piece, names)
    require(not lacks, piece, f"it has no `{'`, no `'.join(lacks)}`.", f"Add what `{where}` asks for.")


def given(call: Callable[[], T]) -> T | None:
    """What an optional member gives; None where the piece leaves it out."""
    try:
        return call()
    except LeftOut:
        return None


def close(piece: Any, found: ArrayLike, expected: ArrayLike, allowed: ArrayLike, at: ArrayLike, wrong: str, mend: str) -> None:
    """|found - expected| <= allowed; the worst place is told. `wrong` names {at}, {found} and {expected}."""
    a, b, tolerance, place = np.broadcast_arrays(*(np.asarray(values, float) for values in (found, expected, allowed, at)))
    if a.size == 0:
        return
    excess = np.abs(a - b) - tolerance
    excess = np.where(np.isfinite(excess), excess, np.inf)
    worst = np.unravel_index(int(np.argmax(excess)), excess.shape)
    words = wrong.format(at=f"{place[worst]:.6g}", found=f"{a[worst]:.8g}", expected=f"{b[worst]:.8g}")
    require(bool(excess[worst] <= 0), piece, words, mend)


def json_able(piece: Any) -> dict[str, Any]:
    """`to_dict()`, which must come back from JSON as it went."""
    description = piece.to_dict()
    require(isinstance(description, dict), piece, f"`to_dict()` gives {type(description).__name__}.", "Return a dict with text keys.")
    try:
        again = json.loads(json.dumps(description))
    except (TypeError, ValueError) as error:
        raise ContractError(
            f"{type(piece).__name__}: JSON cannot keep `to_dict()` ({error}). Turn arrays into lists or digests, functions into names."
        ) from error
    require(list(again) == list(description), piece, f"JSON changes the keys {list(description)} of `to_dict()`.", "Use text as keys.")
    return description
