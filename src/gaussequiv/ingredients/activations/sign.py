"""The sign."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.activations.base import Activation, Coefficients, Dual
from gaussequiv.ingredients.activations.closed_form import ClosedForm
from gaussequiv.ingredients.activations.dual_kernels import correlation, no_tangent
from gaussequiv.ingredients.activations.piecewise_linear import angle_between


class SignActivation(ClosedForm):
    """sign(x), with the arcsine moments; its tangent kernel is infinite on the diagonal."""

    def __init__(self) -> None:
        super().__init__(np.sign, name="sign", kinks=(0.0,))

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        gap = variance - covariance if gap is None else gap
        if gap <= 0:
            return Dual(1.0, 0.0, 1.0, 0.0, 0.0)
        angle = angle_between(variance, covariance, gap)
        slope = (2 / np.pi) / (np.sqrt(gap) * np.sqrt(variance + covariance))  # the product of the two may underflow
        spread = 2 * angle / np.pi
        return Dual(float(1 - spread), float(slope), 1.0, spread, float(2 / np.pi * (angle - np.tan(0.5 * angle))))

    def coefficients(self, variance: float) -> Coefficients:
        if variance == 0:
            return Activation.coefficients(self, variance)
        return Coefficients(0.0, float(np.sqrt(2 / np.pi) / np.sqrt(variance)), float(np.sqrt(1 - 2 / np.pi)))

    def mean(self, s: FloatArray) -> FloatArray:
        return np.zeros_like(s)

    def mean_slope(self, s: FloatArray) -> FloatArray:
        return np.sqrt(2 / np.pi) / np.sqrt(s)

    def product(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        rho = correlation(c, s1, s2)
        np.arcsin(rho, out=rho)
        rho *= 2 / np.pi
        return rho

    def slope(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        raise no_tangent("sign")

    def second(self, s: FloatArray) -> FloatArray:
        return np.ones_like(s)

    def slope_second(self, s: FloatArray) -> FloatArray:
        raise no_tangent("sign")

    def bend(self, covariance: FloatArray, gap: FloatArray) -> FloatArray:
        raise no_tangent("sign")


Sign = SignActivation  # its name of before
