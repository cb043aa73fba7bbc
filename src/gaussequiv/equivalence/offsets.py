"""The Gaussian law of the target's constant part b0, as nodes on the half line (every error is even in b0)."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray

# Errors bend like |b0| at small alpha, on a scale that shrinks with alpha: the panels are graded towards 0.
_EDGES = np.array([0.0, 1e-4, 1e-3, 1e-2, 0.04, 0.12, 0.35, 1.0, 2.0, 3.5, 5.5, 8.5])
_X, _W = np.polynomial.legendre.leggauss(9)


def offset_nodes(variance: float, given: float | None) -> tuple[FloatArray, FloatArray]:
    """Values of b0 >= 0 and weights summing to 1: one value where it is given or zero, else Gauss-Legendre panels."""
    if given is not None:
        return np.array([abs(given)]), np.ones(1)
    if variance <= 0:
        return np.zeros(1), np.ones(1)
    half = 0.5 * np.diff(_EDGES)[:, None]
    nodes = (0.5 * (_EDGES[1:] + _EDGES[:-1])[:, None] + half * _X).ravel()
    weights = (half * _W).ravel() * np.exp(-0.5 * nodes**2)
    return nodes * np.sqrt(variance), weights / weights.sum()
