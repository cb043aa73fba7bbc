"""Proximal Newton: a steep smooth loss with an L1 penalty, as a sequence of weighted square losses with that penalty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.losses.named import Square
from gaussequiv.learners.finite.active_set import ENOUGH, settle
from gaussequiv.learners.finite.interior_point import central_path
from gaussequiv.learners.finite.objective import Minimum, Objective

_STEPS, _HALVINGS = 60, 60


def proximal_newton(o: Objective, start: Minimum) -> Minimum:
    """From `start`, the best certified solution of a loss without pieces (Lee, Sun, Saunders 2014).

    The quadratic model of the loss about the present fields is a square loss with weights f'' and labels z - f'/f''; its minimiser with
    the penalty gives a direction of descent, along which the objective's slope is searched for its zero. For losses of which a barrier
    method's own Newton steps are too long, such as exponentials of large fields or slopes that saturate. A start that is worse than no
    weights at all gives way to them.
    """
    w, c, best = (start.w, start.c, start) if np.isfinite(start.residual) else (np.zeros_like(start.w), 0.0, start)
    for step in range(1, _STEPS + 1):
        z = o.a @ w + c
        slope, curvature = o.smooth(o.sign * z - o.origin)
        if not (np.all(np.isfinite(slope)) and np.all(np.isfinite(curvature))):
            break
        curvature = np.maximum(curvature, 1e-14 * float(np.max(curvature)) + 1e-300)
        model = replace(o, y=z - o.sign * slope / curvature, weights=curvature, loss=Square())
        target = settle(model, central_path(model))
        share = _search(o, w, c, target.w - w, target.c - c)
        w = target.w if share == 1.0 else w + share * (target.w - w)
        c = c + share * (target.c - c)
        solution = o.certified(w, c, o.sign * o.smooth(o.sign * (o.a @ w + c) - o.origin)[0], start.steps + step)
        best = solution if solution.residual < best.residual else best
        if best.residual <= ENOUGH:
            break
    return best


def _search(o: Objective, w: FloatArray, c: float, dw: FloatArray, dc: float) -> float:
    """The share of a step, at most all of it, at which the objective stops to fall."""
    z, dz = o.a @ w + c, o.a @ dw + dc

    def rises(share: float) -> bool:
        slope = o.smooth(o.sign * (z + share * dz) - o.origin)[0]
        moved = w + share * dw
        derivative = float((o.sign * slope) @ dz + o.l2 * (moved @ dw) + o.l1 * (np.sign(moved) @ dw))
        return not derivative <= 0

    if not rises(1.0 - 1e-12):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if rises(middle) else (middle, high)
    return low if low > 0 else high
