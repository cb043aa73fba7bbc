"""Where a function jumps, which gradients do not see."""

from __future__ import annotations

from typing import Any

import numpy as np


def jump_of(function: Any) -> float | None:
    """A place where the function jumps, None where it does not: looked for at its declared `kinks` and, by bisection, in the cell that
    rises most above its neighbours.

    A jump counts from a thousandth of what the function varies by nearby (0.1 to either side).

    Examples
    --------
    >>> from gaussequiv.ingredients.activations import get
    >>> jump_of(get("sign")), jump_of(get("relu"))
    (0.0, None)
    """
    x = np.linspace(-9, 9, 1801)
    rises = np.abs(np.diff(function(x)))
    beside = np.pad(rises, 2, mode="edge")
    cell = int(np.argmax(rises - np.maximum(beside[:-4], beside[4:])))
    low, high = x[cell], x[cell + 1]
    for _ in range(40):
        middle = 0.5 * (low + high)
        left, centre, right = function(np.array([low, middle, high]))
        low, high = (low, middle) if abs(centre - left) >= abs(right - centre) else (middle, high)
    for place in (*function.kinks, low):
        step = np.ptp(function(place + np.array([-1e-9, 1e-9])))
        if step > 1e-3 * np.ptp(function(place + np.linspace(-0.1, 0.1, 21))):
            return float(place)
    return None
