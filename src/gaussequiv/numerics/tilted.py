"""Integrals of exp(exponent(x)) in one variable, many at once: the grid zooms in on where the integrand lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.panels import legendre_panels

DEPTH = 42.0  # exp(-42) = 6e-19: where the integrand is negligible against its maximum
_COARSE, _ZOOMS, _PANELS, _ORDER = 65, 3, 8, 12
_GRADED = np.array([-0.25, -0.12, -0.06, -0.03, -0.015, -0.007, 0.0, 0.007, 0.015, 0.03, 0.06, 0.12, 0.25])  # of the interval


class Tilted(NamedTuple):
    """log of the integral, mean and variance of the normalised density, one entry a point."""

    log_integral: FloatArray
    mean: FloatArray
    variance: FloatArray


def tilted_moments(
    exponent: Callable[[FloatArray, slice], FloatArray], low: FloatArray, high: FloatArray, kinks: tuple[float, ...] = ()
) -> Tilted:
    """log int exp(exponent(x)) dx over [low, high] and the first two moments, for every point.

    Parameters
    ----------
    exponent : callable
        exponent(x, part) for x of shape (points in part, nodes), `part` the slice of points asked for.
    low, high : arrays of shape (points,)
    kinks : tuple of float
        Places where the exponent is not smooth; panels end there.

    Three passes of 65 values each find the interval in which the exponent is within 42 of its maximum; there Gauss-Legendre panels, graded
    around its two highest maxima and ending at the kinks, integrate it.

    Examples
    --------
    >>> found = tilted_moments(lambda x, part: -50 * (x - 0.3) ** 2, np.array([-9.0]), np.array([9.0]))
    >>> round(float(found.mean[0]), 12), round(float(found.variance[0]), 12)
    (0.3, 0.01)
    """
    out = Tilted(*(np.empty(low.size) for _ in range(3)))
    for start in range(0, low.size, 2048):
        part = slice(start, min(start + 2048, low.size))
        a, b = low[part].copy(), high[part].copy()
        grid = np.linspace(0, 1, _COARSE)
        for _ in range(_ZOOMS):
            x = a[:, None] + (b - a)[:, None] * grid
            values = exponent(x, part)
            keep = values >= values.max(axis=1, keepdims=True) - DEPTH
            first, last = keep.argmax(axis=1), _COARSE - 1 - keep[:, ::-1].argmax(axis=1)
            rows = np.arange(a.size)
            a, b = x[rows, np.maximum(first - 1, 0)], x[rows, np.minimum(last + 1, _COARSE - 1)]
        x = a[:, None] + (b - a)[:, None] * grid
        values = exponent(x, part)
        higher = np.full(values.shape, -np.inf)
        inner = values[:, 1:-1]
        higher[:, 1:-1] = np.where((inner >= values[:, :-2]) & (inner >= values[:, 2:]), inner, -np.inf)
        peaks = x[rows[:, None], np.argsort(higher, axis=1)[:, -2:]]
        extra = (peaks[:, :, None] + (b - a)[:, None, None] * _GRADED).reshape(a.size, -1)
        extra = np.concatenate([extra, np.broadcast_to(np.array(kinks), (a.size, len(kinks)))], axis=1)
        edges = a[:, None] + (b - a)[:, None] * np.linspace(0, 1, _PANELS + 1)
        edges = np.sort(np.concatenate([edges, np.clip(extra, a[:, None], b[:, None])], axis=1), axis=1)
        x, weights = legendre_panels(edges, _ORDER)
        values = exponent(x, part)
        top = values.max(axis=1, keepdims=True)
        mass = weights * np.exp(values - np.where(np.isfinite(top), top, 0.0))
        total = mass.sum(axis=1)
        empty = ~(total > 0)  # the integrand vanishes
        total[empty] = 1.0
        centre = 0.5 * (a + b)[:, None]  # moments about the middle of the interval: no cancellation where it is narrow
        first_moment = (mass * (x - centre)).sum(axis=1) / total
        second = (mass * (x - centre - first_moment[:, None]) ** 2).sum(axis=1) / total
        out.log_integral[part] = np.where(empty, -np.inf, np.log(total) + top[:, 0])
        out.mean[part] = centre[:, 0] + first_moment
        out.variance[part] = second
    return out
