r"""Bivariate normal probabilities through Owen's T function, T(h, a) = (1/2 pi) int_0^a exp(-h^2 (1+x^2)/2)/(1+x^2) dx."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from gaussequiv.errors import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(128)


def standardise(b: ArrayLike, variance: ArrayLike) -> FloatArray:
    """b/sqrt(variance); infinite at variance 0, where the field is the constant b and its sign is known."""
    b, variance = np.asarray(b, float), np.asarray(variance, float)
    random = variance > 0
    return np.where(random, b / np.sqrt(np.where(random, variance, 1.0)), np.inf)


def bivariate_cdf(h: ArrayLike, k: ArrayLike, r: ArrayLike) -> FloatArray:
    """P(X < h, Y < k) for standard normals of correlation r (Owen 1956), |r| < 1 or = 1."""
    h, k, r = np.broadcast_arrays(np.asarray(h, float), np.asarray(k, float), np.asarray(r, float))
    root = np.sqrt(np.maximum((1 - r) * (1 + r), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        a_h = (k - r * h) / (h * root)
        a_k = (h - r * k) / (k * root)
    a_h = np.where(h == 0, np.copysign(np.inf, k), a_h)
    a_k = np.where(k == 0, np.copysign(np.inf, h), a_k)
    opposite = ((h < 0) & (k > 0)) | ((h > 0) & (k < 0)) | (((h == 0) | (k == 0)) & (np.minimum(h, k) < 0))
    value = 0.5 * (special.ndtr(h) + special.ndtr(k)) - special.owens_t(h, a_h) - special.owens_t(k, a_k) - 0.5 * opposite
    both = 0.25 + np.arcsin(np.clip(r, -1, 1)) / (2 * np.pi)
    value = np.where((h == 0) & (k == 0), both, value)
    edge = np.where(r > 0, special.ndtr(np.minimum(h, k)), np.maximum(special.ndtr(h) - special.ndtr(-k), 0.0))
    value = np.where(root == 0, edge, value)
    value = np.where(np.isinf(h), np.where(h > 0, special.ndtr(k), 0.0), value)
    value = np.where(np.isinf(k), np.where(k > 0, special.ndtr(h), 0.0), value)
    return np.clip(value, 0.0, 1.0)


def sign_disagreement(a: ArrayLike, b: ArrayLike, r: ArrayLike) -> FloatArray:
    """P(sign(X + a) != sign(Y + b)) for standard normals of correlation r: Phi(a) + Phi(b) - 2 Phi2(a, b; r)."""
    a, b, r = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float), np.asarray(r, float))
    plain = np.arccos(np.clip(r, -1.0, 1.0)) / np.pi
    general = special.ndtr(a) + special.ndtr(b) - 2 * bivariate_cdf(a, b, r)
    return np.where((a == 0) & (b == 0), plain, general)


def aligned_disagreement(b: ArrayLike, ratio: ArrayLike) -> FloatArray:
    """`sign_disagreement` for a = b/r, the Bayes threshold: 2 T(b, sqrt(1-r^2)/r), `ratio` = sqrt(1-r^2)/r; no cancellation."""
    return np.asarray(2 * special.owens_t(np.asarray(b, float), np.asarray(ratio, float)))


def aligned_excess(b: ArrayLike, ratio: FloatArray, floor: FloatArray, difference: FloatArray) -> FloatArray:
    """aligned_disagreement(b, ratio) - aligned_disagreement(b, floor), given difference = ratio^2 - floor^2 exactly.

    With x = sinh(y) it is (1/pi) int exp(-b^2 cosh(y)^2/2)/cosh(y) dy over an interval whose length is the asinh of one quotient: no
    cancellation. The interval ends where the integrand has fallen by exp(-40).
    """
    b, ratio, floor, difference = np.broadcast_arrays(np.asarray(b, float), ratio, floor, difference)
    if not np.any(b):
        with np.errstate(divide="ignore", invalid="ignore"):
            tangent = difference / (ratio + floor) / (1 + ratio * floor)
        return np.where(np.isinf(ratio), np.pi / 2 - np.arctan(floor), np.arctan(tangent)) / np.pi
    start = np.arcsinh(floor)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = difference / (ratio * np.hypot(1, floor) + floor * np.hypot(1, ratio))
        length = np.where(np.isinf(ratio), np.inf, np.arcsinh(quotient))
        longest = np.arcsinh(np.sqrt(floor**2 + 80 / b**2)) - start
        length = np.minimum(length, np.minimum(longest, 40.0))  # 1/cosh falls by as much without b
        y = start[..., None] + 0.5 * length[..., None] * (1 + _NODES)
        integrand = np.exp(-0.5 * (b[..., None] * np.cosh(y)) ** 2) / np.cosh(y)
    return 0.5 * length * (integrand @ _WEIGHTS) / np.pi
