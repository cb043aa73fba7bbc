"""Roots of many scalar equations at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from gaussequiv.errors import FloatArray

SECANT_STEPS = 30
TOLERANCE = 1e-14
LAST_STEP = 1e-9  # a secant step from here lands within rounding: it needs no further evaluation


def solve_monotone(gap: Callable[[FloatArray, NDArray[np.intp]], FloatArray], start: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Solve y = T(y) elementwise, given gap(y, i) = T_i(y) - y falling in y (a monotone map of slope below 1).

    The first step is the map itself; then secant steps, a handful where the map is smooth. Elements that have not converged are
    bracketed and handed to SciPy's elementwise root finder, which cannot fail on a sign change. Returns roots and steps.
    """
    everything = np.arange(start.size)
    y0 = start
    g0 = gap(y0, everything)
    y1, steps = y0 + g0, np.full(start.shape, 2.0)
    active = np.abs(g0) > TOLERANCE * np.maximum(1.0, np.abs(y0))
    y = np.where(active, y1, y0)
    y_old, g_old = y0.copy(), g0.copy()
    for _ in range(SECANT_STEPS):
        i = np.flatnonzero(active)
        if i.size == 0:
            return y, steps
        g = gap(y[i], i)
        slope = (g - g_old[i]) / np.where(y[i] == y_old[i], np.nan, y[i] - y_old[i])
        step = np.where(slope < -1e-3, -g / slope, np.nan)
        y_old[i], g_old[i] = y[i], g
        exact = np.abs(g) <= TOLERANCE * np.maximum(1.0, np.abs(y[i]))
        done = np.abs(g) <= LAST_STEP
        stuck = ~np.isfinite(step) & ~exact
        y[i] = np.where(exact | stuck, y[i], y[i] + step)
        steps[i] += 1
        active[i[exact | done | stuck]] = False
        if stuck.any():
            _bracket(gap, y, steps, i[stuck], start)
    i = np.flatnonzero(active)
    if i.size:
        _bracket(gap, y, steps, i, start)
    return y, steps


def _bracket(
    gap: Callable[[FloatArray, NDArray[np.intp]], FloatArray], y: FloatArray, steps: FloatArray, i: NDArray[np.intp], start: FloatArray
) -> None:
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
