"""The Gaussian law of the target's constant part b0 as nodes: on the half line where errors are even in b0, else on both sides."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray

# Errors bend like |b0| at small alpha, on a scale that shrinks with alpha: the panels are graded towards 0.
_EDGES = np.array([0.0, 1e-4, 1e-3, 1e-2, 0.04, 0.12, 0.35, 1.0, 2.0, 3.5, 5.5, 8.5])
_SMOOTH_EDGES = np.array([0.0, 0.35, 1.0, 2.0, 3.5, 5.5])


def offset_nodes(
    variance: float, given: float | None, *, even: bool = True, smooth: int | None = None, far: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Values of b0 and weights summing to 1: one value where it is given or zero, else Gauss-Legendre panels.

    `even`: what is averaged is even in b0, so that b0 >= 0 is enough.

    `smooth` nodes on each of a few panels are enough for functions that do not bend near 0 (regularised students, alpha not small); `far`:
    with one more panel for functions that grow fast.
    """
    if given is not None:
        return np.array([float(given)]), np.ones(1)
    if variance <= 0:
        return np.zeros(1), np.ones(1)
    edges = _EDGES if smooth is None else np.append(_SMOOTH_EDGES, _EDGES[-1]) if far else _SMOOTH_EDGES
    x, w = np.polynomial.legendre.leggauss(9 if smooth is None else smooth)
    half = 0.5 * np.diff(edges)[:, None]
    nodes = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * x).ravel()
    weights = (half * w).ravel() * np.exp(-0.5 * nodes**2)
    nodes, weights = nodes * np.sqrt(variance), weights / weights.sum()
    return (nodes, weights) if even else (np.concatenate([-nodes[::-1], nodes]), 0.5 * np.concatenate([weights[::-1], weights]))
