"""Gaussian moments of many neurons, each with its own mean and scale of pre-activation."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy import special

from gaussequiv.errors import AccuracyWarning, FloatArray
from gaussequiv.ingredients.activations import base as acts

REACH = 13.0
TOLERANCE = 1e-11
MOST_NODES = 8193


class NeuronMoments(NamedTuple):
    """E phi(b + s z), E phi'(b + s z) = E z phi/s, Var phi(b + s z); arrays of one entry a neuron."""

    mean: FloatArray
    slope: FloatArray
    variance: FloatArray


def neuron_moments(phi: acts.Activation, means: FloatArray, scales: FloatArray) -> NeuronMoments:
    """Moments at every (mean b, scale s): closed form for piecewise linear functions, refined quadrature otherwise.

    The derivative never appears (Stein); a neuron of scale 0 is a constant.
    """
    if isinstance(phi, acts.PiecewiseLinear):
        return _piecewise_linear(phi.p, phi.q, means, scales)  # type: ignore[attr-defined]
    live = scales > 0
    safe = np.where(live, scales, 1.0)
    found = _quadrature(phi, means, safe)
    if live.all():
        return found
    return NeuronMoments(np.where(live, found.mean, phi(means)), np.where(live, found.slope, 0.0), np.where(live, found.variance, 0.0))


def _piecewise_linear(p: float, q: float, b: FloatArray, s: FloatArray) -> NeuronMoments:
    """phi(u) = p u + q |u|: E|u| = b (2 Phi(t) - 1) + 2 s g(t), E sign(u) = 2 Phi(t) - 1, t = b/s; E u|u| by parts."""
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


def _quadrature(phi: acts.Activation, means: FloatArray, scales: FloatArray) -> NeuronMoments:
    points = 129
    previous = _level(phi, means, scales, points)
    while True:
        points = 2 * points - 1
        current = _level(phi, means, scales, points)
        size = max(1.0, float(np.max(current.variance)))
        error = max(float(np.max(np.abs(a - b))) for a, b in zip(current, previous, strict=True))
        if error <= TOLERANCE * size or points >= MOST_NODES:
            break
        previous = current
    if error > 1e-8 * size:
        warnings.warn(
            f"The moments of activation {phi.name!r} have an estimated error of {error:.1e}; "
            "if it has kinks or jumps, declare them: Activation(function, kinks=(...)).",
            AccuracyWarning,
            stacklevel=3,
        )
    return current


def _level(phi: acts.Activation, means: FloatArray, scales: FloatArray, points: int) -> NeuronMoments:
    mean, slope, variance = (np.empty(means.size) for _ in range(3))
    rows = max(1, 1_000_000 // points)
    for start in range(0, means.size, rows):
        part = slice(start, start + rows)
        b, s = means[part, None], scales[part, None]
        if phi.kinks:
            z, weights = _panels(phi.kinks, b, s, points // (len(phi.kinks) + 1))
        else:
            z = np.linspace(-REACH, REACH, points)[None, :]
            weights = np.exp(-0.5 * z * z)
            weights /= weights.sum()
        f = phi(b + s * z)
        mean[part] = (weights * f).sum(axis=1)
        f -= mean[part, None]
        slope[part] = (weights * f * z).sum(axis=1) / s[:, 0]
        variance[part] = (weights * f * f).sum(axis=1)
    return NeuronMoments(mean, slope, variance)


def _panels(kinks: tuple[float, ...], b: FloatArray, s: FloatArray, order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes between the kinks, one row for every neuron."""
    x, w = np.polynomial.legendre.leggauss(order)
    inner = np.clip((np.sort(np.array(kinks))[None, :] - b) / s, -REACH, REACH)
    ends = np.full((len(b), 1), REACH)
    edges = np.concatenate([-ends, inner, ends], axis=1)
    half = 0.5 * np.diff(edges, axis=1)[:, :, None]
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])[:, :, None]
    z = (middle + half * x).reshape(len(b), -1)
    weights = (half * w).reshape(len(b), -1) * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return z, weights
