"""Expectations over correlated Gaussian pairs by refined quadrature.

Smooth integrands: the trapezoidal rule on a symmetric grid, which converges exponentially in the inverse step for functions
analytic in a strip. Integrands with known kinks: Gauss-Legendre on the panels between them. Both are refined until
two successive levels agree, and the last difference is returned as the error estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.panels import gauss

RANGE = 13.0  # exp(-RANGE**2 / 2) = 2e-37: room for polynomial growth of degree 10 and beyond
STEEP = 8.0  # standard deviations over the function's scale beyond which panels around its centre are used
MAX_PANEL = 64  # nodes in a geometric panel: on one the function is smooth, so that what 64 do not resolve more do not either
FEWEST = 129  # nodes of the first level
MAX_ALONE, MAX_BOTH = 8193, 2049  # of the last one: of u alone, and of each of two integrals


class PairMoments(NamedTuple):
    """E f(u)^2, E f(u)f(v), E f'(u)f'(v), E f(u), E f'(u), the spread and residue below, and an error estimate.

    spread = E f(u)^2 - E f(u)f(v) and residue = spread - (sigma - K0) E f'(u)f'(v) are averages of squares, not differences. The error
    is absolute, for the first three.
    """

    second: float
    product: float
    slope: float
    mean: float
    mean_slope: float
    spread: float
    residue: float
    error: float


def normal_grid(points: int, reach: float = RANGE) -> tuple[FloatArray, FloatArray]:
    """Symmetric trapezoidal nodes and normalised weights for the standard normal law."""
    z = np.linspace(-reach, reach, points)
    weights = np.exp(-0.5 * z * z)
    return z, weights / weights.sum()


def _panel_grid(means: FloatArray, scale: float, kinks: tuple[float, ...], order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes between the kinks of f(mean + scale z), one row for every mean."""
    x, w = gauss(order)
    inner = np.clip((np.sort(np.array(kinks))[None, :] - means[:, None]) / scale, -RANGE, RANGE)
    ends = np.full((means.size, 1), RANGE)
    edges = np.concatenate([-ends, inner, ends], axis=1)
    half = 0.5 * np.diff(edges, axis=1)[:, :, None]
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])[:, :, None]
    z = (middle + half * x).reshape(means.size, -1)
    weights = (half * w * np.exp(-0.5 * (middle + half * x) ** 2)).reshape(means.size, -1) / np.sqrt(2 * np.pi)
    return z, weights


def _breaks(kinks: tuple[float, ...], spread: float, scale: float) -> tuple[float, ...]:
    """Panel ends for a law of standard deviation `spread` and a function that varies on `scale` around 0 or its kinks.

    None while the trapezoidal rule resolves the scale; beyond, geometric panels around every centre.
    """
    if scale > 0 and spread <= STEEP * scale:
        return kinks
    smallest = max(scale, 1e-8 * spread)
    steps = smallest * 2.0 ** np.arange(-1, np.ceil(np.log2(RANGE * spread / smallest)))
    centres = np.array(kinks or (0.0,))[:, None]
    return tuple(np.unique(np.concatenate([centres, centres + steps, centres - steps], axis=1)))


def conditional_moments(
    function: Callable[[FloatArray], FloatArray],
    means: FloatArray,
    scale: float,
    breaks: tuple[float, ...],
    points: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """h = E_z f(b + s z), h1 = E_z z f(b + s z)/s (= E_z f' by Stein), E_z (f - h)^2, E_z (f - h - h1 s z)^2 for every b; s = `scale`."""
    value, slope, spread, residue = (np.empty(means.size) for _ in range(4))
    nodes = points if not breaks else (len(breaks) + 1) * _order(breaks, points)
    rows = max(1, 2_000_000 // nodes)
    for start in range(0, means.size, rows):
        part = slice(start, start + rows)
        if breaks:
            z, weights = _panel_grid(means[part], scale, breaks, _order(breaks, points))
        else:
            row_nodes, row = normal_grid(points)
            z, weights = row_nodes[None, :], row[None, :]
        f = function(means[part, None] + scale * z)
        value[part] = (weights * f).sum(axis=1)
        centred = f - value[part, None]
        first = (weights * centred * z).sum(axis=1)
        slope[part] = first / scale
        spread[part] = (weights * centred**2).sum(axis=1)
        residue[part] = (weights * (centred - first[:, None] * z) ** 2).sum(axis=1)
    return value, slope, spread, residue


def _order(breaks: tuple[float, ...], points: int) -> int:
    """Nodes in each panel: long panels between a few kinks need more than geometric ones."""
    return (points - 1) // 2 if len(breaks) <= 3 else min((points - 1) // 8, MAX_PANEL)


def pair_moments(
    function: Callable[[FloatArray], FloatArray],
    variance: float,
    covariance: float,
    *,
    gap: float | None = None,
    kinks: tuple[float, ...] = (),
    tolerance: float = 1e-12,
) -> PairMoments:
    """Moments of f at a Gaussian pair (u, v) of equal `variance` and given `covariance` >= 0; `gap` is their difference, if known better.

    With u = sqrt(K0) b + sqrt(sigma - K0) z,  h(b) = E_z f,  h1(b) = E_z z f / sqrt(sigma - K0):
    E f(u)f(v) = E_b h^2 and E f'(u)f'(v) = E_b h1^2 (no derivative of f is needed, so kinks and jumps are allowed). A smooth f is
    taken to vary on a scale of order one around 0.
    """
    inside, outside = float(np.sqrt(variance - covariance if gap is None else gap)), float(np.sqrt(covariance))
    inner_breaks = _breaks(kinks, inside, 1.0)
    smoothed = inside if kinks else max(inside, 1.0)  # the scale of h
    outer_breaks = _breaks(kinks, outside, smoothed) if outside > STEEP * smoothed else ()
    previous: FloatArray | None = None
    error, stalls = np.inf, 0
    points, most = FEWEST, MAX_BOTH if covariance > 0 else MAX_ALONE
    while True:
        if outer_breaks:
            grid, mass = _panel_grid(np.zeros(1), outside, outer_breaks, _order(outer_breaks, points))
            b, weights = grid[0], mass[0]
        elif covariance > 0:
            b, weights = normal_grid(points)
        else:
            b, weights = np.zeros(1), np.ones(1)
        value, slope, spread, residue = conditional_moments(function, outside * b, inside, inner_breaks, points)
        product, inner_spread = weights @ value**2, weights @ spread
        firsts = [product + inner_spread, product, weights @ slope**2, weights @ value, weights @ slope]
        current = np.array([*firsts, inner_spread, weights @ residue])
        if previous is not None:
            last, error = error, float(np.max(np.abs(current[:3] - previous[:3])))
            stalls = stalls + 1 if error > 0.9 * last else 0  # rounding, where u and v are almost equal, or no convergence at all
            if error <= tolerance * max(1.0, float(np.max(np.abs(current[:3])))) or stalls == 2 or not np.isfinite(error):
                break
        if points >= most:
            break
        previous, points = current, 2 * points - 1
    return PairMoments(*map(float, (*current, error)))
