"""Whether a function of the field is odd, even or neither, seen at many places."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gaussequiv.errors import FloatArray

PLACES = np.concatenate([np.linspace(0.0, 1.0, 2001), np.geomspace(1e-9, 1e-3, 61)])  # over the reach
CORE = 0.1  # of the reach: rounding counts beside the largest value in it, and further out beside the largest up to there
SAME = 1e-14


def parity_of(function: Callable[[FloatArray], FloatArray], reach: float, kinks: Sequence[float] = ()) -> str:
    """ "odd", "even" or "none" over |z| <= reach, beside the kinks too; "none" where a value is not finite.

    Examples
    --------
    >>> [parity_of(f, 6.0) for f in (np.tanh, np.abs, np.exp)]
    ['odd', 'even', 'none']
    """
    beside = np.abs(kinks)
    z = np.sort(np.concatenate([reach * PLACES, beside * (1 - 1e-9), beside * (1 + 1e-9)]))
    with np.errstate(all="ignore"):  # far out a function may overflow
        right, left = function(z), function(-z)
    if not (np.isfinite(right).all() and np.isfinite(left).all()):
        return "none"
    size = np.maximum.accumulate(np.abs(right))
    allowed = SAME * np.maximum(size, size[np.searchsorted(z, CORE * reach)])
    for name, gap in (("odd", right + left), ("even", right - left)):
        if np.all(np.abs(gap) <= allowed):
            return name
    return "none"
