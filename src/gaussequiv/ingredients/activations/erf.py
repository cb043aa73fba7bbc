"""The error function."""

from __future__ import annotations

import numpy as np
from scipy import special

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.activations.base import Dual
from gaussequiv.ingredients.activations.closed_form import ClosedForm

_X, _W = np.polynomial.legendre.leggauss(24)


class Erf(ClosedForm):
    """erf(x), with the arcsine moments of Williams (1997)."""

    def __init__(self) -> None:
        super().__init__(special.erf, name="erf", smooth=True)

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        gap = variance - covariance if gap is None else gap
        one = 1 + 2 * variance
        root, flat = np.sqrt((1 + 2 * gap) * (one + 2 * covariance)), np.sqrt(1 + 4 * variance)  # of 1 - sin^2, times one
        slope = (4 / np.pi) / root
        product = (2 / np.pi) * np.arcsin(2 * covariance / one)
        x, y = 2 * variance / one, 2 * covariance / one
        spread = (2 / np.pi) * np.arcsin((2 * gap / one) * (x + y) / ((x * root + y * flat) / one)) if gap > 0 else 0.0
        if gap < 0.05:  # residue = int (slope(t) - slope(K0)) dt over covariances t from K0 to sigma
            t = 0.5 * gap * (1 + _X)
            at = np.sqrt((1 + 2 * (gap - t)) * (one + 2 * (covariance + t)))
            residue = 0.5 * gap * float(_W @ ((4 / np.pi) * 4 * t * (2 * covariance + t) / (root * at * (root + at))))
        else:
            residue = float(spread - slope * gap)
        second = (2 / np.pi) * np.arcsin(x)
        return Dual(float(product), float(slope), float(second), float(spread), residue)

    def mean(self, s: FloatArray) -> FloatArray:
        return np.zeros_like(s)

    def mean_slope(self, s: FloatArray) -> FloatArray:
        return 2 / np.sqrt(np.pi * (1 + 2 * s))

    def product(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        """(2/pi) asin(2 c/sqrt((1 + 2 s1)(1 + 2 s2)))."""
        c *= 2 / np.sqrt(1 + 2 * s1)
        c *= 1 / np.sqrt(1 + 2 * s2)
        np.arcsin(c, out=c)
        c *= 2 / np.pi
        return c

    def slope(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        c *= c
        c *= -4.0
        c += (1 + 2 * s1) * (1 + 2 * s2)
        np.sqrt(c, out=c)
        return np.divide(4 / np.pi, c, out=c)

    def second(self, s: FloatArray) -> FloatArray:
        return 2 / np.pi * np.arcsin(2 * s / (1 + 2 * s))

    def slope_second(self, s: FloatArray) -> FloatArray:
        return 4 / np.pi / np.sqrt(1 + 4 * s)

    def bend(self, covariance: FloatArray, gap: FloatArray) -> FloatArray:
        one = 1 + 2 * gap
        return 16 / np.pi * covariance / (one * (one + 4 * covariance)) ** 1.5
