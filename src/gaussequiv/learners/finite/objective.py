"""The objective of convex empirical risk minimisation on one sample, and the certificate of a minimiser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.losses.base import Loss
from gaussequiv.numerics.scaled_cholesky import ScaledCholesky

_SAME = 1e-12  # spread over size of labels below which they differ by rounding alone
_WORSE = 1e-6  # relative slack beyond the objective at zero


class Minimum(NamedTuple):
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

    In the loss's own variable t_i = r_i.x - o_i, with x = (w, c) and rows r_i = +-(a_i, 1), it is sum_i s_i f(t_i) + penalty.
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

    @cached_property
    def sign(self) -> FloatArray:
        """dt_i/dz_i."""
        return self.y if self.loss.kind == "margin" else np.ones_like(self.y)

    @cached_property
    def rows(self) -> FloatArray:
        """r, shape (n, k) or (n, k + 1)."""
        rows = self.a * self.sign[:, None]
        return np.column_stack([rows, self.sign]) if self.intercept else rows

    @cached_property
    def origin(self) -> FloatArray:
        """o."""
        return np.zeros_like(self.y) if self.loss.kind == "margin" else self.y

    @cached_property
    def unit(self) -> float:
        """Scale of the loss's variable: 1 for margins, else the spread of y (their size where y hardly varies, 1 where all are 0)."""
        if self.loss.kind == "margin":
            return 1.0
        size = float(np.sqrt(np.mean(self.y**2)))
        spread = float(np.std(self.y)) if self.intercept else size
        return spread if spread > _SAME * size else size or 1.0

    @cached_property
    def bend(self) -> FloatArray:
        """Second derivative of the penalty's smooth part in x, shape of a row: l2, and 0 for c."""
        return np.append(np.full(self.a.shape[1], self.l2), np.zeros(int(self.intercept)))

    def split(self, x: FloatArray) -> tuple[FloatArray, float]:
        """(w, c) of x."""
        k = self.a.shape[1]
        return x[:k], float(x[k]) if self.intercept else 0.0

    def smooth(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Slope and curvature of s_i times the loss without its pieces (`Loss.pieces`)."""
        slope, curvature = self.loss.rest_at(t)
        return self.weights * slope, self.weights * curvature

    def value(self, w: FloatArray, c: float) -> float:
        """The objective."""
        data = np.sum(self.weights * self.loss.value(self.y, self.a @ w + c))
        return float(data + 0.5 * self.l2 * (w @ w) + self.l1 * np.sum(np.abs(w)))

    @cached_property
    def untrained(self) -> float:
        """The objective at w = c = 0, which a minimum does not exceed."""
        return self.value(np.zeros(self.a.shape[1]), 0.0)

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

    def certified(self, w: FloatArray, c: float, dual: FloatArray, steps: int) -> Minimum:
        """The solution with dual variables near the given ones that certify it best.

        Slopes inherit the rounding of the fields, and relative to nearly nothing rounding is large. So b may be the nearest that fulfils
        a'b + l2 w + l1 sign(w) = 0, sum b = 0, or 0 where the data are fitted exactly; or w is the one that belongs to b. Violations are
        relative to the fields: a point far out, worse than w = c = 0, is none whatever they say.
        """
        found: list[Minimum] = []
        for point, candidate in self._candidates(w, dual):
            with np.errstate(all="ignore"):
                worse = self.value(point, c) > self.untrained + _WORSE * abs(self.untrained)
                residual = np.inf if worse else self.violation(point, c, candidate)
            found.append(Minimum(point, c, candidate, residual if np.isfinite(residual) else np.inf, steps))
            if residual <= 1e-14:
                break
        return min(found, key=lambda solution: solution.residual)

    def _candidates(self, w: FloatArray, dual: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
        yield w, dual
        yield w, self._balanced(w, dual)
        yield w, np.zeros_like(dual)
        if self.l2 > 0:
            level = dual - np.mean(dual) if self.intercept else dual
            pull = self.a.T @ level
            yield -np.sign(pull) * np.maximum(np.abs(pull) - self.l1, 0.0) / self.l2, level
        yield np.zeros_like(w), np.zeros_like(dual)

    def _balanced(self, w: FloatArray, dual: FloatArray) -> FloatArray:
        free = w != 0 if self.l1 > 0 else np.ones(w.size, dtype=bool)
        a = np.column_stack([self.a[:, free], np.ones(self.y.size)]) if self.intercept else self.a[:, free]
        if a.shape[1] == 0:
            return dual
        pull = np.append(self.l2 * w[free] + self.l1 * np.sign(w[free]), np.zeros(int(self.intercept)))
        return dual - a @ ScaledCholesky(a.T @ a).solve(a.T @ dual + pull)
