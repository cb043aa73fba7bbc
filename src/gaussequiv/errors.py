"""Named errors and warnings, and the argument checks that raise them in one format.

Every message reads: "Argument `alpha` must be positive, but alpha=-0.1. alpha is the number of samples per input dimension, n/d."
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
LARGEST_COUNT = 2**63 - 1  # what an array's index can be
LONGEST = 10_000  # bits of an integer that is printed
LARGEST_MOMENT = 1e100  # of variances and means: their squares and products must stay finite


class GaussequivError(Exception):
    """Base class of every error that the package raises on purpose."""


class ArgumentError(GaussequivError, ValueError):
    """A description or a call argument is wrong; the message names it, its value and what is expected."""


class UnreachableError(GaussequivError, ValueError):
    """The requested error lies below what the learner reaches with any number of samples."""


class ConvergenceWarning(UserWarning):
    """Some points of a curve did not converge; their `status` says why."""


class AccuracyWarning(UserWarning):
    """A quadrature did not reach its tolerance; the estimated error is in the message."""


def fail(name: str, expected: str, value: Any, meaning: str = "") -> ArgumentError:
    """Build the error of the package's one format; the caller raises it."""
    if isinstance(value, np.ndarray):
        shown = f"array of shape {value.shape}"
    elif isinstance(value, int) and value.bit_length() > LONGEST:  # Python refuses to print such
        shown = f"an integer of {value.bit_length()} bits"
    else:
        shown = repr(value)
    if len(shown) > 120:
        shown = shown[:117] + "..."
    tail = f" {meaning}" if meaning else ""
    return ArgumentError(f"Argument `{name}` must be {expected}, but {name}={shown}.{tail}")


def number(
    name: str,
    value: Any,
    *,
    positive: bool = False,
    nonnegative: bool = False,
    allow_infinite: bool = False,
    meaning: str = "",
) -> float:
    """Check one real number and return it as a Python float."""
    expected = "a positive number" if positive else "a non-negative number" if nonnegative else "a number"
    if isinstance(value, (bool, str)) or value is None:
        raise fail(name, expected, value, meaning)
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise fail(name, expected, value, meaning) from None
    if np.isnan(result) or (np.isinf(result) and not allow_infinite):
        raise fail(name, f"finite and {expected}", value, meaning)
    if (positive and result <= 0) or (nonnegative and result < 0):
        raise fail(name, expected, value, meaning)
    return result


def integer(name: str, value: Any, *, minimum: int, meaning: str = "") -> int:
    """Check one integer, at least `minimum` and no larger than `LARGEST_COUNT`, a seed apart."""
    expected = f"an integer of at least {minimum}"
    if isinstance(value, (bool, str)) or value is None:
        raise fail(name, expected, value, meaning)
    try:
        result = int(value)
    except (TypeError, ValueError, OverflowError):
        raise fail(name, expected, value, meaning) from None
    if result != value or result < minimum:
        raise fail(name, expected, value, meaning)
    if result > LARGEST_COUNT and name != "seed":
        raise fail(name, f"an integer of at least {minimum} and at most {LARGEST_COUNT}", value, meaning)
    return result


def array(name: str, value: ArrayLike, *, ndim: int | None = None, meaning: str = "") -> FloatArray:
    """Check a finite real array of the given number of dimensions, not empty."""
    try:
        result = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise fail(name, "an array of numbers", value, meaning) from None
    if ndim is not None and result.ndim != ndim:
        raise fail(name, f"an array with {ndim} dimension{'s' * (ndim != 1)}", result, meaning)
    if result.size == 0:
        raise fail(name, "a non-empty array", value, meaning)
    if not np.all(np.isfinite(result)):
        bad = int(np.size(result) - np.sum(np.isfinite(result)))
        raise ArgumentError(f"Argument `{name}` must be finite, but {bad} of its {result.size} values are not. {meaning}".rstrip())
    return result


def grid(name: str, value: ArrayLike, *, meaning: str = "") -> FloatArray:
    """Check a grid of positive numbers (a scalar counts as a grid of one point)."""
    if isinstance(value, (bool, str)) or value is None:
        raise fail(name, "a positive number or a sequence of them", value, meaning)
    result = np.atleast_1d(array(name, value, meaning=meaning))
    if result.ndim != 1:
        raise fail(name, "a number or a one-dimensional sequence", result, meaning)
    if np.any(result <= 0):
        worst = float(result[result <= 0][0])
        raise fail(name, "positive", worst, meaning)
    return result


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """Check a name against the known ones, with a did-you-mean."""
    known = list(options)
    if isinstance(value, str) and value in known:
        return value
    raise ArgumentError(f"Argument `{name}` must be one of {', '.join(known)}, but {name}={value!r}.{did_you_mean(value, known)}")


def closest(value: Any, known: Iterable[str]) -> str | None:
    """The closest known name, if one is close."""
    found = difflib.get_close_matches(str(value).lower(), list(known), n=1)
    return found[0] if found else None


def did_you_mean(value: Any, known: Iterable[str]) -> str:
    """The closest known name as a question, or nothing."""
    close = closest(value, known)
    return f" Did you mean {close!r}?" if close else ""


def per_layer(name: str, value: Any, depth: int, *, positive: bool = False) -> tuple[float, ...]:
    """Broadcast a number to `depth` layers, or check one number for each layer."""
    expected = f"a number or a sequence of {depth} numbers, one for each hidden layer"
    if isinstance(value, str) or value is None:
        raise fail(name, expected, value)
    if np.ndim(value) == 0:
        return (_layer_number(name, value, positive),) * depth
    values: tuple[Any, ...] = tuple(np.asarray(value, dtype=object).ravel())
    if len(values) != depth:
        raise fail(name, expected, value)
    return tuple(_layer_number(f"{name}[{i}]", v, positive) for i, v in enumerate(values))


def _layer_number(name: str, value: Any, positive: bool) -> float:
    """A layer's number, whose square and products over layers must stay finite."""
    checked = number(name, value, positive=positive, nonnegative=not positive)
    if checked > LARGEST_MOMENT:
        raise fail(name, f"at most {LARGEST_MOMENT:g}", value)
    return checked
