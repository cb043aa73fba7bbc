r"""The prior's half of state evolution: what is known of the target's linear part once each weight is seen with precision R.

overlap q(R), what is left S - q(R), and psi(R) = E log E_x exp(b x - R x^2/2), with q = 2 dpsi/dR, all in units of the field.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.numerics.panels import legendre_panels

_OFFSETS = np.array([-20.0, -8.0, -3.0, -1.0, -0.3, 0.0, 0.3, 1.0, 3.0, 8.0, 20.0])
_WIDTHS = np.array([-16.0, -8.0, -4.0, -2.0, -1.0, -0.4, 0.4, 1.0, 2.0, 4.0, 8.0, 16.0])  # of the noise, t = b/sqrt(r)
_PANELS = 160
_FEW = 16


class Known(NamedTuple):
    """q, S - q (computed without the difference) and psi."""

    q: float
    left: float
    psi: float


class GaussianModes:
    """Gaussian weights on modes of variance v in the field: q = mean R v^2/(1 + R v), psi = mean (R v - log(1 + R v))/2."""

    def __init__(self, v: FloatArray, weights: FloatArray) -> None:
        self.v, self.weights = v, weights
        self.total = float(weights @ v)

    def at(self, R: float) -> Known:
        """The half at precision R."""
        x = R * self.v
        shrunk = self.v / (1 + x)
        log_part = np.where(x > 1e-4, x - np.log1p(x), x * x * (0.5 - x * (1 / 3 - x * (1 / 4 - x / 5))))
        return Known(float(self.weights @ (x * shrunk)), float(self.weights @ shrunk), float(0.5 * self.weights @ log_part))


Modes = GaussianModes  # its name of before


class Independent:
    r"""Independent weights x ~ P0 on isotropic inputs, field of variance S = scale E x^2.

    The law of b is N(b; 0, r) Z(r, b), r = scale R, so that each average over weight and noise is one integral over b, on panels graded
    around the prior's `breaks`.
    """

    def __init__(self, prior: Any, scale: float) -> None:
        self.prior, self.scale = prior, scale
        self.total = float(scale * prior.second_moment)

    def at(self, R: float) -> Known:
        """The half at precision R."""
        r = self.scale * R
        if r <= 0:
            mean = float(self.prior.posterior(0.0, 0.0).mean)
            return Known(self.scale * mean**2, self.total - self.scale * mean**2, 0.0)
        root = np.sqrt(r)
        reach = root * self.prior.largest + 8.6
        count = int(np.clip(np.ceil(2 * reach / 1.5), 12, _PANELS))
        places = self.prior.breaks(r)[:, None] / root
        close = np.concatenate([(places + _OFFSETS * min(1.0, root) / root).ravel(), (places + _WIDTHS).ravel()])
        edges = np.sort(np.concatenate([np.linspace(-reach, reach, count + 1), np.clip(close, -reach, reach)]))
        t, weights = (a[0] for a in legendre_panels(edges[None, :], 12))
        found = self.prior.posterior(r, root * t)
        mass = root * weights * np.exp(self.prior.log_marginal(r, root * t))
        q, left = float(mass @ found.mean**2), float(mass @ found.variance)
        return Known(self.scale * q, self.scale * left, float(mass @ found.log_partition))


class Coordinates:
    """Independent weights on inputs whose coordinates have different variances: a sum of `Independent` over the spectrum."""

    def __init__(self, prior: Any, scales: FloatArray, weights: FloatArray) -> None:
        self.prior, self.scales, self.weights = prior, scales, weights
        self.total = float(weights @ scales) * float(prior.second_moment)
        self._one = Independent(prior, 1.0)
        self._table: Any = None

    def _functions(self, r: FloatArray) -> FloatArray:
        """Overlap, rest and psi at every precision; long spectra interpolate their logarithms in log r, to about 1e-8."""
        if r.size <= _FEW:
            return np.array([self._one.at(float(x)) for x in r]).T
        if self._table is None:
            grid = np.geomspace(1e-12, 1e16, 1121)
            values = np.array([self._one.at(float(x)) for x in grid]).T
            self._table = CubicSpline(np.log(grid), np.log(np.maximum(values, 1e-300)), axis=1)
        found: FloatArray = np.exp(self._table(np.log(np.clip(r, 1e-12, 1e16))))
        return found

    def at(self, R: float) -> Known:
        """The half at precision R."""
        if R <= 0:
            first, size = self._one.at(0.0), float(self.weights @ self.scales)
            return Known(size * first.q, size * first.left, 0.0)
        q, left, psi = self._functions(self.scales * R)
        return Known(float(self.weights @ (self.scales * q)), float(self.weights @ (self.scales * left)), float(self.weights @ psi))


def prior_side(e: GaussianEquivalent) -> GaussianModes | Independent | Coordinates:
    """The prior's half for an equivalent."""
    if e.prior is None:
        return GaussianModes(e.signal_modes, e.weights)
    scales = e.signal_modes / float(e.prior.second_moment)
    if np.ptp(scales) <= 1e-12 * scales.max():
        return Independent(e.prior, float(e.weights @ scales))
    if e.rotated:
        raise ArgumentError(
            f"Argument `inputs` must be isotropic or a spectrum for the Bayes-optimal learner of independent {e.prior.name} weights, but "
            f"is {e.inputs}: no closed state evolution is known in other coordinates than the weights' own."
        )
    return Coordinates(e.prior, scales, e.weights)
