"""Starting values along the law of an offset: solutions vary slowly with it, so that a few are solved from afar and the others between."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from gaussequiv.errors import FloatArray

IntArray = NDArray[np.intp]
EVERY = 4  # offsets
LEAST = 8  # offsets of a curve from which it is worth while


def _curves(load: FloatArray, lam: FloatArray, b0: FloatArray) -> list[tuple[int, int]]:
    """Stretches of rising b0 at one load and lam."""
    cut = (np.diff(load) != 0) | (np.diff(lam) != 0) | (np.diff(b0) <= 0)
    return list(pairwise([0, *(np.flatnonzero(cut) + 1).tolist(), load.size]))


def stages(load: FloatArray, lam: FloatArray, b0: FloatArray) -> list[IntArray] | None:
    """Points to be solved one after the other: both ends of every stretch and every few between, then those in the middle of the solved.

    None where there are too few offsets.
    """
    curves = _curves(load, lam, b0)
    if max(stop - start for start, stop in curves) < LEAST:
        return None
    known = np.zeros(load.size, dtype=bool)
    out, every = [], EVERY
    while every >= 1:
        points = np.concatenate([np.append(np.arange(start, stop, every), stop - 1) for start, stop in curves])
        new = np.unique(points[~known[points]])
        out.append(new)
        known[new] = True
        every //= 2
    return out


def between(few: IntArray, unknowns: FloatArray, load: FloatArray, lam: FloatArray, b0: FloatArray) -> FloatArray:
    """Unknowns of all points, interpolated in b0 between those of the sorted `few`."""
    out = np.empty((load.size, unknowns.shape[1]))
    for start, stop in _curves(load, lam, b0):
        inside = (few >= start) & (few < stop)
        places, values = b0[few[inside]], unknowns[inside]
        if places.size > 3 and np.isfinite(values).all():
            out[start:stop] = CubicSpline(places, values)(b0[start:stop])
        else:
            for k in range(out.shape[1]):
                out[start:stop, k] = np.interp(b0[start:stop], places, values[:, k])
    return out
