r"""Learning curves beyond the rows at hand: the power laws that a band of errors leaves possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray

EXPONENTS = np.geomspace(0.1, 3.0, 41)  # of n: from slowly decaying spectra to the neighbourhood of an interpolation peak
ROUNDING = 1e-9  # of the largest error: how far outside the band a corner may lie


@dataclass(frozen=True)
class PowerLaws:
    """E(n) = floor + scale (reference/n)^exponent, floor and scale >= 0: the best one, and the corners of all that stay inside a band.

    For one exponent the laws inside a band are a polygon in (floor, scale), of which every linear functional (an error, or a difference of
    two) has its extremes at corners.

    Parameters
    ----------
    reference : float
    best : array of shape (3,)
        floor, scale, exponent of least squares weighted by the band's half width.
    corners : array of shape (K, 3)
    """

    reference: float
    best: FloatArray
    corners: FloatArray

    def at(self, n: Any) -> FloatArray:
        """Best, lowest and highest error at sizes n, of shape (3, ...): the range over the laws, not a probability."""
        return self._range(lambda x: x, n)

    def gain(self, n: float, more: float) -> FloatArray:
        """Best, least and largest E(n) - E(n + more), of shape (3,)."""
        now, later = self._values(np.array([n, n + more]))
        drop = now - later
        return np.array([drop[0], drop.min(), drop.max()])

    @property
    def floor(self) -> FloatArray:
        """Best, lowest and highest error of infinitely many rows."""
        every = np.append(self.best[0], self.corners[:, 0])
        return np.array([every[0], every.min(), every.max()])

    def _range(self, function: Any, n: Any) -> FloatArray:
        values = function(self._values(np.atleast_1d(np.asarray(n, dtype=np.float64))))
        found: FloatArray = np.stack([values[:, 0], values.min(axis=1), values.max(axis=1)])
        return found

    def _values(self, n: FloatArray) -> FloatArray:
        """Of shape (sizes, 1 + K): the best law first."""
        floor, scale, exponent = np.vstack([self.best, self.corners]).T
        found: FloatArray = floor + scale * (self.reference / n[:, None]) ** exponent
        return found


def power_laws(sizes: FloatArray, error: FloatArray, half_width: FloatArray, reference: float) -> PowerLaws | None:
    """The power laws inside error +- half_width at every size; None where there is none, or the best one is not among them.

    Parameters
    ----------
    sizes, error, half_width : arrays of shape (S,), S >= 3
        Half widths are positive.
    reference : float
        Size in units of which the scale is told.

    Validity: an extrapolation. Errors of well-specified linear models (exponent 1) and of power-law spectra (exponents below 1) have this
    form at large n; a curve whose regime changes beyond the sizes has not.

    Examples
    --------
    >>> n = np.array([200.0, 400.0, 800.0, 1600.0])
    >>> laws = power_laws(n, 1 + 100 / n, np.full(4, 0.01), 1600.0)
    >>> [round(float(one), 2) for one in laws.best], bool(laws.at(1e4)[1, 0] < 1.01 < laws.at(1e4)[2, 0])
    ([1.0, 0.06, 1.0], True)
    """
    corners, fits = [], []
    for exponent in EXPONENTS:
        x = (reference / sizes) ** exponent
        found = _corners(x, error, half_width)
        corners.append(np.column_stack([found, np.full(len(found), exponent)]))
        fits.append(_least_squares(x, error, half_width, exponent))
    every = np.vstack(corners)
    best = _refined(sizes, error, half_width, reference, int(np.argmin([one[3] for one in fits])))
    inside = np.abs(best[0] + best[1] * (reference / sizes) ** best[2] - error) <= half_width + ROUNDING * error.max()
    if not every.size or not inside.all():
        return None
    return PowerLaws(float(reference), best, every)


def _corners(x: FloatArray, error: FloatArray, half_width: FloatArray) -> FloatArray:
    """Corners (floor, scale) of error - half_width <= floor + scale x <= error + half_width, floor, scale >= 0; of shape (K, 2)."""
    places, values = np.concatenate([x, x]), np.concatenate([error - half_width, error + half_width])
    i, j = np.triu_indices(len(places), 1)
    crossing = places[i] != places[j]
    i, j = i[crossing], j[crossing]
    scale = (values[i] - values[j]) / (places[i] - places[j])
    pairs = np.column_stack([values[i] - scale * places[i], scale])
    flat = np.column_stack([values, np.zeros(len(values))])
    falling = np.column_stack([np.zeros(len(values)), values / places])
    candidates = np.vstack([pairs, flat, falling])
    slack = ROUNDING * error.max()
    at = candidates[:, :1] + candidates[:, 1:] * x
    inside = np.all(np.abs(at - error) <= half_width + slack, axis=1) & np.all(candidates >= -slack, axis=1)
    found: FloatArray = np.maximum(candidates[inside], 0.0)
    return found


def _least_squares(x: FloatArray, error: FloatArray, half_width: FloatArray, exponent: float) -> FloatArray:
    """floor, scale, exponent and the weighted sum of squares, floor and scale >= 0."""
    from scipy.optimize import nnls

    design = np.column_stack([np.ones_like(x), x]) / half_width[:, None]
    coefficients, residual = nnls(design, error / half_width)
    return np.array([*coefficients, exponent, residual**2])


def _refined(sizes: FloatArray, error: FloatArray, half_width: FloatArray, reference: float, place: int) -> FloatArray:
    """The best law, its exponent searched between the neighbours of one of EXPONENTS."""
    from scipy.optimize import minimize_scalar

    ends = np.log(EXPONENTS[[max(place - 1, 0), min(place + 1, len(EXPONENTS) - 1)]])

    def law(logarithm: float) -> FloatArray:
        exponent = float(np.exp(logarithm))
        return _least_squares((reference / sizes) ** exponent, error, half_width, exponent)

    found = minimize_scalar(lambda logarithm: law(logarithm)[3], bounds=tuple(ends), method="bounded", options={"xatol": 1e-4})
    return law(float(found.x))[:3]
