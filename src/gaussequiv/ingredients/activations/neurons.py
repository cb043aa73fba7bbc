"""Gaussian moments of many neurons, each with its own mean and scale of pre-activation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import AccuracyWarning, FloatArray

REACH = 13.0
TOLERANCE = 1e-11
MOST_NODES = 8193


class NeuronMoments(NamedTuple):
    """E phi(b + s z), E phi'(b + s z) = E z phi/s, Var phi(b + s z); arrays of one entry a neuron."""

    mean: FloatArray
    slope: FloatArray
    variance: FloatArray


def neuron_moments(phi: Any, means: FloatArray, scales: FloatArray) -> NeuronMoments:
    """Moments at every (mean b, scale s): closed form where the activation has one, refined quadrature otherwise."""
    found: NeuronMoments = phi.neurons(means, scales)
    return found


def by_quadrature(
    function: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], name: str, means: FloatArray, scales: FloatArray
) -> NeuronMoments:
    """Refined quadrature; the derivative never appears (Stein); a neuron of scale 0 is a constant."""
    live = scales > 0
    safe = np.where(live, scales, 1.0)
    found = _refined(function, kinks, name, means, safe)
    if live.all():
        return found
    return NeuronMoments(np.where(live, found.mean, function(means)), np.where(live, found.slope, 0.0), np.where(live, found.variance, 0.0))


def _refined(
    function: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], name: str, means: FloatArray, scales: FloatArray
) -> NeuronMoments:
    points = 129
    previous = _level(function, kinks, means, scales, points)
    while True:
        points = 2 * points - 1
        current = _level(function, kinks, means, scales, points)
        size = max(1.0, float(np.max(current.variance)))
        error = max(float(np.max(np.abs(a - b))) for a, b in zip(current, previous, strict=True))
        if error <= TOLERANCE * size or points >= MOST_NODES:
            break
        previous = current
    if error > 1e-8 * size:
        warnings.warn(
            f"The moments of activation {name!r} have an estimated error of {error:.1e}; "
            "if it has kinks or jumps, declare them: Activation(function, kinks=(...)).",
            AccuracyWarning,
            stacklevel=3,
        )
    return current


def _level(
    function: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], means: FloatArray, scales: FloatArray, points: int
) -> NeuronMoments:
    mean, slope, variance = (np.empty(means.size) for _ in range(3))
    rows = max(1, 1_000_000 // points)
    for start in range(0, means.size, rows):
        part = slice(start, start + rows)
        b, s = means[part, None], scales[part, None]
        if kinks:
            z, weights = _panels(kinks, b, s, points // (len(kinks) + 1))
        else:
            z = np.linspace(-REACH, REACH, points)[None, :]
            weights = np.exp(-0.5 * z * z)
            weights /= weights.sum()
        f = function(b + s * z)
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
