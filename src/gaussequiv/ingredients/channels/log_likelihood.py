"""Channels from a user's log-likelihood, and labels with a random parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import special
from scipy.interpolate import CubicSpline

from gaussequiv._jax import float64_scope
from gaussequiv.errors import ArgumentError, FloatArray, fail, number
from gaussequiv.ingredients.channels.quadrature import QuadratureChannel, noisy_labels
from gaussequiv.numerics.panels import legendre_panels

_TABLE = 4001


class LogLikelihood(QuadratureChannel):
    r"""A user's channel from log P(y | field).

    Parameters
    ----------
    function : callable
        (y, z) -> log P(y | z), elementwise on broadcast arrays, NumPy or JAX, normalised over y.
    labels : sequence of numbers, optional
        All labels, for discrete ones. Otherwise labels are real, within `support`.
    support : (float, float)
        Interval of real labels.
    kinks : tuple of float
        Fields at which the likelihood is not smooth.
    resolution : float
        Smallest scale on which the likelihood varies with the field.
    sample : callable, optional
        (rng, field) -> labels; by default the inverse of the tabulated distribution function.
    name : str, optional

    g_out and its derivative are posterior moments of the field, so no derivative of the function is needed. sum_y P(y | z) = 1 is checked
    when the channel is built.

    Examples
    --------
    >>> logistic = LogLikelihood(lambda y, z: -abs(y - z) - 2 * np.log1p(np.exp(-abs(y - z))))  # noise of a logistic law
    >>> logistic.information(0.5, 0.5).error < 1e-6
    True
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        *,
        labels: Sequence[float] | None = None,
        support: tuple[float, float] = (-np.inf, np.inf),
        kinks: tuple[float, ...] = (),
        resolution: float = 1.0,
        sample: Callable[[np.random.Generator, FloatArray], FloatArray] | None = None,
        name: str | None = None,
    ) -> None:
        if not callable(function):
            raise fail("function", "a function (y, z) -> log P(y | z)", function)
        module, qualname = getattr(function, "__module__", ""), getattr(function, "__qualname__", type(function).__qualname__)
        self.function, self.name = function, name or f"{module}:{qualname}"
        self.labels = None if labels is None else np.array(sorted(float(v) for v in labels))
        self.support = (float(support[0]), float(support[1]))
        if not self.support[0] < self.support[1]:
            raise fail("support", "an interval (low, high)", support)
        self.kinks = tuple(float(k) for k in kinks)
        self.resolution = number("resolution", resolution, positive=True)
        self._sample = sample
        z = np.array([-2.3, -0.4, 0.7, 1.9])
        for one in z:
            y, weights = self.label_nodes(one, one)
            mass = float(weights @ np.exp(self.log_likelihood(y, np.full(y.size, one))))
            if not abs(mass - 1) < 1e-6:
                raise ArgumentError(
                    f"Argument `function` must be a normalised log-likelihood, but at field {one:g} the labels of {self.name!r} have mass "
                    f"{mass:.8g}; labels=(...), support=(low, high) and resolution say where they are."
                )

    def log_likelihood(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """log P(y | z)."""
        with float64_scope():
            return np.asarray(self.function(y, z), dtype=np.float64)

    def label_nodes(self, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """The labels, or panels over where log P is within 42 of its largest value for some field between low and high."""
        if self.labels is not None:
            return self.labels, np.ones(self.labels.size)
        centre = 0.5 * (low + high)
        y = np.unique(np.clip(centre + np.sinh(np.linspace(-12, 12, 1601)), *self.support))
        z = np.unique(np.linspace(low, high, 9))
        values = self.log_likelihood(y[:, None], z[None, :])
        inside = np.any(values >= values.max(axis=0) - 42, axis=1)
        first, last = np.flatnonzero(inside)[[0, -1]]
        a, b = y[max(first - 1, 0)], y[min(last + 1, y.size - 1)]
        edges = np.linspace(a, b, int(np.clip(np.ceil((b - a) / self.resolution), 16, 2000)) + 1)
        places = np.clip(np.array([low, centre, high]), a, b) if low == high else np.array([a])
        nodes, weights = legendre_panels(np.sort(np.concatenate([edges, places]))[None, :])
        return nodes[0], weights[0]

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        """Draw labels."""
        if self._sample is not None:
            return np.asarray(self._sample(rng, field), dtype=np.float64)
        field = np.asarray(field, float)
        flat, u, out = field.ravel(), rng.random(field.size), np.empty(field.size)
        order = np.argsort(flat)
        for start in range(0, flat.size, 256):  # fields close to each other share a grid of labels
            rows = order[start : start + 256]
            y, weights = self.label_nodes(float(flat[rows].min()), float(flat[rows].max()))
            mass = weights * np.exp(self.log_likelihood(y[None, :], flat[rows, None]))
            below = np.cumsum(mass, axis=1)
            if self.labels is not None:
                out[rows] = y[np.minimum((u[rows, None] > below).sum(axis=1), y.size - 1)]
            else:
                out[rows] = [np.interp(one, inside, y) for one, inside in zip(u[rows], below - 0.5 * mass, strict=True)]
        return out.reshape(field.shape)

    def _moments(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of y at fields z; many fields are interpolated by cubic splines through 4,001 of them between the kinks."""
        flat = np.asarray(z, float).ravel()
        if flat.size > _TABLE:
            ends = [flat.min(), *(k for k in sorted(self.kinks) if flat.min() < k < flat.max()), flat.max()]
            out = np.empty((2, flat.size))
            for low, high in pairwise(ends):
                inside = (flat >= low) & (flat <= high)
                grid = np.linspace(low, high, _TABLE) if high > low else np.array([low, low + 1.0])
                edge = 1e-12 * max(1.0, abs(low), abs(high))  # the likelihood may jump at the kink itself
                values = self._moments(np.clip(grid, low + edge, high - edge))
                for k in range(2):
                    out[k, inside] = CubicSpline(grid, values[k])(flat[inside])
            return out[0].reshape(np.shape(z)), out[1].reshape(np.shape(z))
        mean, variance = np.empty(flat.size), np.empty(flat.size)
        order = np.argsort(flat)
        for start in range(0, flat.size, 256):
            rows = order[start : start + 256]
            y, weights = self.label_nodes(float(flat[rows].min()), float(flat[rows].max()))
            p = weights * np.exp(self.log_likelihood(y[None, :], flat[rows, None]))
            mean[rows] = p @ y
            variance[rows] = (p * (y[None, :] - mean[rows, None]) ** 2).sum(axis=1)
        return mean.reshape(np.shape(z)), variance.reshape(np.shape(z))

    def mean_label(self, z: FloatArray) -> FloatArray:
        """E[y | field]."""
        return self._moments(z)[0]

    def label_variance(self, z: FloatArray) -> FloatArray:
        """Var[y | field]."""
        return self._moments(z)[1]

    def __str__(self) -> str:
        return self.name


class RandomOutput(QuadratureChannel):
    r"""y = f(field; A) + sqrt(noise) z with a random parameter A of finite law: faulty, multiplicative or switching sensors.

    Parameters
    ----------
    function : callable
        (z, a) -> f, elementwise on broadcast arrays.
    values, probabilities : sequences
        The law of A.
    noise : float, positive
        Variance of the label noise.
    kinks : tuple of float
        Fields at which f is not smooth.
    name : str, optional

    Examples
    --------
    >>> faulty = RandomOutput(lambda z, a: a * z, (0.0, 1.0), (0.3, 0.7), noise=0.1)
    >>> round(float(faulty.predict(2.0, 1.0)), 6)
    1.4
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        values: Sequence[float],
        probabilities: Sequence[float],
        noise: float,
        kinks: tuple[float, ...] = (),
        name: str | None = None,
    ) -> None:
        module, qualname = getattr(function, "__module__", ""), getattr(function, "__qualname__", type(function).__qualname__)
        self.function, self.name = function, name or f"{module}:{qualname}"
        self.noise = number("noise", noise, positive=True, meaning="It is the variance of the label noise.")
        self.values, self.probabilities = np.asarray(values, float).ravel(), np.asarray(probabilities, float).ravel()
        if self.values.size != self.probabilities.size or np.any(self.probabilities < 0) or abs(self.probabilities.sum() - 1) > 1e-12:
            raise fail("probabilities", "non-negative, of sum 1, one for each value", probabilities)
        self.kinks = tuple(float(k) for k in kinks)
        z = np.linspace(-8.6, 8.6, 2001)
        slope = np.quantile(np.abs(np.diff(self._all(z), axis=0) / np.diff(z)[:, None]), 0.99, axis=0)
        self.resolution = float(np.sqrt(self.noise) / max(float(slope.max()), 1e-6))

    def _all(self, z: FloatArray) -> FloatArray:
        """f for every value of A, along a new last axis."""
        with float64_scope():
            return np.broadcast_to(
                np.asarray(self.function(np.asarray(z)[..., None], self.values), float), (*np.shape(z), self.values.size)
            )

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        """Draw labels."""
        which = rng.choice(self.values.size, size=np.shape(field), p=self.probabilities)
        chosen = np.take_along_axis(self._all(field), which[..., None], axis=-1)[..., 0]
        return chosen + np.sqrt(self.noise) * rng.standard_normal(np.shape(field))

    def log_likelihood(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """log of the mixture of normal densities."""
        exponent = -0.5 * (np.asarray(y)[..., None] - self._all(z)) ** 2 / self.noise
        value: FloatArray = special.logsumexp(exponent, b=self.probabilities, axis=-1)
        return value - 0.5 * np.log(2 * np.pi * self.noise)

    def label_nodes(self, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """Panels over the values of f."""
        return noisy_labels(self._all(np.linspace(low, high, 257)), self.noise)

    def mean_label(self, z: FloatArray) -> FloatArray:
        """E[y | field]."""
        return self._all(z) @ self.probabilities

    def label_variance(self, z: FloatArray) -> FloatArray:
        """Var[y | field]."""
        values = self._all(z)
        mean = values @ self.probabilities
        return ((values - mean[..., None]) ** 2) @ self.probabilities + self.noise

    def __str__(self) -> str:
        return self.name
