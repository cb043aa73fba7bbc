r"""What is known of S0 = W' diag(v) W/sqrt(k d) once its entries are seen in noise: Y = sqrt(snr) S0 + GOE.

The law of S0 is invariant under rotations, so that the optimal estimate keeps Y's eigenvectors and moves its eigenvalues (Ledoit, Peche
2011; Bun, Allez, Bouchaud, Potters 2016). With S = S0/sqrt(gamma) and D the variance of the noise beside S,

    lambda -> lambda - 2 D Re G_D(lambda),   F(D) = D - (4 pi^2/3) D^2 int rho_D^3,   mmse(snr) = gamma F(1/(gamma snr)),

F the mean squared error per dimension.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicHermiteSpline, CubicSpline

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.free_convolution import FreeSum
from gaussequiv.numerics.panels import gauss

CUBE = 4 * np.pi**2 / 3
LOG_SNR = np.linspace(np.log(1e-4), np.log(1e9), 601)  # nodes of the table; below it mmse = 1 - snr + c snr^2, as rounding eats slopes
NEWTON_STEPS = 12


class MatrixPrior:
    r"""mmse, overlap and information of S0 against the signal-to-noise ratio; deterministic multiples of the identity do not count.

    Parameters
    ----------
    width_ratio : float
        gamma = k/d.
    values, masses : tuples of float
        The law of the readouts v, E v^2 = 1.

    Examples
    --------
    >>> prior = MatrixPrior(0.5, (1.0,), (1.0,))
    >>> prior.overlap([0.1, 1.0, 10.0]).round(6).tolist()
    [0.106072, 0.603051, 0.933459]
    """

    def __init__(self, width_ratio: float, values: tuple[float, ...], masses: tuple[float, ...]) -> None:
        self.law = FreeSum(width_ratio, values, masses)
        self.width_ratio = width_ratio

    @cached_property
    def mean(self) -> float:
        """E v, the multiple of the identity that S is before any data."""
        return float(np.dot(self.law.values, self.law.masses))

    @property
    def variance(self) -> float:
        """Mean square error per dimension before any data, E v^2/gamma."""
        return float(np.dot(np.square(self.law.values), self.law.masses)) / self.width_ratio

    def shrink(self, eigenvalues: FloatArray, noise: float) -> FloatArray:
        """Eigenvalues of the best estimate of S from those of S + sqrt(noise) GOE. Outside of the law's bands, where none are in the
        limit, the map is infinitely steep at the edges: there it is constant, and between two bands linear."""
        edges, G = self.law.edge_values(noise)
        shrunk = np.interp(eigenvalues, edges, edges - 2 * noise * G)
        inside = np.searchsorted(edges, eigenvalues) % 2 == 1
        shrunk[inside] = eigenvalues[inside] - 2 * noise * self.law.transform(eigenvalues[inside], noise).real
        return np.asarray(shrunk)

    def mean_error(self, noise: float) -> float:
        """F(noise)."""
        return float(self.error(noise)[0][0])

    def error(self, noise: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """F(D) and F'(D)."""
        D = np.atleast_1d(np.asarray(noise, dtype=np.float64))
        found = self.law.cubes(D)
        return D - CUBE * D**2 * found.cube, 1 - CUBE * (2 * D * found.cube + D**2 * found.cube_slope)

    def mmse(self, snr: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """mmse, which is 1 at snr = 0, and its derivative; snr positive."""
        lam = np.atleast_1d(np.asarray(snr, dtype=np.float64))
        D = 1 / (self.width_ratio * lam)
        value, slope = self.error(D)
        return self.width_ratio * value, -self.width_ratio * slope * D / lam

    def overlap(self, snr: ArrayLike) -> FloatArray:
        """1 - mmse: the normalised overlap of the best estimate with S0."""
        return 1 - self.mmse(snr)[0]

    def overlap_slope(self, snr: ArrayLike) -> FloatArray:
        """Its derivative, 1 at snr = 0."""
        return -self.mmse(snr)[1]

    @cached_property
    def table(self) -> MatrixTable:
        """The same functions from a table, to about 1e-8: for roots that are searched for."""
        snr = np.exp(LOG_SNR)
        value, slope = self.mmse(snr)
        return MatrixTable(value, slope)


class MatrixTable:
    """mmse, its slope and its integral between nodes in log snr."""

    def __init__(self, value: FloatArray, slope: FloatArray) -> None:
        snr = np.exp(LOG_SNR)
        elasticity = slope * snr / value
        self.least = float(value[-1])
        self._bend = (1 + slope[0]) / (2 * snr[0])
        self._log_mmse = CubicHermiteSpline(LOG_SNR, np.log(value), elasticity)
        self._elasticity = CubicSpline(LOG_SNR, elasticity)
        nodes, weights = gauss(8)
        half = np.diff(LOG_SNR)[:, None] / 2
        places = (LOG_SNR[1:] + LOG_SNR[:-1])[:, None] / 2 + half * nodes
        pieces = np.sum(half * weights * np.exp(self._log_mmse(places) + places), axis=1)
        self._integral = CubicHermiteSpline(LOG_SNR, snr[0] + np.concatenate([[0.0], np.cumsum(pieces)]), value * snr)

    def mmse(self, snr: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """mmse and its derivative."""
        lam = np.asarray(snr, dtype=np.float64)
        y = np.log(np.clip(lam, np.exp(LOG_SNR[0]), np.exp(LOG_SNR[-1])))
        below, value = lam < np.exp(LOG_SNR[0]), np.exp(self._log_mmse(y))
        slope = self._elasticity(y) * value / np.exp(y)
        return np.where(below, 1 - lam + self._bend * lam**2, value), np.where(below, -1 + 2 * self._bend * lam, slope)

    def information(self, snr: ArrayLike) -> FloatArray:
        """I(S0; Y)/d^2 = (1/4) int_0^snr mmse (Guo, Shamai, Verdu 2005)."""
        lam = np.asarray(snr, dtype=np.float64)
        y = np.log(np.clip(lam, np.exp(LOG_SNR[0]), np.exp(LOG_SNR[-1])))
        return np.where(lam < np.exp(LOG_SNR[0]), lam, self._integral(y)) / 4

    def snr_of(self, left: ArrayLike) -> FloatArray:
        """The snr at which the mmse is `left`, in [least, 1]: Newton's method on its logarithm."""
        wanted = np.maximum(np.asarray(left, dtype=np.float64), self.least)
        known = self._log_mmse(LOG_SNR)
        y = np.interp(np.log(wanted), known[::-1], LOG_SNR[::-1])
        for _ in range(NEWTON_STEPS):
            step = np.clip((self._log_mmse(y) - np.log(wanted)) / np.minimum(self._elasticity(y), -1e-300), -1.0, 1.0)
            y = np.clip(y - step, LOG_SNR[0], LOG_SNR[-1])
        overlap = np.maximum(1 - wanted, 0.0)
        return np.where(wanted >= np.exp(known[0]), overlap * (1 + self._bend * overlap), np.exp(y))
