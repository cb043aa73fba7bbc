"""Starting values along the law of an offset: solutions vary slowly with it, so that a few are solved from afar and the others between."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray

IntArray = NDArray[np.intp]
EVERY = 6  # offsets
LEAST = 18  # offsets of a curve from which it is worth while


def _curves(load: FloatArray, lam: FloatArray, b0: FloatArray) -> list[tuple[int, int]]:
    """Stretches of rising b0 at one load and lam."""
    cut = (np.diff(load) != 0) | (np.diff(lam) != 0) | (np.diff(b0) <= 0)
    return list(pairwise([0, *(np.flatnonzero(cut) + 1).tolist(), load.size]))


def pioneers(load: FloatArray, lam: FloatArray, b0: FloatArray) -> IntArray | None:
    """Points to be solved first: both ends of every stretch and every few between; None where there are too few offsets."""
    curves = _curves(load, lam, b0)
    if max(stop - start for start, stop in curves) < LEAST:
        return None
    return np.concatenate([np.unique(np.append(np.arange(start, stop, EVERY), stop - 1)) for start, stop in curves])


def between(few: IntArray, unknowns: FloatArray, load: FloatArray, lam: FloatArray, b0: FloatArray) -> FloatArray:
    """Unknowns of all points, interpolated in b0 between those of the `few`."""
    out = np.empty((load.size, unknowns.shape[1]))
    for start, stop in _curves(load, lam, b0):
        inside = (few >= start) & (few < stop)
        for k in range(out.shape[1]):
            out[start:stop, k] = np.interp(b0[start:stop], b0[few[inside]], unknowns[inside, k])
    return out
