"""p x + q |x|: linear functions, ReLU and its leaky kin, the absolute value."""

from __future__ import annotations

import numpy as np
from scipy import special

from gaussequiv._text import exact
from gaussequiv.errors import LARGEST_MOMENT, FloatArray, fail, number
from gaussequiv.ingredients.activations.base import Coefficients, Dual
from gaussequiv.ingredients.activations.closed_form import ClosedForm
from gaussequiv.ingredients.activations.dual_kernels import correlation
from gaussequiv.ingredients.activations.neurons import NeuronMoments


def angle_between(variance: float, covariance: float, gap: float) -> float:
    """arccos(covariance/variance), exact for a small gap."""
    return float(np.arctan2(np.sqrt(gap) * np.sqrt(variance + covariance), covariance))


class PiecewiseLinear(ClosedForm):
    """phi(x) = p x + q |x|, whose moments are arc-cosine kernels (Cho and Saul 2009)."""

    p: float
    q: float

    def __init__(self, p: float, q: float, name: str) -> None:
        object.__setattr__(self, "p", p)
        object.__setattr__(self, "q", q)
        super().__init__(lambda x: p * x + q * abs(x), name=name, kinks=(0.0,) if q else (), smooth=q == 0)

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        p2, q2 = self.p**2, self.q**2
        gap = variance - covariance if gap is None else gap
        if variance == 0:
            return Dual(0.0, p2 + q2, 0.0, 0.0, 0.0)
        angle = angle_between(variance, covariance, gap)
        if angle < 0.1:  # series of sin a - a cos a and of a - sin a
            a2 = angle * angle
            lost = angle**3 / 3 * (1 - a2 / 10 * (1 - a2 / 28 * (1 - a2 / 54)))
            bent = angle**3 / 6 * (1 - a2 / 20 * (1 - a2 / 42 * (1 - a2 / 72)))
        else:
            lost, bent = float(np.sin(angle) - angle * np.cos(angle)), float(angle - np.sin(angle))
        scale = 2 * variance / np.pi
        spread = p2 * gap + q2 * (gap - scale * lost)
        product = p2 * covariance + q2 * (covariance + scale * lost)
        return Dual(
            float(product), float(p2 + q2 * (1 - 2 * angle / np.pi)), float((p2 + q2) * variance), float(spread), float(q2 * scale * bent)
        )

    def mean(self, s: FloatArray) -> FloatArray:
        return self.q * np.sqrt(2 / np.pi) * np.sqrt(s)

    def mean_slope(self, s: FloatArray) -> FloatArray:
        return np.full_like(s, self.p)

    def coefficients(self, variance: float) -> Coefficients:
        root = float(np.sqrt(variance))
        mean, rest = self.q * np.sqrt(2 / np.pi), abs(self.q) * np.sqrt(1 - 2 / np.pi)
        return Coefficients(float(mean * root), float(self.p), float(rest * root))

    def product(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        """E |u||v| = (2/pi) sqrt(s1 s2) (sqrt(1 - rho^2) + rho asin rho)."""
        p2, q2 = self.p**2, self.q**2
        if q2 == 0:
            c *= p2
            return c
        rho = correlation(c, s1, s2)
        bent = np.arcsin(rho)
        bent *= 2 / np.pi * q2
        bent += p2
        bent *= rho
        np.square(rho, out=rho)
        np.subtract(1.0, rho, out=rho)
        np.sqrt(rho, out=rho)
        rho *= 2 / np.pi * q2
        bent += rho
        bent *= np.sqrt(s1)
        bent *= np.sqrt(s2)
        return bent

    def slope(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        rho = np.arcsin(correlation(c, s1, s2))
        rho *= 2 / np.pi * self.q**2
        rho += self.p**2
        return rho

    def second(self, s: FloatArray) -> FloatArray:
        return (self.p**2 + self.q**2) * s

    def slope_second(self, s: FloatArray) -> FloatArray:
        return np.full_like(s, self.p**2 + self.q**2)

    def bend(self, covariance: FloatArray, gap: FloatArray) -> FloatArray:
        if self.q == 0:
            return np.zeros_like(gap)
        return self.q**2 * 2 / np.pi / (np.sqrt(gap) * np.sqrt(2 * covariance + gap))

    def neurons(self, means: FloatArray, scales: FloatArray) -> NeuronMoments:
        """E|u| = b (2 Phi(t) - 1) + 2 s g(t), E sign(u) = 2 Phi(t) - 1, t = b/s; E u|u| by parts."""
        p, q, b, s = self.p, self.q, means, scales
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(s > 0, b / s, np.sign(b) * np.inf)
        t = np.where((s == 0) & (b == 0), 0.0, t)
        sign = special.erf(t / np.sqrt(2))
        density = np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi)
        absolute = b * sign + 2 * s * density
        mean = p * b + q * absolute
        slope = p + q * sign
        square = b * b + s * s
        product = square * sign + 2 * b * s * density  # E u|u|
        # Var = p^2 s^2 + 2 p q Cov(u, |u|) + q^2 (E u^2 - (E|u|)^2)
        variance = p * p * s * s + 2 * p * q * (product - b * absolute) + q * q * (square - absolute**2)
        return NeuronMoments(mean, slope, np.maximum(variance, 0.0))


def leaky_relu(slope: float) -> PiecewiseLinear:
    """max(x, slope x) for 0 <= slope <= 1, in closed form."""
    if abs(number("slope", slope)) > LARGEST_MOMENT:
        raise fail("slope", f"at most {LARGEST_MOMENT:g} in magnitude", slope)
    label = "leaky_relu" if slope == 0.01 else f"leaky_relu:{exact(slope)}"
    return PiecewiseLinear(0.5 * (1 + slope), 0.5 * (1 - slope), label)
