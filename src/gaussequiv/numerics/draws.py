"""Draws from densities tabulated on Gauss-Legendre panels, by the inverse of their distribution functions."""

from __future__ import annotations

from functools import cache

import numpy as np

from gaussequiv.errors import FloatArray

_HALVINGS = 48  # of a panel: to rounding


@cache
def _primitive(order: int) -> FloatArray:
    """Matrix from a function's values at the nodes to the Legendre series of its integral from -1."""
    x, _ = np.polynomial.legendre.leggauss(order)
    to_series = np.linalg.inv(np.polynomial.legendre.legvander(x, order - 1))
    return np.stack([np.polynomial.legendre.legint(row, lbnd=-1) for row in np.eye(order)], axis=1) @ to_series


def inverse_draws(nodes: FloatArray, mass: FloatArray, density: FloatArray, u: FloatArray, order: int) -> FloatArray:
    """Where the distribution functions reach the fractions u of their totals, one for each row.

    Parameters
    ----------
    nodes, mass, density : arrays of shape (rows, panels * order)
        From `legendre_panels` of this `order`: places, weights times density, density.
    u : array of shape (rows,), in [0, 1)

    The panel is chosen by its share of the total, the place in it by the integral of the polynomial through its values, so that no draw
    falls where the density was zero all over a panel.
    """
    rows = np.arange(u.size)
    panels = mass.reshape(u.size, -1, order).sum(axis=2)
    below = np.cumsum(panels, axis=1)
    wanted = u * below[:, -1]
    # the first panel whose end lies beyond: never an empty one
    chosen = np.minimum((below <= wanted[:, None]).sum(axis=1), panels.shape[1] - 1)
    start = np.where(chosen > 0, below[rows, np.maximum(chosen - 1, 0)], 0.0)
    x = nodes.reshape(u.size, -1, order)[rows, chosen]
    gauss, _ = np.polynomial.legendre.leggauss(order)
    half = (x[:, -1] - x[:, 0]) / (gauss[-1] - gauss[0])
    middle = 0.5 * (x[:, -1] + x[:, 0])
    series = density.reshape(u.size, -1, order)[rows, chosen] @ _primitive(order).T * half[:, None]
    target = wanted - start
    low, high = np.full(u.size, -1.0), np.full(u.size, 1.0)
    for _ in range(_HALVINGS):
        centre = 0.5 * (low + high)
        above = _series_at(series, centre) > target
        low, high = np.where(above, low, centre), np.where(above, centre, high)
    return middle + half * 0.5 * (low + high)


def _series_at(series: FloatArray, x: FloatArray) -> FloatArray:
    """Legendre series, one row for each x, by Clenshaw's recurrence."""
    n = series.shape[1] - 1
    first, second = series[:, n], np.zeros_like(x)
    for k in range(n - 1, -1, -1):
        first, second = series[:, k] + (2 * k + 1) / (k + 1) * x * first - (k + 1) / (k + 2) * second, first
    return first
