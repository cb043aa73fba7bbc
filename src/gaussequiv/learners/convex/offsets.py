"""Starting values along the law of an offset: solutions vary slowly with it, so that a few are solved from afar and the others between."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import AccuracyWarning, FloatArray

IntArray = NDArray[np.intp]
EVERY = 6  # offsets
LEAST = 18  # offsets of a curve from which it is worth while
CUSP = 1e-3  # of an average: errors without one miss by less than 1e-4, and cusps' averages are off by a tenth or less of it


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


def warn_of_cusps(b0: FloatArray, mass: FloatArray, error: FloatArray) -> None:
    """Warn where errors (points, offsets) leave the cubic through their four neighbours by more than a smooth function does.

    Losses with kinks on discrete labels change at some offset from a student without weights to one that learns, where errors have a cusp
    that few nodes do not resolve.
    """
    if b0.size < LEAST:
        return
    order = np.argsort(b0)
    b0, mass, error = b0[order], mass[order], error[:, order]
    middle = np.arange(2, b0.size - 2)
    others = [middle + k for k in (-2, -1, 1, 2)]
    said = np.zeros((error.shape[0], middle.size))
    for j in others:
        weight = np.prod([(b0[middle] - b0[k]) / (b0[j] - b0[k]) for k in others if k is not j], axis=0)
        said += weight * error[:, j]
    missed, average = np.abs(error[:, middle] - said) @ mass[middle], error @ mass
    rough = missed > CUSP * average
    if rough.any():
        worst = float(np.max(missed[rough] / average[rough]))
        warnings.warn(
            f"The test error has a cusp in the random offset of the labels, and its average may be off by up to {worst:.0e} of it: at some "
            "offsets hardly a weight is left, as a loss with kinks does where most labels are alike.",
            AccuracyWarning,
            stacklevel=2,
        )
