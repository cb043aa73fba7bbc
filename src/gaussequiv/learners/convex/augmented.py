"""Convex empirical risk minimisation on one sample by semismooth Newton steps on an augmented Lagrangian."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import linalg

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.losses.base import Loss

TOLERANCE = 1e-11
_OUTER, _INNER, _SEARCH = 80, 200, 60


class Solution(NamedTuple):
    """Minimiser, dual variables dl_i/dz_i, relative violation of the optimality conditions, Newton steps."""

    w: FloatArray
    c: float
    dual: FloatArray
    residual: float
    steps: int


@dataclass(frozen=True)
class Objective:
    """sum_i s_i l(y_i, c + a_i.w) + l2/2 |w|^2 + l1 |w|_1, with c fitted (unpenalised) or zero.

    a: (n, k), y: (n,), weights s: (n,) positive.
    """

    a: FloatArray
    y: FloatArray
    weights: FloatArray
    loss: Loss
    l2: float
    l1: float = 0.0
    intercept: bool = False
    size: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", np.abs(self.a))

    def value(self, w: FloatArray, c: float) -> float:
        """The objective."""
        data = np.sum(self.weights * self.loss.value(self.y, self.a @ w + c))
        return float(data + 0.5 * self.l2 * (w @ w) + self.l1 * np.sum(np.abs(w)))

    def violation(self, w: FloatArray, c: float, dual: FloatArray) -> float:
        r"""The largest relative violation of the optimality conditions by (w, c) and dual variables b_i.

        |a'b + l2 w + l1 sign(w)| over |a|'|b| + l2 |w| + l1 in the Euclidean norm, |sum b| over sum |b|, and the distance
        between z_i = c + a_i.w and the proximal point of s_i l at z_i + b_i (zero if b_i is a subgradient), over 1 + max |z|.
        """
        z = self.a @ w + c
        smooth = self.a.T @ dual + self.l2 * w
        soft = np.maximum(np.abs(smooth) - self.l1, 0.0)
        slack = np.where(w == 0, soft, np.abs(smooth + self.l1 * np.sign(w)))
        scale = float(np.linalg.norm(self.size.T @ np.abs(dual) + self.l2 * np.abs(w) + self.l1))
        step = dual + self.weights * self.loss.proximal(self.y, z + dual, self.weights)[0]
        parts = [float(np.linalg.norm(slack)) / scale if scale else 0.0, float(np.max(np.abs(step)) / (1 + np.max(np.abs(z))))]
        if self.intercept:
            total = float(np.sum(np.abs(dual)))
            parts.append(abs(float(np.sum(dual))) / total if total else 0.0)
        return max(parts)


def minimise(
    objective: Objective,
    start: tuple[FloatArray, float] | None = None,
    stop: Callable[[FloatArray], bool] | None = None,
) -> Solution:
    r"""Minimise a convex objective, smooth or not.

    A loss or penalty with kinks enters through its Moreau envelope at z + V b with multipliers b (the method of multipliers,
    Rockafellar 1976), which is continuously differentiable; its gradient -g and curvature -dg are those of `Loss.proximal`. A semismooth
    Newton iteration with an exact line search on the directional derivative minimises it, then b <- -g, and V shrinks where the
    multipliers settle slowly. A smooth loss enters as it is and needs one round.

    `start` is a first guess, `stop` ends the iteration early on the fields z.
    """
    state = _State(objective, start)
    best, failures = state.solution(), 0
    for _ in range(_OUTER):
        tolerance = max(TOLERANCE, min(1e-3, 0.01 * state.gap)) if state.enveloped or objective.l1 > 0 else TOLERANCE
        reached = state.inner(tolerance, stop)
        state.update()
        found = state.solution()
        if stop is not None and stop(state.z):
            return found
        best = min(best, found, key=lambda solution: solution.residual)
        settled = reached and tolerance <= TOLERANCE and state.gap <= TOLERANCE
        failures += state.enveloped and not reached  # at the rounding floor of an extreme penalty, or without a minimiser
        if settled or best.residual <= 0.1 * TOLERANCE or failures >= (2 if best.residual <= 1e-7 else 10):
            break
        # plain Newton can stall on a piecewise quadratic loss under a tiny penalty: the envelope is better conditioned
        state.enveloped |= not reached
    return best._replace(steps=state.steps)


class _State:
    def __init__(self, objective: Objective, start: tuple[FloatArray, float] | None) -> None:
        o = self.o = objective
        n, k = o.a.shape
        self.enveloped = bool(o.loss.kinks)
        self.w, self.c = (np.zeros(k), 0.0) if start is None else (start[0].copy(), float(start[1]))
        self.z = o.a @ self.w + self.c
        self.squares = float(np.sum(o.size**2)) / n + 1e-300
        spread = 1.0 if o.loss.kind == "margin" else float(np.std(o.y)) or 1.0
        pull = k * (o.l2 + o.l1) / (n * self.squares)  # of the penalty, in units of the data's curvature
        self.V = np.full(n, max(spread, 0.1 / max(pull, 1e-9)))
        self.multiplier = self.dual = np.zeros(n)
        self.V1 = max(k / (n * self.squares), 0.1 * spread / o.l1) if o.l1 > 0 else 1.0
        self.multiplier1 = np.zeros(k)
        self.gap, self.steps = 1.0, 0
        self.slopes(self.z)

    def slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradient and curvature of every (enveloped) loss in its field."""
        o = self.o
        with np.errstate(over="ignore", invalid="ignore"):
            if not self.enveloped:
                return o.weights * o.loss.slope(o.y, z), o.weights * o.loss.curvature(o.y, z)
            g, dg = o.loss.proximal(o.y, z + self.V * self.multiplier, self.V * o.weights)
            return -o.weights * g, -o.weights * dg

    def penalty(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradient and curvature of the (enveloped) penalty."""
        o = self.o
        if o.l1 == 0:
            return o.l2 * w, np.full(w.size, o.l2)
        free = self.multiplier1 + w / self.V1
        return o.l2 * w + np.clip(free, -o.l1, o.l1), o.l2 + np.where(np.abs(free) <= o.l1, 1 / self.V1, 0.0)

    def shrunk(self) -> FloatArray:
        """The penalty's own copy of w, with exact zeros."""
        shifted = self.w + self.V1 * self.multiplier1
        return np.sign(shifted) * np.maximum(np.abs(shifted) - self.V1 * self.o.l1, 0.0)

    def solution(self) -> Solution:
        """The point reached, with exact zeros, and its certificate."""
        o = self.o
        w = self.w if o.l1 == 0 else self.shrunk()
        found = Solution(w, self.c, self.dual, o.violation(w, self.c, self.dual), self.steps)
        if self.enveloped or o.l1 == 0:
            return found
        dual = o.weights * o.loss.slope(o.y, o.a @ w + self.c)  # w moved a little: its own slopes may fit better
        moved = found._replace(dual=dual, residual=o.violation(w, self.c, dual))
        return min(found, moved, key=lambda solution: solution.residual)

    def inner(self, tolerance: float, stop: Callable[[FloatArray], bool] | None) -> bool:
        """Newton steps at fixed multipliers; whether they reached the tolerance."""
        o = self.o
        best, stalled, patience = np.inf, 0, 100 if self.enveloped else 25
        for _ in range(_INNER):
            first, second = self.slopes(self.z)
            pull, stiff = self.penalty(self.w)
            gradient = np.append(o.a.T @ first + pull, np.sum(first)) if o.intercept else o.a.T @ first + pull
            weight = np.abs(first)
            scale = float(np.linalg.norm(o.size.T @ weight + np.abs(pull))) + float(np.sum(weight)) * o.intercept
            error = float(np.linalg.norm(gradient)) / scale if scale > 0 else 0.0
            stalled = stalled + 1 if error > 0.5 * best else 0
            best = min(best, error)
            if error <= tolerance * 1e-2 or (stalled >= 4 and error <= tolerance):
                return True
            if stalled >= patience or (stop is not None and stop(self.z)):
                return False
            step = self.newton(gradient, second, stiff, error)
            self.steps += 1
            self.move(step, float(gradient @ step))
        return False

    def newton(self, gradient: FloatArray, second: FloatArray, stiff: FloatArray, error: float) -> FloatArray:
        o = self.o
        k = o.a.shape[1]
        bent = second > 0
        root = np.sqrt(second[bent])
        rows = o.a[bent] * root[:, None]
        size = gradient.size
        hessian = np.empty((size, size))
        hessian[:k, :k] = rows.T @ rows
        hessian[np.arange(k), np.arange(k)] += stiff
        if o.intercept:
            hessian[k, :k] = hessian[:k, k] = root @ rows
            hessian[k, k] = root @ root
        diagonal = np.arange(size)
        natural = float(np.sum(o.weights)) * np.append(np.full(k, self.squares / k), np.ones(size - k))
        free = np.append(np.full(k, o.l2 == 0), np.ones(size - k, dtype=bool))  # directions that no penalty bounds
        damping = 1e-3 * min(1.0, error) * min(1.0, float(np.max(second, initial=0.0))) + 1e-15
        while True:
            damped = hessian.copy()
            damped[diagonal, diagonal] += damping * natural * free + 1e-15 * hessian[diagonal, diagonal]
            try:
                factor = linalg.cho_factor(damped, lower=True, overwrite_a=True, check_finite=False)
            except linalg.LinAlgError:
                damping *= 100
                continue
            return -linalg.cho_solve(factor, gradient, check_finite=False)

    def move(self, step: FloatArray, descent: float) -> None:
        """Step to where the directional derivative has fallen to a tenth (exact line search of a convex function), or by 1."""
        k = self.w.size
        dw, dc = step[:k], float(step[k]) if self.o.intercept else 0.0
        dz = self.o.a @ dw + dc

        def derivative(t: float) -> float:
            found = float(self.slopes(self.z + t * dz)[0] @ dz + self.penalty(self.w + t * dw)[0] @ dw)
            return np.inf if np.isnan(found) else found

        low, high, t = 0.0, np.inf, 1.0
        at_low, at_high = descent, np.inf
        for _ in range(_SEARCH):
            found = derivative(t)
            if abs(found) <= 0.5 * abs(descent) if t == 1.0 else abs(found) <= 0.1 * abs(descent):
                break
            if found > 0:
                high, at_high = t, found
            else:
                low, at_low = t, found
            if np.isinf(high):
                t = 2 * t
            else:  # false position, kept inside the middle 80%
                share = at_low / (at_low - at_high) if np.isfinite(at_high) else 0.5
                t = low + (high - low) * min(max(share, 0.1), 0.9)
        self.w, self.c, self.z = self.w + t * dw, self.c + t * dc, self.z + t * dz

    def update(self) -> None:
        """Multipliers of the next round, and how far the copies of z and w are from z and w."""
        o = self.o
        self.z = o.a @ self.w + self.c
        self.dual = self.slopes(self.z)[0]
        gap = gap1 = 0.0
        if self.enveloped:
            apart = self.V * np.abs(self.dual - self.multiplier)
            gap = float(np.max(apart) / (1 + np.max(np.abs(self.z))))
            self.multiplier = self.dual
            if gap > 0.05 * self.gap:
                self.V = np.maximum((0.2 if gap < 0.5 * self.gap else 0.02) * self.V, 1e-14)
        if o.l1 > 0:
            gap1 = float(np.max(np.abs(self.w - self.shrunk())) / (1e-300 + np.max(np.abs(self.w))))
            self.multiplier1 = np.clip(self.multiplier1 + self.w / self.V1, -o.l1, o.l1)
            self.V1 *= 0.2 if gap1 > 0.05 * self.gap else 1.0
        self.gap = max(gap, gap1)
