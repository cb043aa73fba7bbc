"""Channels from a user's log-likelihood, and labels with a random parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import special
from scipy.interpolate import CubicSpline

from gaussequiv._jax import float64_scope
from gaussequiv._text import name_of
from gaussequiv.errors import ArgumentError, FloatArray, fail, number
from gaussequiv.ingredients.channels.label_atoms import LEAST, Beside, LabelAtoms, density_atoms, field_nodes
from gaussequiv.ingredients.channels.label_kinks import crossings, curves
from gaussequiv.ingredients.channels.label_law import LabelLaw
from gaussequiv.ingredients.channels.label_moments import LabelMoments
from gaussequiv.ingredients.channels.label_scan import TEST_FIELDS, field_resolution, is_additive, resolved_law
from gaussequiv.ingredients.channels.quadrature import Outcomes, QuadratureChannel, noisy_labels
from gaussequiv.ingredients.channels.smoothed_labels import smoothed_outcomes
from gaussequiv.numerics.draws import inverse_draws
from gaussequiv.numerics.panels import legendre_panels

_TABLE = 4001
_ROWS = 256  # fields that share a search for their labels
_ORDER = 8
_ADDED, _RESOLVED = (16, 1.0), 0.3  # order and fineness of panels of labels beside the field, and what they resolve
_LOSSES = (16, 0.5)  # order and fineness of the panels of labels that a loss is averaged over
MASS = 1e-6  # that a density may lack or have too much
HEAVY = 1e-3  # part of the second moment that may lie beyond the labels of the quadrature


class LogLikelihood(QuadratureChannel):
    r"""A user's channel from log P(y | field).

    Parameters
    ----------
    function : callable
        (y, z) -> log P(y | z), elementwise on broadcast arrays, NumPy or JAX, normalised over y; -inf where there are no labels.
    labels : sequence of numbers, optional
        All labels, for discrete ones. Otherwise labels are real, within `support`.
    support : (float, float)
        Interval of real labels.
    kinks : tuple of float
        Fields at which the likelihood is not smooth, whatever the label.
    label_kinks : number, function z -> y, or a sequence of them
        Labels at which the density or a derivative jumps, where they depend on the field as functions of it: `lambda z: z` for Laplace
        noise, `(lambda z: z - 1, lambda z: z + 1)` for uniform noise. Those on straight lines are found without being declared; others
        are reported.
    resolution : float, optional
        Largest scale, of fields and of labels, that quadrature may take for smooth; finer ones are looked for.
    sample : callable, optional
        (rng, field) -> labels; by default the inverse of the distribution function.
    name : str, optional

    Attributes
    ----------
    additive : bool
        Whether y - field has one law at every field (seen at eight fields from -38 to 30): its averages are then computed at one field.

    g_out and its derivative are posterior moments of the field, so no derivative of the function is needed. sum_y P(y | z) = 1 is checked
    when the channel is built, and at every field for which a label is drawn.

    Examples
    --------
    >>> logistic = LogLikelihood(lambda y, z: -abs(y - z) - 2 * np.log1p(np.exp(-abs(y - z))))  # noise of a logistic law
    >>> logistic.information(0.5, 0.5).error < 1e-6
    True
    >>> laplace = LogLikelihood(lambda y, z: -abs(y - z) - np.log(2.0))
    >>> round(float(laplace.label_variance(0.3)), 9)
    2.0
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        *,
        labels: Sequence[float] | None = None,
        support: tuple[float, float] = (-np.inf, np.inf),
        kinks: tuple[float, ...] = (),
        label_kinks: Any = (),
        resolution: float | None = None,
        sample: Callable[[np.random.Generator, FloatArray], FloatArray] | None = None,
        name: str | None = None,
    ) -> None:
        if not callable(function):
            raise fail("function", "a function (y, z) -> log P(y | z)", function)
        self.function, self.name = function, name or name_of(function)
        self.law: LabelLaw  # of real labels
        self.labels = None if labels is None else np.array(sorted(float(v) for v in labels))
        self.discrete = self.labels is not None
        self.support = (float(support[0]), float(support[1]))
        if not self.support[0] < self.support[1]:
            raise fail("support", "an interval (low, high)", support)
        self.kinks = tuple(float(k) for k in kinks)
        self.resolution = 1.0 if resolution is None else number("resolution", resolution, positive=True)
        self.additive = self._compiled = False
        self._sample = sample
        declared = curves(label_kinks)
        if self.labels is not None:
            if declared:
                raise fail("label_kinks", "left out for discrete labels", label_kinks)
            for one in TEST_FIELDS:
                self._check_mass(float(one), np.exp(self.log_likelihood(self.labels, np.full(self.labels.size, one))).sum(), None)
            self.resolution = field_resolution(self.log_likelihood, self.labels, self.resolution)
            return
        with np.errstate(divide="ignore"):
            self.law = resolved_law(LabelLaw(self.log_likelihood, self.support, declared, self.resolution), self.name)
            for one in TEST_FIELDS:
                rules = [self.law.nodes(np.array([one]), *rule) for rule in ((_ORDER, 1.0), (_ORDER + 4, 0.8))]
                self._check_mass(float(one), *(float((weights * p).sum()) for _, weights, p in rules))
            self.additive = is_additive(self.law)
            if self.additive:
                self.resolution = self.law.resolution
            else:
                seen = np.concatenate([self.law.edges(np.array([one]))[0][2:-2:5] for one in TEST_FIELDS[1::2]])
                self.resolution = field_resolution(self.log_likelihood, seen, self.resolution, self.law.kinks)

    def _check_mass(self, field: float, mass: float, finer: float | None) -> None:
        if finer is not None and not abs(mass - finer) <= MASS * max(abs(finer), 1e-300):
            raise ArgumentError(
                f"Argument `function` must be a log-likelihood that quadrature over the labels resolves, but at field {field:g} two rules "
                f"for the mass of {self.name!r} give {mass:.8g} and {finer:.8g}; label_kinks=(...) says where it is not smooth, "
                f"resolution=... on which scale it varies, support=(low, high) where the labels are."
            )
        if not abs(mass - 1) < MASS:
            raise ArgumentError(
                f"Argument `function` must be a normalised log-likelihood, but at field {field:g} the labels of {self.name!r} have mass "
                f"{mass:.8g}; labels=(...), support=(low, high) and label_kinks=(...) say where they are."
            )

    def log_likelihood(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """log P(y | z)."""
        with float64_scope():
            if not self._compiled:
                value = self.function(y, z)
                self._compiled = type(value).__module__.startswith("jax")
                return np.array(value, dtype=np.float64)
            shape = np.broadcast_shapes(np.shape(y), np.shape(z))  # few sizes: JAX compiles for each
            size = int(np.prod(shape))
            padded = np.zeros((2, max(64, 1 << max(size - 1, 0).bit_length())))
            padded[0, :size], padded[1, :size] = np.broadcast_to(y, shape).ravel(), np.broadcast_to(z, shape).ravel()
            return np.array(self.function(padded[0], padded[1]), dtype=np.float64)[:size].reshape(shape)

    def label_nodes(self, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """The labels, or panels over where log P is within 42 of its largest value for some field between low and high."""
        if self.labels is not None:
            return self.labels, np.ones(self.labels.size)
        edges = self.law.shared_edges(low, high, low, high, max((high - low) / 40, self.law.resolution))
        nodes, weights = legendre_panels(edges[None, :])
        return nodes[0], weights[0]

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        """Draw labels."""
        if self._sample is not None:
            return np.asarray(self._sample(rng, field), dtype=np.float64)
        field = np.asarray(field, float)
        flat, u, out = field.ravel(), rng.random(field.size), np.empty(field.size)
        if self.additive:
            table = self.law.nodes(np.zeros(1), _ORDER)
        for rows in self._close(flat, _ROWS):
            if self.labels is not None:
                p = np.exp(self.log_likelihood(self.labels[None, :], flat[rows, None]))
                self._check_masses(flat[rows], p.sum(axis=1))
                below = np.cumsum(p, axis=1)
                out[rows] = self.labels[(u[rows, None] * below[:, -1:] >= below).sum(axis=1)]
                continue
            if self.additive:
                y, weights, p = (np.broadcast_to(one, (rows.size, one.shape[1])) for one in table)
            else:
                y, weights, p = self.law.nodes(flat[rows], _ORDER)
            self._check_masses(flat[rows], (weights * p).sum(axis=1))
            out[rows] = inverse_draws(y, weights * p, p, u[rows], _ORDER)
        return (out + flat if self.additive else out).reshape(field.shape)

    def _check_masses(self, field: FloatArray, mass: FloatArray) -> None:
        worst = int(np.argmax(np.where(np.isnan(mass), np.inf, np.abs(mass - 1))))
        self._check_mass(float(field[worst]), float(mass[worst]), None)

    @staticmethod
    def _close(flat: FloatArray, size: int) -> list[Any]:
        """Indices in groups of fields close to each other."""
        order = np.argsort(flat)
        return [order[start : start + size] for start in range(0, flat.size, size)]

    def _moments(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of y at fields z; many fields are interpolated by cubic splines through 4,001 of them between the kinks."""
        flat = np.asarray(z, float).ravel()
        if self.additive and not np.all(flat == 0):
            mean, spread = self._moments(np.zeros(1))
            return np.asarray(z, float) + mean[0], np.full(np.shape(z), spread[0])
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
        for rows in self._close(flat, _ROWS):
            if self.labels is not None:
                y, p = self.labels[None, :], np.exp(self.log_likelihood(self.labels[None, :], flat[rows, None]))
            else:
                y, weights, density = self.law.nodes(flat[rows], _ORDER + 4)
                p = weights * density
            mean[rows] = (p * y).sum(axis=1)
            variance[rows] = (p * (y - mean[rows, None]) ** 2).sum(axis=1)
        return mean.reshape(np.shape(z)), variance.reshape(np.shape(z))

    def mean_label(self, z: FloatArray) -> FloatArray:
        """E[y | field]."""
        return self._moments(z)[0]

    def label_variance(self, z: FloatArray) -> FloatArray:
        """Var[y | field]."""
        return self._moments(z)[1]

    def atoms(self, b0: float, variance: float) -> LabelAtoms:
        """Weighted pairs of field and label; panels of labels follow the density from field to field."""
        if self.labels is not None:
            return super().atoms(b0, variance)
        z, weights = field_nodes(self.mean_label, self.kinks, b0, variance, self.resolution)
        return density_atoms(lambda fields: self.law.nodes(fields, *_LOSSES), z, weights, b0, variance)

    def residual_atoms(self, b0: float, variance: float) -> LabelAtoms:
        """As `atoms`; points of y - field alone where its law is the same at every field."""
        if not self.additive:
            return self.atoms(b0, variance)
        order, fineness = _ADDED
        own = self.law.edges(np.zeros(1), fineness)[0]

        def between(ends: FloatArray) -> tuple[FloatArray, FloatArray]:
            edges = np.unique(np.concatenate([own, np.clip(ends - b0, own[0], own[-1])]))
            label, weights = (part[0] for part in legendre_panels(edges[None, :], order))
            mass = weights * np.exp(self.law.call(label, np.zeros(1)))
            counted = mass * (1 + label**2) > LEAST
            return b0 + label[counted], mass[counted]

        label, mass = between(own + b0)
        return LabelAtoms(np.zeros_like(label), label, mass, variance, 0.0, Beside(_RESOLVED * self.law.resolution, between))

    # --- kinks that move with the field ---------------------------------------------------------------------------------------------

    def field_breaks(self, y: FloatArray, z: FloatArray) -> list[tuple[Any, FloatArray]]:
        """(rows, fields): where the likelihood of the labels y is not smooth, each on its own grid of fields z."""
        found = super().field_breaks(y, z)
        return found if self.labels is not None else [*found, *(crossings(kink, z, y) for kink in self.law.kinks)]

    def outcomes(self, omega: FloatArray, V: float, order: int) -> Outcomes:
        """As the base's, the integral over the field split where a label's kink lies."""
        if self.labels is not None:
            return super().outcomes(omega, V, order)
        return smoothed_outcomes(self.law, self.kinks, self.resolution, omega, V, order)

    def label_moments(self, b0: FloatArray, variance: float) -> LabelMoments:
        """As for every law, where the label has a variance."""
        found = super().label_moments(b0, variance)
        if self.labels is None:
            self._check_tails(float(np.ravel(b0)[0]), float(np.min(found.scatter + found.noise)))
        return found

    def _check_tails(self, field: float, variance: float) -> None:
        """y^3 P(y | field) at the last labels that quadrature sees: what a power law has beyond, for the second moment."""
        y = self.label_nodes(field, field)[0][[0, -1]]
        beyond = np.abs(y - field) ** 3 * np.exp(self.log_likelihood(y, np.full(2, field)))
        if np.any((beyond > HEAVY * variance) & np.isinf(self.support)):
            raise fail(
                "labels", "a law of finite variance for ridge and losses of the residual (its tails fall like |y|^-3 or slower)", self.name
            )

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
        self.function, self.name = function, name or name_of(function)
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

    def atoms(self, b0: float, variance: float) -> LabelAtoms:
        """Pairs of the field and f for every value of A; the label noise stays Gaussian."""
        z, weights = field_nodes(self.mean_label, self.kinks, b0, variance)
        mass = weights[:, None] * self.probabilities
        centred = np.broadcast_to((z - b0)[:, None], mass.shape)
        return LabelAtoms(centred.ravel(), self._all(z).ravel(), mass.ravel(), variance, self.noise)

    def with_noise(self, noise: float) -> RandomOutput:
        """The same law with another label noise."""
        return RandomOutput(self.function, self.values.tolist(), self.probabilities.tolist(), noise, self.kinks, self.name)

    def __str__(self) -> str:
        return self.name
