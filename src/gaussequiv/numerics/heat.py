r"""Averages E f(omega + sqrt(V) xi), xi standard normal, and their derivatives in omega, from tables of a few of them.

They obey the heat equation, so averages over a narrower law give those over a wider one. At the rungs V0 of a ladder, E f is tabulated on
a grid in omega of step h, and for V >= 1.5 V0 with s^2 = V - V0,

    E f(omega + sqrt(V) xi) = (h/s) sum_n F(z_n) phi((omega - z_n)/s),   F(z) = E f(z + sqrt(V0) xi).

The sum is a trapezoidal rule: the spectrum of its terms falls like exp(-k^2/(2 (1/V0 + 1/s^2))), so that h = 0.43 sqrt(V0) leaves an error
of exp(-(2 pi/h)^2 V0/6) = 1e-15, for any bounded f, jumps included. Derivatives by Hermite polynomials at the grid's points give Taylor
series between them, whose terms fall like (h/(2 s))^j/sqrt(j!).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.panels import REACH

_RUNG = np.sqrt(2.0)  # ratio of neighbouring V0
_WIDER = 1.5  # least V/V0
_STEP = 0.43  # h over sqrt(V0)
_WINDOW = int(np.ceil(REACH * np.sqrt(_WIDER * _RUNG - 1) / _STEP))  # grid points on either side
_TERMS = 18  # of the Taylor series
_LONGEST = 6000  # points of one grid: a longer one costs more than it saves
_BLOCK = 2_000_000  # numbers held at once

Average = Callable[[FloatArray, float], FloatArray]


class HeatTable:
    """Averages of a bounded function over normal laws.

    Parameters
    ----------
    average : callable
        (omega of shape (points,), V0) -> E f(omega + sqrt(V0) xi), asked for on grids only.

    Examples
    --------
    >>> from scipy.special import ndtr
    >>> table = HeatTable(lambda omega, V: ndtr(omega / np.sqrt(V)))
    >>> omega, V = np.array([[-0.3, 1.2]]), np.array([0.49])
    >>> table.reaches(omega, V)
    array([ True])
    >>> bool(np.max(np.abs(table.derivatives(omega, V)[0] - ndtr(omega / 0.7))) < 1e-14)
    True
    """

    def __init__(self, average: Average) -> None:
        self._average = average
        self._grids: dict[int, tuple[int, FloatArray]] = {}  # number of the first point, averages, by rung

    def reaches(self, omega: FloatArray, V: FloatArray) -> NDArray[np.bool_]:
        """Rows of omega, shape (rows, points), for which a grid of moderate size serves; V has shape (rows,)."""
        known = np.isfinite(omega).all(axis=1) & np.isfinite(V) & (V > 1e-200) & (V < 1e200)
        rung, _, step = _ladder(np.where(known, V, 1.0))
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = (edge / step for edge in (omega.min(axis=1, initial=np.inf), omega.max(axis=1, initial=-np.inf)))
            known &= (np.abs(low) < 1e12) & (np.abs(high) < 1e12)
        for k in np.unique(rung[known]).tolist():
            rows = np.flatnonzero(known & (rung == k))
            first, grid = self._grids.get(k, (0, np.empty(0)))
            # rows are taken in as long as the grid that all of them need is not too long
            ends = np.sort(np.stack([low[rows], high[rows]]), axis=0)
            order = np.argsort(ends[1] - ends[0])
            below, above = np.minimum.accumulate(ends[0][order]), np.maximum.accumulate(ends[1][order])
            if grid.size:
                below, above = np.minimum(below, first + _WINDOW), np.maximum(above, first + grid.size - _WINDOW)
            known[rows[order[above - below > _LONGEST]]] = False
        return known

    def derivatives(self, omega: FloatArray, V: FloatArray) -> FloatArray:
        """The average and its first three derivatives in omega, shape (4, rows, points), for rows that the table `reaches`."""
        out = np.empty((4, *omega.shape))
        rung, narrow, step = _ladder(V)
        for k in np.unique(rung).tolist():
            of_rung = np.flatnonzero(rung == k)
            h = float(step[of_rung[0]])
            nearest = np.rint(omega[of_rung] / h).astype(int)
            first, last = int(nearest.min()), int(nearest.max())
            windows = np.lib.stride_tricks.sliding_window_view(self._values(k, first, last), 2 * _WINDOW + 1)
            block = max(1, _BLOCK // (windows.shape[0] * _TERMS))
            for start in range(0, of_rung.size, block):
                part = slice(start, start + block)
                rows = of_rung[part]
                s = np.sqrt(V[rows] - narrow[rows])
                series = windows @ _kernel(h / s)  # (rows, grid, terms), in omega/s
                at = nearest[part]
                x = (omega[rows] - h * at) / s[:, None]
                out[:, rows] = _taylor(series, at - first, x) / s[:, None] ** np.arange(4)[:, None, None]
        return out

    def _values(self, rung: int, first: int, last: int) -> FloatArray:
        """Averages at the grid's points from first - _WINDOW to last + _WINDOW."""
        low, high = first - _WINDOW, last + _WINDOW + 1
        start, known = self._grids.get(rung, (low, np.empty(0)))
        narrow = _RUNG**rung
        h = _STEP * np.sqrt(narrow)
        if low < start:
            known = np.concatenate([self._average(h * np.arange(low, start), narrow), known])
            start = low
        if high > start + known.size:
            known = np.concatenate([known, self._average(h * np.arange(start + known.size, high), narrow)])
        self._grids[rung] = start, known
        return known[low - start : high - start]


def _ladder(V: FloatArray) -> tuple[NDArray[np.int_], FloatArray, FloatArray]:
    """Rung, its V0 and the step of its grid."""
    rung = np.floor(np.log(V / _WIDER) / np.log(_RUNG)).astype(int)
    narrow = _RUNG**rung
    return rung, narrow, _STEP * np.sqrt(narrow)


def _kernel(d: FloatArray) -> FloatArray:
    """Taylor coefficients of d phi(x - n d) at x = 0, shape (d, n = -_WINDOW.._WINDOW, terms): (-1)^j He_j(t)/j! d phi(t), t = -n d."""
    t = -d[:, None] * np.arange(-_WINDOW, _WINDOW + 1)
    out = np.empty((*t.shape, _TERMS))
    out[..., 0] = d[:, None] * np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi)
    out[..., 1] = -t * out[..., 0]
    for j in range(1, _TERMS - 1):  # He_{j+1} = t He_j - j He_{j-1}
        out[..., j + 1] = -(t * out[..., j] + out[..., j - 1]) / (j + 1)
    return out


def _taylor(series: FloatArray, at: NDArray[np.int_], x: FloatArray) -> FloatArray:
    """The series at grid points `at` and their first three derivatives, at distance x from those, shape (4, rows, points)."""
    rows, grid, _ = series.shape
    by_term = np.ascontiguousarray(series.reshape(rows * grid, _TERMS).T)
    index = at + grid * np.arange(rows)[:, None]
    out = np.zeros((4, *x.shape))
    for coefficients in by_term[::-1]:  # Horner's scheme, of derivatives over their factorials
        for k in (3, 2, 1):
            out[k] *= x
            out[k] += out[k - 1]
        out[0] *= x
        out[0] += coefficients[index]
    out[2] *= 2
    out[3] *= 6
    return out
