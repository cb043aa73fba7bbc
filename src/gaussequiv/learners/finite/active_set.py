"""The last digits of a minimiser: Newton's iteration on the face that an interior point names, with exact zeros and kinks."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.learners.finite.interior_point import Interior
from gaussequiv.learners.finite.objective import Minimum, Objective
from gaussequiv.numerics.scaled_cholesky import ScaledCholesky

ROUNDING = 1e-13  # of the violation: nothing is left to gain
ENOUGH = 1e-11  # of the violation: no other point is tried
_ROUNDS, _PASSES = 12, 8
_SOFT = 1e-6  # of the natural slope dt/dv: held constraints give by it, which the next pass takes back
_LINE = 1e-2  # the same for lines, of their own give: multipliers that are nearly 0 have no natural slope


def settle(o: Objective, points: list[Interior]) -> Minimum:
    """The best certified point among those of the faces that interior points name, each corrected by what the one before violates.

    This is the primal-dual active-set method, a semismooth Newton iteration (Hintermueller, Ito, Kunisch 2002), from starts at which the
    active set is right or nearly so. The first point does, unless what it names is confused by rounding.
    """
    best: Minimum | None = None
    for inside in points:
        face = _Face(o, inside)
        for number in range(_ROUNDS + 1):
            if number:
                face.solve()
            found = face.solution(inside.steps)
            best = found if best is None or found.residual < best.residual else best
            if best.residual <= ROUNDING:
                return best
            if number and not face.change():
                break
        if best is not None and best.residual <= ENOUGH:
            break
    assert best is not None
    return best


class _Face:
    def __init__(self, o: Objective, inside: Interior) -> None:
        self.o, k = o, o.a.shape[1]
        self.x, self.v = inside.x.copy(), inside.multipliers.copy()
        self.state, self.sign = inside.state, inside.sign
        self.k = k
        pieces = o.loss.pieces
        shape = (len(pieces), 1)
        self.position, low, high, width = (np.array([piece[i] for piece in pieces]).reshape(shape) for i in range(4))
        with np.errstate(invalid="ignore"):
            self.low, self.high, self.width = low * o.weights, high * o.weights, width / o.weights
        size = np.max(np.abs(self.v) / o.weights, axis=1, initial=1e-300, keepdims=True) * o.weights if pieces else self.v
        soft = _SOFT * o.unit / np.maximum(size, 1e-300)
        self.soft = np.where(self.width > 0, np.minimum(soft, _LINE * self.width), soft)

    def values(self) -> FloatArray:
        """Multipliers of the pieces, exact at their ends."""
        return np.where(self.state < 0, self.low, np.where(self.state > 0, self.high, self.v))

    def solve(self) -> None:
        """Stationarity, t = position + width v in the middle of every piece, w = 0 where its sign is 0."""
        o, k, penal = self.o, self.k, self.o.l1 > 0
        free = np.append(self.sign != 0, np.ones(self.x.size - k, dtype=bool)) if penal else np.ones(self.x.size, dtype=bool)
        self.x = np.where(free, self.x, 0.0)
        if not free.any():  # no weight and no constant: multipliers of lines follow from the fields
            off = o.rows @ self.x - o.origin - self.position
            line = (self.state == 0) & (self.width > 0)
            self.v = np.where(line, off / np.where(line, self.width, 1.0), self.v)
            return
        G, middle, slack = o.rows[:, free], self.state == 0, self.width + self.soft
        pull = np.append(o.l1 * self.sign, np.zeros(self.x.size - k))[free] if penal else 0.0
        factor, before = None, np.zeros(0)
        for _ in range(_PASSES):
            t = o.rows @ self.x - o.origin
            with np.errstate(all="ignore"):
                slope, curvature = o.smooth(t)
            if not (np.all(np.isfinite(slope)) and np.all(np.isfinite(curvature))):
                return  # an exponential far from its minimum: this face is wrong
            gradient = G.T @ (slope + self.values().sum(axis=0)) + o.bend[free] * self.x[free] + pull
            residual = np.where(middle, t - self.position - self.width * self.v, 0.0)
            weight = curvature + np.sum(middle / slack, axis=0)
            if factor is None or not np.array_equal(before, curvature):
                matrix = (G.T * weight) @ G
                matrix[np.diag_indices_from(matrix)] += o.bend[free]
                factor, before = ScaledCholesky(matrix), curvature
            dx = factor.solve(-gradient - G.T @ np.sum(residual / slack, axis=0))
            self.v = np.where(middle, self.v + (G @ dx + residual) / slack, self.v)
            self.x[free] += dx
            if float(np.max(np.abs(dx))) <= 1e-15 * float(np.max(np.abs(self.x))):
                break

    def solution(self, steps: int) -> Minimum:
        """The point with its certificate."""
        o = self.o
        w, c = o.split(self.x)
        t = o.rows @ self.x - o.origin
        with np.errstate(all="ignore"):
            dual = o.sign * (o.smooth(t)[0] + self.values().sum(axis=0))
        if not np.all(np.isfinite(dual)) or not np.all(np.isfinite(self.x)):
            return Minimum(w, c, dual, np.inf, steps)
        return o.certified(w, c, dual, steps)

    def change(self) -> bool:
        """Move every piece and weight that contradicts its state; whether any did, at a point that can be continued."""
        o = self.o
        with np.errstate(all="ignore"):
            finite = bool(np.all(np.isfinite(o.smooth(o.rows @ self.x - o.origin)[0])))
        if not finite:
            return False
        t = o.rows @ self.x - o.origin
        off = t - self.position - self.width * self.values()
        state = np.where(self.state == 0, np.where(self.v > self.high, 1, np.where(self.v < self.low, -1, 0)), self.state)
        back = ((self.state > 0) & (off < 0)) | ((self.state < 0) & (off > 0))
        self.v = np.where(back, self.values(), self.v)
        state = np.where(back, 0, state)
        sign: Any = self.sign
        if o.l1 > 0:
            w = self.x[: self.k]
            dual = o.smooth(t)[0] + self.values().sum(axis=0)
            pull = -(o.rows[:, : self.k].T @ dual + o.l2 * w)
            sign = np.where(self.sign == 0, np.where(np.abs(pull) > o.l1, np.sign(pull), 0), np.where(w * self.sign < 0, 0, self.sign))
        changed = not (np.array_equal(state, self.state) and np.array_equal(sign, self.sign))
        self.state, self.sign = state, sign
        return changed
