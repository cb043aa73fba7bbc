"""Losses of the margin u = y z, for labels -1 and 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.losses.base import Loss, clipped, graded

# 16-point Gauss-Legendre panels beside a singularity at a distance pi from the real line: the first may be 6 wide, the next may reach
# four times as far (Bernstein ellipse 3, error 3^-32), and exp(-2u), the decay of g^2, is resolved on panels 8 wide.
_FIRST, _FACTOR, _WIDE = 6.0, 4.0, 8.0
_NEWTON_STEPS = 4  # three reach rounding from the Wright-omega start (measured on 4e5 points, V 1e-12 to 1e14)


@dataclass(frozen=True)
class Logistic(Loss):
    r"""Logistic loss log(1 + exp(-u)), u = y z: scikit-learn's ``LogisticRegression``.

    prox: x = u + V sigma(-x). For u >= -V/2 the root is x >= 0 and Newton starts at u + omega(log V - u), omega the Wright function,
    which solves the equation with sigma(-x) replaced by exp(-x); the rest follows from x -> -x, u -> -u - V. g = sigma(-x).

    Examples
    --------
    >>> f"{Logistic().prox(1.0, -9.0, 20.0):.10f}"  # Newton from omega jumps between -9 and 10.9 for ever
    '0.1669891393'
    """

    name = "logistic"
    kind = "margin"
    margin_limit = True

    def at(self, t: FloatArray) -> FloatArray:
        return np.logaddexp(0.0, -t)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return -special.expit(-t)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return special.expit(t) * special.expit(-t)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        right = t >= -0.5 * V
        mirrored = -t - V
        shift = mirrored + t
        lost = (-t - (mirrored - shift)) - (V + shift)  # the rounding error of -t - V
        a, rest = np.where(right, t, mirrored), np.where(right, 0.0, lost)
        x = np.maximum(a + special.wrightomega(np.log(V) - a), 0.0)
        for _ in range(_NEWTON_STEPS):
            s, c = _tail(x)
            x = np.maximum(x - ((x - a) - rest - V * s) / (1 + V * c), 0.0)
        s, c = _tail(x)
        g = (s + c * ((x - a) - rest)) / (1 + V * c)
        c = g * (1 - g)
        return np.where(right, g, 1 - g), -c / (1 + V * c)

    def breaks(self, V: ArrayLike) -> FloatArray:
        # g has its nearest singularities where 1 + V sigma(x) sigma(-x) = 0: at c +- i pi and at their mirror images about -V/2
        v = np.clip(np.nan_to_num(np.asarray(V, dtype=np.float64)), 0.0, 1e100)[..., None]  # trial steps may go anywhere
        root = np.sqrt(v)
        step = 2 * np.arcsinh(0.5 * root)
        centre = step + np.divide(root * root, np.expm1(step), out=np.zeros_like(v), where=v > 0)
        reach = float(np.max(centre + 0.5 * v)) if v.size else 1.0
        count = max(1, int(np.ceil(np.log(max(reach / _FIRST, 1.0)) / np.log(_FACTOR))))
        left = np.concatenate([-0.5 * v, *(np.maximum(edge, -0.5 * v) for edge in graded(centre, _FIRST, _FACTOR, count))], axis=-1)
        half = np.concatenate([left, centre, *(centre + _FIRST + _WIDE * k for k in range(5))], axis=-1)
        return np.concatenate([(-v - half)[..., ::-1], half[..., 1:]], axis=-1)

    def probability(self, z: ArrayLike) -> FloatArray:
        return special.expit(np.asarray(z, dtype=np.float64))


def _tail(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """sigma(-x) and sigma(x) sigma(-x) for x >= 0, to full relative precision."""
    e = np.exp(-x)
    s = e / (1 + e)
    return s, s / (1 + e)


@dataclass(frozen=True)
class Exponential(Loss):
    r"""Exponential loss exp(-u), u = y z (boosting). prox = u + omega(log V - u) and g = omega/V with omega the Wright function.

    Examples
    --------
    >>> g, dg = Exponential().proximal(1.0, 0.0, 1.0)
    >>> f"{float(g):.10f}"  # the solution of x = exp(-x)
    '0.5671432904'
    """

    name = "exponential"
    tilts = True
    kind = "margin"
    margin_limit = True

    def at(self, t: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # infinite below -709
            return np.exp(-t)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return -self.at(t)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return self.at(t)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        z = np.log(V) - t
        w = special.wrightomega(z)
        small = z < 0  # there omega may underflow, and z has lost the digits of t
        g = np.where(small, np.exp(-np.where(small, t, 0.0)) * np.exp(-w), w / V)
        return g, -g / (1 + V * g)

    def breaks(self, V: ArrayLike) -> FloatArray:
        # g = omega(log V - u)/V: singular at log V + 1 +- i pi, exponential to the right, almost linear far to the left
        centre = np.log(np.asarray(V, dtype=np.float64)[..., None]) + 1
        right = [centre + _FIRST + _WIDE * k for k in range(9)]
        return np.concatenate([*graded(centre, _FIRST, _FACTOR, 10), centre, *right], axis=-1)


@dataclass(frozen=True)
class Hinge(Loss):
    r"""Hinge loss max(0, 1 - u), u = y z: scikit-learn's ``SVC(kernel="linear")``. g = clip((1 - u)/V, 0, 1).

    Examples
    --------
    >>> Hinge().prox(1.0, [-3.0, 0.5, 2.0], 2.0).tolist()
    [-1.0, 1.0, 2.0]
    """

    name = "hinge"
    kind = "margin"
    margin_limit = True

    @property
    def kinks(self) -> tuple[tuple[float, float, float], ...]:
        return ((1.0, -1.0, 0.0),)

    def at(self, t: FloatArray) -> FloatArray:
        return np.maximum(1 - t, 0.0)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return np.where(t < 1, -1.0, 0.0)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return np.zeros_like(t)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        return clipped(t - 1, V, np.inf, 0.0, 1.0)


@dataclass(frozen=True)
class SquaredHinge(Loss):
    r"""Squared hinge loss max(0, 1 - u)^2/2, u = y z, with the factor 1/2, so that it is the square loss at u < 1.

    scikit-learn's ``LinearSVC(loss="squared_hinge", C=C)`` has no 1/2 (and penalises its intercept): its C is 1/(2 lam).

    Examples
    --------
    >>> float(SquaredHinge().value(1.0, -1.0))
    2.0
    """

    name = "squared_hinge"
    kind = "margin"
    margin_limit = True

    @property
    def pieces(self) -> tuple[tuple[float, float, float, float], ...]:
        return ((1.0, -np.inf, 0.0, 1.0),)

    def at(self, t: FloatArray) -> FloatArray:
        return 0.5 * np.maximum(1 - t, 0.0) ** 2

    def slope_at(self, t: FloatArray) -> FloatArray:
        return -np.maximum(1 - t, 0.0)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return np.where(t < 1, 1.0, 0.0)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        return clipped(t - 1, V, 1.0, 0.0, np.inf)

    def breaks(self, V: ArrayLike) -> FloatArray:
        return np.ones((*np.shape(V), 1))


@dataclass(frozen=True)
class MaxMargin(Loss):
    r"""Hard margin: 0 if u = y z >= 1, infinite otherwise. prox = max(u, 1), g = max(1 - u, 0)/V.

    The limit lam -> 0+ of logistic, exponential, hinge and squared hinge losses on separable data, in units of the margin.

    Examples
    --------
    >>> MaxMargin().prox(-1.0, [2.0, -3.0], 8.0).round(12).tolist()
    [-1.0, -3.0]
    """

    name = "max_margin"
    kind = "margin"
    margin_limit = True

    @property
    def kinks(self) -> tuple[tuple[float, float, float], ...]:
        return ((1.0, -np.inf, 0.0),)

    def at(self, t: FloatArray) -> FloatArray:
        return np.where(t >= 1, 0.0, np.inf)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return np.where(t >= 1, 0.0, -np.inf)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return np.zeros_like(t)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        return clipped(t - 1, V, np.inf, 0.0, np.inf)

    def breaks(self, V: ArrayLike) -> FloatArray:
        return np.ones((*np.shape(V), 1))
