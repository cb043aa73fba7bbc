"""Newton's iteration for a smooth loss with a quadratic penalty or none."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.learners.finite.objective import Minimum, Objective
from gaussequiv.numerics.scaled_cholesky import ScaledCholesky

_STEPS, _SEARCH, _PATIENCE = 300, 60, 6
_SMALL, _EXACT = 1e-13, 2e-15


def newton(o: Objective, start: tuple[FloatArray, float] | None = None) -> Minimum:
    """Newton steps with an exact line search on the directional derivative.

    The Hessian is raised by a multiple of the gradient (Li, Fukushima, Qi, Yamashita 2004): a strictly convex model at every step, whose
    steps are those of Newton at the end, also where the minimiser is not unique.
    """
    k = o.a.shape[1]
    x = np.zeros(o.rows.shape[1])
    if start is not None:
        x = np.append(start[0], start[1]) if o.intercept else start[0].copy()
    z = o.rows @ x - o.origin
    natural = float(np.sum(o.weights)) * (np.sum(o.rows**2, axis=0) / o.y.size + 1e-300)
    best, least, waited, step, first = x, np.inf, 0, 0, 1.0
    for step in range(_STEPS + 1):
        slope, curvature = o.smooth(z)
        gradient = o.rows.T @ slope + o.bend * x
        size = np.abs(o.rows).T @ np.abs(slope) + o.bend * np.abs(x)
        first = float(np.linalg.norm(size)) + 1e-300 if step == 0 else first
        error = float(np.linalg.norm(gradient)) / first  # of the first scale: relative to the last it need not fall
        waited = 0 if error < 0.5 * least else waited + 1
        if error < least:
            best, least = x, error
        exact = float(np.linalg.norm(gradient)) <= _EXACT * float(np.linalg.norm(size))
        if exact or error <= 1e-17 or (waited >= _PATIENCE and least <= _SMALL) or step == _STEPS or waited >= 40:
            break
        matrix = (o.rows.T * curvature) @ o.rows
        damping = 1e-3 * min(1.0, error) * min(1.0, float(np.max(curvature / o.weights))) + 1e-15
        matrix[np.diag_indices_from(matrix)] += o.bend + damping * natural * (o.bend == 0)
        dx = ScaledCholesky(matrix).solve(-gradient)
        dz = o.rows @ dx
        share = _search(o, x, z, dx, dz, float(gradient @ dx))
        x = x + share * dx
        z = o.rows @ x - o.origin
    w, c = best[:k], float(best[k]) if o.intercept else 0.0
    return o.certified(w, c, o.sign * o.smooth(o.rows @ best - o.origin)[0], step)


def _search(o: Objective, x: FloatArray, z: FloatArray, dx: FloatArray, dz: FloatArray, descent: float) -> float:
    """The share of a step at which the directional derivative has fallen to a tenth, or all of it where it has fallen to a half."""

    def derivative(share: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            found = float(o.smooth(z + share * dz)[0] @ dz + (o.bend * (x + share * dx)) @ dx)
        return np.inf if np.isnan(found) else found

    low, high, share = 0.0, np.inf, 1.0
    at_low, at_high = descent, np.inf
    for _ in range(_SEARCH):
        found = derivative(share)
        if abs(found) <= (0.5 if share == 1.0 else 0.1) * abs(descent):
            break
        if found > 0:
            high, at_high = share, found
        else:
            low, at_low = share, found
        if np.isinf(high):
            share = 2 * share
        else:  # false position, kept inside the middle 80%
            part = at_low / (at_low - at_high) if np.isfinite(at_high) else 0.5
            share = low + (high - low) * min(max(part, 0.1), 0.9)
    return share
