"""Roots of many scalar equations at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from gaussequiv.errors import FloatArray

SECANT_STEPS = 30
TOLERANCE = 1e-14
LAST_STEP = 1e-9  # a secant step from here lands within rounding: it needs no further evaluation


Gap = Callable[[FloatArray, Any], FloatArray]  # gap(y, i) = T_i(y) - y for the elements i


def solve_monotone(gap: Gap, start: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Solve y = T(y) elementwise, given gap(y, i) = T_i(y) - y falling in y (a monotone map of slope below 1).

    The first step is the map itself; then secant steps, a handful where the map is smooth. Elements that have not converged are
    bracketed and handed to SciPy's elementwise root finder, which cannot fail on a sign change. Returns roots and steps.
    """
    everything = slice(None)
    y_old, g_old = start, gap(start, everything)
    y = start + g_old
    steps = np.full(start.shape, 2.0)
    done = np.zeros(start.shape, dtype=bool)
    stuck = np.zeros(start.shape, dtype=bool)
    for _ in range(SECANT_STEPS):
        g = gap(y, everything)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (g - g_old) / (y - y_old)
            step = -g / slope
        exact = np.abs(g) <= TOLERANCE * np.maximum(1.0, np.abs(y))
        stuck |= ~(exact | done | (np.isfinite(step) & (slope < -1e-3)))
        steps += ~(done | stuck)
        y_old, g_old, y = y, g, np.where(exact | done | stuck, y, y + step)
        done |= np.abs(g) <= LAST_STEP
        if np.all(done | stuck):
            break
    rest = np.flatnonzero(stuck | ~done)
    if rest.size:
        _bracket(gap, y, steps, rest, start)
    return y, steps


def _bracket(gap: Gap, y: FloatArray, steps: FloatArray, i: NDArray[np.intp], start: FloatArray) -> None:
    low, high = start[i] - 1.0, start[i] + 1.0
    for _ in range(400):
        below, above = gap(low, i) < 0, gap(high, i) > 0
        if not (below.any() or above.any()):
            break
        low, high = np.where(below, low - 3.0, low), np.where(above, high + 3.0, high)
    tolerances = {"xatol": 1e-15, "xrtol": 2e-16, "fatol": 0.0, "frtol": 0.0}
    found = elementwise.find_root(  # type: ignore[call-overload]
        lambda y, k: gap(y, k.astype(np.intp)), (low, high), args=(i.astype(float),), tolerances=tolerances
    )
    y[i] = found.x
    steps[i] += np.asarray(found.nfev, float)
