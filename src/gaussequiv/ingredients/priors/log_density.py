"""A prior from a user's log-density, by quadrature."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gaussequiv._jax import elementwise, on_arrays
from gaussequiv._text import name_of
from gaussequiv.errors import ArgumentError, FloatArray, fail, number
from gaussequiv.ingredients.priors.base import Prior, ScalarPosterior
from gaussequiv.numerics.panels import legendre_panels
from gaussequiv.numerics.soft_threshold import Mixture
from gaussequiv.numerics.tilted import Tilted, tilted_moments

_QUANTILES = np.array([1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.35])
_PANELS = 24  # of equal length, beside those of given mass
_GRADES = np.array([-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0])  # ends of panels about a place, in widths
_ORDER = 10


class LogDensity(Prior):
    """A user's prior from its log-density, which need not be normalised.

    Parameters
    ----------
    function : callable
        x -> log density, elementwise, NumPy or JAX; -inf is allowed outside `support`.
    support : (float, float)
        Interval of x; infinite ends are replaced by where the density has fallen by exp(-42).
    kinks : tuple of float
        Points where the log-density or a derivative jumps.
    name : str, optional
    scale : float
        A length within which the law's bulk is to be found, used for infinite supports; peaks much narrower than a hundredth of it may be
        overlooked.

    Posterior moments by `tilted_moments`. Moments are checked by a second rule; what differs is refused.

    Examples
    --------
    >>> laplace = LogDensity(lambda x: -abs(x), kinks=(0.0,))
    >>> round(laplace.second_moment, 9)
    2.0
    """

    name: str
    second_moment: float
    largest: float

    def __init__(
        self,
        function: Callable[[Any], Any],
        support: tuple[float, float] = (-np.inf, np.inf),
        kinks: tuple[float, ...] = (),
        name: str | None = None,
        scale: float = 1.0,
    ) -> None:
        self.function, self.name = function, name or name_of(function)
        self.kinks = tuple(float(k) for k in kinks)
        number("scale", scale, positive=True)
        low, high = (float(end) for end in support)
        if not low < high:
            raise fail("support", "an interval (low, high)", support)
        self._ends = tuple(end for end in (low, high) if np.isfinite(end))
        try:
            self._call = partial(on_arrays, function) if self._ends else elementwise(function, self.name, "log-density")
        except ArgumentError as error:
            raise ArgumentError(f"{error} A law with a finite end needs support=(low, high).") from None
        self.low, self.high = self._bulk(low, high, scale)
        found = tilted_moments(lambda x, part: self._call(x), np.array([self.low]), np.array([self.high]), self.kinks)
        self._log_mass = float(found.log_integral[0])
        self.second_moment = float(found.variance[0] + found.mean[0] ** 2)
        self.largest = max(abs(self.low), abs(self.high))
        x, weights = self._table()
        A = 3 / self.second_moment  # the zooming rule against the table, for the law and for a posterior that is not symmetric
        tilt = weights * np.exp(0.37 * A * np.sqrt(self.second_moment) * x - 0.5 * A * x * x)
        seen = float(self.posterior(A, 0.37 * A * np.sqrt(self.second_moment)).mean)
        check = max(abs(float(weights @ x**2) / self.second_moment - 1), abs(float(tilt @ x / tilt.sum()) / seen - 1))
        if not check <= 1e-7:
            raise ArgumentError(
                f"Argument `function` must be a log-density that quadrature resolves, but for {self.name!r} two rules for its moments "
                f"differ by {check:.1e}; declare kinks=(...), support=(low, high) or scale."
            )
        self._nodes, self._cumulative = x, np.cumsum(weights) - 0.5 * weights

    def _bulk(self, low: float, high: float, scale: float) -> tuple[float, float]:
        t = np.linspace(-12, 12, 4001)
        x = np.clip(scale * np.sinh(t), low, high)
        values = self._call(x)
        if not np.any(np.isfinite(values)) or np.any(values == np.inf):
            raise fail("function", "a log-density that is finite on its support", float(values.max()))
        inside = np.flatnonzero(values >= values.max() - 42)
        a, b = x[max(inside[0] - 1, 0)], x[min(inside[-1] + 1, x.size - 1)]
        if (np.isinf(low) and inside[0] == 0) or (np.isinf(high) and inside[-1] == x.size - 1):
            raise fail("function", "a log-density that falls by 42 within 80,000 scales (heavier tails have no use here)", self.name)
        return float(a), float(b)

    def _table(self) -> tuple[FloatArray, FloatArray]:
        inner = [k for k in self.kinks if self.low < k < self.high]
        edges = np.sort(np.concatenate([np.linspace(self.low, self.high, 1025), inner]))
        x, w = legendre_panels(edges[None, :], 6)
        return x[0], w[0] * np.exp(self._call(x[0]) - self._log_mass)

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        """Independent draws, by the inverse of the distribution function tabulated at 6,000 nodes."""
        u = rng.random(size)
        return np.interp(u, self._cumulative, self._nodes)

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> ScalarPosterior:
        """log Z, mean and variance."""
        A, b = np.broadcast_arrays(np.asarray(A, float), np.asarray(b, float))
        flat_A, flat_b = A.ravel(), b.ravel()
        found, peak = self._about(flat_A, flat_b)
        return ScalarPosterior(*(value.reshape(b.shape) for value in (found.log_integral + peak, found.mean, found.variance)))

    def _about(self, A: FloatArray, b: FloatArray) -> tuple[Tilted, FloatArray]:
        """Moments under exp(-A (x - b/A)^2/2), and b^2/(2 A), which that leaves out; where A is small, under exp(b x - A x^2/2), and 0."""
        sharp = A * (self.high - self.low) ** 2 > 1.0
        safe = np.where(sharp, A, 1.0)
        centre = np.where(sharp, b / safe, 0.0)
        inside = sharp & (centre > self.low) & (centre < self.high)  # outside, the posterior leans on an end of the support
        reach = 40 / np.sqrt(safe)
        low = np.where(inside, np.maximum(centre - reach, self.low), self.low)
        high = np.where(inside, np.minimum(centre + reach, self.high), self.high)

        def exponent(x: FloatArray, part: slice) -> FloatArray:
            square = 0.5 * A[part, None] * (x - centre[part, None]) ** 2
            return self._call(x) - self._log_mass - square + np.where(sharp[part, None], 0.0, b[part, None] * x)

        return tilted_moments(exponent, low, high, self.kinks), np.where(sharp, 0.5 * b * centre, 0.0)

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        """log density of b."""
        flat = np.asarray(b, float).ravel()
        found, peak = self._about(np.full(flat.size, float(r)), flat)
        rest = np.where(peak > 0, 0.0, 0.5 * flat * flat / r) if r * (self.high - self.low) ** 2 <= 1.0 else 0.0
        value: FloatArray = found.log_integral - rest - 0.5 * np.log(2 * np.pi * r)
        return value.reshape(np.shape(b))

    def breaks(self, r: float) -> FloatArray:
        """The declared kinks and the ends of a finite support."""
        return r * np.array([*(self.kinks or (0.0,)), *self._ends])

    def mixture(self, places: FloatArray, width: FloatArray) -> Mixture:
        """Points of a Gauss-Legendre rule on panels that follow the law's mass and are graded about the `places`."""
        quantiles = np.interp([*_QUANTILES, 0.5, *(1 - _QUANTILES)], self._cumulative, self._nodes)
        inner = [k for k in self.kinks if self.low < k < self.high]
        fixed = np.concatenate([np.linspace(self.low, self.high, _PANELS + 1), quantiles, inner])
        graded = (places[:, :, None] + width[:, None, None] * _GRADES).reshape(places.shape[0], -1)
        edges = np.concatenate([np.broadcast_to(fixed, (places.shape[0], fixed.size)), np.clip(graded, self.low, self.high)], axis=1)
        x, weights = legendre_panels(np.sort(edges, axis=1), _ORDER)
        flat = np.full(1 << (x.size - 1).bit_length(), x[0, 0])  # few sizes, for which functions of JAX are compiled once
        flat[: x.size] = x.ravel()
        log_density = self._call(flat)[: x.size].reshape(x.shape) - self._log_mass
        return Mixture(weights * np.exp(log_density), x, np.zeros_like(x))

    def __repr__(self) -> str:
        return f"LogDensity({self.name})"
