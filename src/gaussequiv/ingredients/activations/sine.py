"""The sine."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.activations.base import Dual
from gaussequiv.ingredients.activations.closed_form import ClosedForm


class Sine(ClosedForm):
    """sin(x): E sin u sin v = exp(-(s1 + s2)/2) sinh(c)."""

    def __init__(self) -> None:
        super().__init__(np.sin, name="sine", smooth=True)

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        gap = variance - covariance if gap is None else gap
        near, far = np.exp(-gap), np.exp(-(variance + covariance))
        product = -0.5 * near * np.expm1(-2 * covariance)
        spread = -0.5 * np.expm1(-gap) * (1 + far)
        if gap < 0.05:  # series of 1 - exp(-g)(1 + g) and of g - 1 + exp(-g)
            bent = gap**2 * (1 / 2 - gap * (1 / 3 - gap * (1 / 8 - gap * (1 / 30 - gap * (1 / 144 - gap / 840)))))
            lost = gap**2 * (1 / 2 - gap * (1 / 6 - gap * (1 / 24 - gap * (1 / 120 - gap * (1 / 720 - gap / 5040)))))
        else:
            bent, lost = 1 - near * (1 + gap), gap - 1 + near
        return Dual(
            float(product),
            float(0.5 * (near + far)),
            float(-0.5 * np.expm1(-2 * variance)),
            float(spread),
            float(0.5 * (bent - far * lost)),
        )

    def mean(self, s: FloatArray) -> FloatArray:
        return np.zeros_like(s)

    def mean_slope(self, s: FloatArray) -> FloatArray:
        return np.exp(-0.5 * s)

    def product(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        size = np.abs(c)
        return -0.5 * np.sign(c) * np.expm1(-2 * size) * _damped(size, s1, s2)

    def slope(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        size = np.abs(c)
        return 0.5 * (1 + np.exp(-2 * size)) * _damped(size, s1, s2)

    def second(self, s: FloatArray) -> FloatArray:
        return -0.5 * np.expm1(-2 * s)

    def slope_second(self, s: FloatArray) -> FloatArray:
        return 0.5 * (1 + np.exp(-2 * s))

    def bend(self, covariance: FloatArray, gap: FloatArray) -> FloatArray:
        return -0.5 * np.exp(-gap) * np.expm1(-2 * covariance)


def _damped(size: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
    """exp(|c| - (s1 + s2)/2) <= 1: the hyperbolic functions alone would overflow."""
    return np.exp(np.minimum(size - 0.5 * s1 - 0.5 * s2, 0.0))
