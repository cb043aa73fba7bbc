"""Discrete real labels: quantised fields and Poisson counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import special

from gaussequiv._jax import elementwise
from gaussequiv._text import exact, short_name_of
from gaussequiv.errors import FloatArray, fail, number
from gaussequiv.ingredients.channels.label_atoms import LabelAtoms, function_atoms
from gaussequiv.ingredients.channels.label_moments import LabelMoments, quadrature_moments
from gaussequiv.ingredients.channels.quadrature import Outcomes, QuadratureChannel
from gaussequiv.numerics.panels import legendre_panels
from gaussequiv.numerics.tails import bend, inverse_mills

LARGEST_RATE = 1e6  # of Poisson counts
LARGEST_COUNT = 1e10  # of which the square roots are summed panel by panel
LARGEST_DRAW = 9e18  # rate of a count that fits into an integer


@dataclass(frozen=True)
class Quantised(QuadratureChannel):
    r"""y = values[k] where field + sqrt(noise) z lies between thresholds[k-1] and thresholds[k].

    Parameters
    ----------
    thresholds : increasing sequence of K numbers
    noise : float
        Variance of the noise before the quantiser.
    values : sequence of K + 1 different numbers, optional
        Labels of the bins, lowest first (default 0, 1, ..., K).

    Examples
    --------
    >>> round(float(Quantised((-1, 0, 1)).log_partition(2.0, 0.0, 1.0)), 6)  # log P(0 < z < 1)
    -1.074862
    """

    thresholds: Any
    noise: float = 0.0
    values: Any = None
    task: str = field(default="regression", init=False)
    discrete: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        number("noise", self.noise, nonnegative=True, meaning="It is the variance of the noise before the quantiser.")
        cuts = tuple(float(t) for t in self.thresholds)
        if not cuts or not np.all(np.isfinite(cuts)) or np.any(np.diff(cuts) <= 0):
            raise fail("thresholds", "an increasing sequence of finite numbers", self.thresholds)
        values = tuple(float(v) for v in (range(len(cuts) + 1) if self.values is None else self.values))
        if len(values) != len(cuts) + 1 or len(set(values)) < len(values):
            raise fail("values", f"{len(cuts) + 1} different numbers, one for each bin", self.values)
        for key, value in (("thresholds", cuts), ("values", values), ("kinks", cuts)):
            object.__setattr__(self, key, value)
        object.__setattr__(self, "_edges", np.array([-np.inf, *cuts, np.inf]))

    def _bin(self, y: FloatArray) -> Any:
        values = np.array(self.values)
        order = np.argsort(values)
        found = order[np.clip(np.searchsorted(values[order], y), 0, values.size - 1)]
        if np.any(values[found] != y):
            wrong = np.asarray(y)[values[found] != y]
            raise fail("y", f"labels among {self.values}", float(wrong.flat[0]))
        return found

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        z = field + np.sqrt(self.noise) * rng.standard_normal(field.shape) if self.noise else field
        return np.array(self.values)[np.searchsorted(np.array(self.thresholds), z)]

    def _terms(self, k: Any, omega: FloatArray, V: FloatArray | float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """log Z of the bins k and its first two derivatives in omega, by normal tails on the side where they are small."""
        root = np.sqrt(np.asarray(V) + self.noise)
        edges: FloatArray = self._edges  # type: ignore[attr-defined]
        a, b = (edges[k] - omega) / root, (edges[k + 1] - omega) / root
        side = np.where(a > 0, -1.0, 1.0)  # both edges on the right: use the upper tails
        low, high = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
        top, bottom = special.log_ndtr(high), special.log_ndtr(low)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.exp(bottom - top)
            whole = 1 / -np.expm1(bottom - top)
            at_high = inverse_mills(high) * whole
            at_low = np.where(share > 0, inverse_mills(low) * share * whole, 0.0)
            inner = np.where(share > 0, low * at_low, 0.0)
            second = -whole * bend(high) - at_high**2 * share + inner + 2 * at_high * at_low - at_low**2
        return top - np.log(whole), side * (at_low - at_high) / root, second / root**2

    def log_partition(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        return self._terms(self._bin(np.asarray(y, float)), np.asarray(omega, float), V)[0]

    def g_out(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        _, g, dg = self._terms(self._bin(np.asarray(y, float)), np.asarray(omega, float), V)
        return g, dg

    def outcomes(self, omega: FloatArray, V: float, order: int) -> Outcomes:
        k = np.arange(len(self.values))
        log_Z, g, _ = self._terms(k, omega[:, None], V)
        Z = np.exp(log_Z)
        return Outcomes(np.ones(k.size), Z, np.where(Z > 0, Z * np.nan_to_num(g), 0.0))

    def mean_label(self, z: FloatArray) -> FloatArray:
        return self._probabilities(z) @ np.array(self.values)

    def label_variance(self, z: FloatArray) -> FloatArray:
        p, values = self._probabilities(z), np.array(self.values)
        mean: FloatArray = p @ values
        return np.sum(p * (values - mean[..., None]) ** 2, axis=-1)

    def _probabilities(self, z: FloatArray) -> FloatArray:
        k = np.arange(len(self.values))
        if self.noise == 0:
            return (np.searchsorted(np.array(self.thresholds), np.asarray(z))[..., None] == k).astype(float)
        return np.exp(self._terms(k, np.asarray(z, float)[..., None], 0.0)[0])

    def predict(self, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        omega, V = np.broadcast_arrays(np.asarray(omega, float), np.asarray(V, float))
        k = np.arange(len(self.values))
        return np.exp(self._terms(k, omega[..., None], V[..., None])[0]) @ np.array(self.values)

    def label_moments(self, b0: FloatArray, variance: float) -> LabelMoments:
        """Closed form, but for E Var[y | field] under noise."""
        if variance + self.noise == 0:
            return quadrature_moments(self, b0, variance)
        values, b0 = np.array(self.values), np.asarray(b0, float)
        log_Z, g, _ = self._terms(np.arange(values.size), b0[..., None], variance)
        p = np.exp(log_Z)
        mean = p @ values
        slope = np.sum(np.where(p > 0, p * np.nan_to_num(g), 0.0) * (values - mean[..., None]), axis=-1)
        total = np.sum(p * (values - mean[..., None]) ** 2, axis=-1)
        noise = quadrature_moments(self, b0, variance, float(np.sqrt(self.noise))).noise if self.noise else np.zeros_like(total)
        return LabelMoments(mean, slope if variance > 0 else np.zeros_like(slope), total - noise, noise)

    def atoms(self, b0: float, variance: float) -> LabelAtoms:
        """Pairs of the field with its noise and the bin's value."""
        cuts, values = np.array(self.thresholds), np.array(self.values)
        return function_atoms(lambda z: values[np.searchsorted(cuts, z)], self.kinks, b0, variance + self.noise, 0.0)

    def with_noise(self, noise: float) -> Quantised:
        """The same quantiser with another noise before it."""
        return replace(self, noise=noise)

    def __str__(self) -> str:
        plain = self.values == tuple(float(k) for k in range(len(self.values)))
        return f"quantised:{'/'.join(exact(t) for t in self.thresholds)}{'' if plain else f' as {list(self.values)}'}"


@dataclass(frozen=True)
class Poisson(QuadratureChannel):
    """y ~ Poisson(rate(field)): photon or spike counts.

    Parameters
    ----------
    rate : callable, optional
        Positive, elementwise, NumPy or JAX (default exp).
    scale : float
        Factor on the rate.
    kinks : tuple of float
        Points where the rate or its derivative jumps.

    Examples
    --------
    >>> round(float(Poisson().predict(0.0, 1.0)), 6)  # E exp(z) = sqrt(e)
    1.648721
    """

    rate: Callable[[Any], Any] = np.exp
    scale: float = 1.0
    kinks: tuple[float, ...] = ()
    task: str = field(default="regression", init=False)
    discrete: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        scale = number("scale", self.scale, positive=True, meaning="It multiplies the rate.")
        if scale > LARGEST_RATE:
            raise fail("scale", f"at most {LARGEST_RATE:g}, as counts are summed one by one", scale)
        name = short_name_of(self.rate)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "_call", elementwise(self.rate, name, "rate"))
        z = np.linspace(-8.6, 8.6, 1001)
        if np.any(self.mean_label(z) < 0):
            raise fail("rate", "a function with non-negative values", float(self.mean_label(z).min()))
        object.__setattr__(self, "kinks", tuple(float(k) for k in self.kinks))
        # scale of the likelihood in z at one standard deviation: sqrt(rate)/rate'
        z = np.linspace(-2.5, 2.5, 501)
        rate = self.mean_label(z)
        slope = np.abs(np.gradient(rate, z))
        object.__setattr__(self, "resolution", float(np.min(np.sqrt(np.maximum(rate, 0.2)) / np.maximum(slope, 1e-9))))

    def _tilted(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> Any:
        counts = np.asarray(y, float)
        if np.any(counts != np.rint(counts)):
            raise fail("y", "non-negative integers", float(counts[counts != np.rint(counts)].flat[0]))
        return super()._tilted(counts, omega, V)

    def mean_label(self, z: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # an infinite rate has no counts
            rate: FloatArray = self.scale * self._call(np.asarray(z, float))  # type: ignore[attr-defined]
        return rate

    def label_variance(self, z: FloatArray) -> FloatArray:
        return self.mean_label(z)

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        rate = self.mean_label(field)
        if not np.all(rate <= LARGEST_DRAW):
            raise fail(
                "labels", f"counts of rates up to {LARGEST_DRAW:g} for fields of this size", str(self), f"A rate is {rate.max():.6g}."
            )
        return rng.poisson(rate).astype(float)

    def log_likelihood(self, y: FloatArray, z: FloatArray) -> FloatArray:
        if np.any(np.asarray(y) < 0):
            raise fail("y", "non-negative counts", float(np.min(y)))
        rate = self.mean_label(z)
        with np.errstate(invalid="ignore"):
            value: FloatArray = special.xlogy(y, rate) - rate - special.gammaln(np.asarray(y) + 1)
        return np.where(np.isinf(rate), -np.inf, value)

    def label_nodes(self, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """Every count up to 400; beyond, where the law of y is smooth over many counts, panels in sqrt(y)."""
        rate = self.mean_label(np.linspace(low, high, 257))
        last = float(rate.max() + 10 * np.sqrt(rate.max()) + 40)
        if not last <= LARGEST_COUNT:
            meaning = f"Its rate reaches {rate.max():.6g} for fields between {low:.6g} and {high:.6g}."
            raise fail("labels", f"counts up to {LARGEST_COUNT:g} for this learner", str(self), meaning)
        y = np.arange(min(int(last), 400) + 1.0)
        weights = np.ones(y.size)
        if last <= 400:
            return y, weights
        first = np.sqrt(400.5)  # the midpoint rule ends between two counts
        s, w = legendre_panels(np.linspace(first, np.sqrt(last), int(np.ceil(np.sqrt(last) - first)) + 1)[None, :])
        return np.concatenate([y, s[0] ** 2]), np.concatenate([weights, 2 * s[0] * w[0]])

    def __str__(self) -> str:
        if self.rate is not np.exp:
            return f"poisson({self.name}, {exact(self.scale)})"  # type: ignore[attr-defined]
        return "poisson" if self.scale == 1 else f"poisson:{exact(self.scale)}"
