"""Priors in closed form, and all priors by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

from gaussequiv._text import exact
from gaussequiv.errors import ArgumentError, FloatArray, did_you_mean, fail, number
from gaussequiv.ingredients.adopted import adopted, missing
from gaussequiv.ingredients.priors.base import Prior, ScalarPosterior
from gaussequiv.ingredients.priors.log_density import LogDensity
from gaussequiv.numerics.soft_threshold import Mixture


def _log_normal(b: FloatArray, variance: float) -> FloatArray:
    return -0.5 * (b * b / variance + np.log(2 * np.pi * variance))


@dataclass(frozen=True)
class Gaussian(Prior):
    """x ~ N(0, variance): mean v b/(1 + A v), variance v/(1 + A v).

    Examples
    --------
    >>> float(Gaussian().posterior(1.0, 3.0).mean)
    1.5
    """

    variance: float = 1.0

    def __post_init__(self) -> None:
        number("variance", self.variance, positive=True, meaning="It is the variance of the weights.")

    @property
    def name(self) -> str:
        return "gaussian" if self.variance == 1 else f"gaussian:{exact(self.variance)}"

    @property
    def second_moment(self) -> float:
        return self.variance

    @property
    def largest(self) -> float:
        return float(8.6 * np.sqrt(self.variance))

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        return np.sqrt(self.variance) * rng.standard_normal(size)

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> ScalarPosterior:
        A, b = np.broadcast_arrays(np.asarray(A, float), np.asarray(b, float))
        left = self.variance / (1 + A * self.variance)
        return ScalarPosterior(0.5 * (left * b * b - np.log1p(A * self.variance)), left * b, left)

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        return _log_normal(b, r + r * r * self.variance)

    def breaks(self, r: float) -> FloatArray:
        return np.zeros(1)

    def mixture(self, places: FloatArray, width: FloatArray) -> Mixture:
        return Mixture(np.ones(1), np.zeros(1), np.array([self.variance]))


@dataclass(frozen=True)
class Rademacher(Prior):
    """x = -1 or +1, equally likely: mean tanh b, whatever A.

    Examples
    --------
    >>> round(float(Rademacher().posterior(2.0, 0.5).mean), 6)
    0.462117
    """

    name: str = field(default="rademacher", init=False)
    second_moment: float = field(default=1.0, init=False)
    largest: float = field(default=1.0, init=False)

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        return np.where(rng.random(size) < 0.5, -1.0, 1.0)

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> ScalarPosterior:
        A, b = np.broadcast_arrays(np.asarray(A, float), np.asarray(b, float))
        small = np.exp(-2 * np.abs(b))
        return ScalarPosterior(np.logaddexp(b, -b) - np.log(2) - 0.5 * A, np.tanh(b), 4 * small / (1 + small) ** 2)

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        return _log_normal(np.abs(b) - r, r) + np.log1p(np.exp(-2 * np.abs(b))) - np.log(2)

    def breaks(self, r: float) -> FloatArray:
        return np.array([-r, 0.0, r])

    def mixture(self, places: FloatArray, width: FloatArray) -> Mixture:
        return Mixture(np.full(2, 0.5), np.array([-1.0, 1.0]), np.zeros(2))


class _Sparse(Prior):
    """x = 0 with probability 1 - density, else a draw from the slab."""

    density: float
    slab: Any

    def _check(self) -> None:
        if not 0 < number("density", self.density) <= 1:
            raise fail("density", "in (0, 1], the probability that a weight is not zero", self.density)

    @property
    def second_moment(self) -> float:
        """E x^2."""
        return float(self.density * self.slab.second_moment)

    @property
    def largest(self) -> float:
        """|x| beyond which the law has no mass."""
        return float(self.slab.largest)

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        """Independent draws."""
        return np.where(rng.random(size) < self.density, self.slab.sample(rng, size), 0.0)

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> ScalarPosterior:
        """log Z, mean and variance."""
        on = self.slab.posterior(A, b)
        with np.errstate(divide="ignore"):
            up, down = np.log(self.density) + on.log_partition, np.log1p(-self.density)
        p = special.expit(up - down)
        spread = p * special.expit(down - up) * on.mean**2
        return ScalarPosterior(np.logaddexp(up, down), p * on.mean, p * on.variance + spread)

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        """log density of b."""
        with np.errstate(divide="ignore"):
            off = np.log1p(-self.density) + _log_normal(b, r)
        mixed: FloatArray = np.logaddexp(np.log(self.density) + self.slab.log_marginal(r, b), off)
        return mixed

    def mixture(self, places: FloatArray, width: FloatArray) -> Mixture:
        """The slab's components and the point 0."""
        on = self.slab.mixture(places, width)
        return Mixture(np.append(self.density * on.mass, 1 - self.density), np.append(on.mean, 0.0), np.append(on.variance, 0.0))


@dataclass(frozen=True)
class GaussBernoulli(_Sparse):
    """x ~ N(0, variance) with probability `density`, else 0.

    Examples
    --------
    >>> round(float(GaussBernoulli(0.2).posterior(3.0, 2.0).mean), 6)
    0.085437
    """

    density: float
    variance: float = 1.0

    def __post_init__(self) -> None:
        self._check()
        Gaussian(self.variance)

    @property
    def slab(self) -> Gaussian:
        """The law of the weights that are not zero."""
        return Gaussian(self.variance)

    @property
    def name(self) -> str:
        tail = "" if self.variance == 1 else f":{exact(self.variance)}"
        return f"gauss-bernoulli:{exact(self.density)}{tail}"

    def breaks(self, r: float) -> FloatArray:
        odds = np.log1p(r * self.variance) + 2 * (np.log1p(-self.density) - np.log(self.density)) if self.density < 1 else 0.0
        edge = np.sqrt(max(odds, 0.0) * (1 + r * self.variance) / self.variance)  # where zero and not zero are equally likely
        return np.array([-edge, 0.0, edge])


@dataclass(frozen=True)
class SparseRademacher(_Sparse):
    """x = -1 or +1, each with probability density/2, else 0.

    Examples
    --------
    >>> round(float(SparseRademacher(0.5).posterior(1.0, 1.0).mean), 6)
    0.368194
    """

    density: float

    def __post_init__(self) -> None:
        self._check()

    @property
    def slab(self) -> Rademacher:
        """The law of the weights that are not zero."""
        return Rademacher()

    @property
    def name(self) -> str:
        return f"sparse-rademacher:{exact(self.density)}"

    def breaks(self, r: float) -> FloatArray:
        edge = 0.5 * r + (np.log1p(-self.density) - np.log(0.5 * self.density) if self.density < 1 else 0.0)
        return np.array([-r, -edge, 0.0, edge, r])


class Discrete(Prior):
    """x among finitely many values.

    Examples
    --------
    >>> levels = Discrete((-1, 0, 1), (0.25, 0.5, 0.25))
    >>> bool(np.isclose(levels.posterior(1.0, 1.0).mean, SparseRademacher(0.5).posterior(1.0, 1.0).mean))
    True
    """

    name: str
    second_moment: float
    largest: float

    def __init__(self, values: Any, probabilities: Any) -> None:
        self.values, self.probabilities = np.asarray(values, float).ravel(), np.asarray(probabilities, float).ravel()
        if self.values.size < 2 or len(set(self.values.tolist())) < self.values.size:
            raise fail("values", "at least two different numbers", values)
        if self.probabilities.size != self.values.size or np.any(self.probabilities <= 0) or abs(self.probabilities.sum() - 1) > 1e-12:
            raise fail("probabilities", "positive, of sum 1, one for each value", probabilities)
        self.name = "discrete:" + "/".join(f"{exact(v)}={exact(p)}" for v, p in zip(self.values, self.probabilities, strict=True))
        self.second_moment = float(self.probabilities @ self.values**2)
        self.largest = float(np.abs(self.values).max())

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        """Independent draws."""
        return rng.choice(self.values, size=size, p=self.probabilities)

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> ScalarPosterior:
        """log Z, mean and variance."""
        A, b = np.broadcast_arrays(np.asarray(A, float), np.asarray(b, float))
        x = self.values
        exponent = b[..., None] * x - 0.5 * A[..., None] * x * x + np.log(self.probabilities)
        top = exponent.max(axis=-1, keepdims=True)
        share = np.exp(exponent - top)
        total = share.sum(axis=-1, keepdims=True)
        share = share / total
        mean = share @ x
        log_Z = (top + np.log(total))[..., 0]
        return ScalarPosterior(log_Z, mean, (share * (x - mean[..., None]) ** 2).sum(axis=-1))

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        """log density of b."""
        b = np.asarray(b, float)
        parts = _log_normal(b[..., None] - r * self.values, r) + np.log(self.probabilities)
        mixed: FloatArray = np.logaddexp.reduce(parts, axis=-1)
        return mixed

    def breaks(self, r: float) -> FloatArray:
        """The values and, for two neighbours, where both are equally likely."""
        order = np.argsort(self.values)
        x, log_p = self.values[order], np.log(self.probabilities[order])
        between = 0.5 * r * (x[1:] + x[:-1]) + (log_p[:-1] - log_p[1:]) / np.diff(x)
        return np.concatenate([r * x, between])

    def mixture(self, places: FloatArray, width: FloatArray) -> Mixture:
        """The values themselves."""
        return Mixture(self.probabilities, self.values, np.zeros_like(self.values))


_BUILDERS: dict[str, Callable[..., Any]] = {
    "gaussian": Gaussian,
    "rademacher": Rademacher,
    "gauss-bernoulli": GaussBernoulli,
    "sparse-rademacher": SparseRademacher,
}
FORMS = ("gaussian[:VARIANCE]", "rademacher", "gauss-bernoulli:DENSITY[:VARIANCE]", "sparse-rademacher:DENSITY")


def get(prior: Any) -> Any:
    """Turn a name, a log-density function or a `Prior` into a `Prior`.

    Examples
    --------
    >>> get("gauss-bernoulli:0.1")
    GaussBernoulli(density=0.1, variance=1.0)
    """
    if isinstance(prior, Prior) or (not isinstance(prior, type) and not missing(prior, ("posterior",))):
        return adopted(prior, Prior, ("posterior", "second_moment"), "prior")
    if isinstance(prior, str):
        head, *rest = prior.strip().lower().replace("_", "-").split(":")
        try:
            return _BUILDERS[head](*(float(part) for part in rest))
        except ArgumentError:
            raise
        except (KeyError, ValueError, TypeError):
            hint = "" if head in _BUILDERS else did_you_mean(head, tuple(_BUILDERS))
            raise ArgumentError(f"Argument `prior` must be one of {', '.join(FORMS)}, but prior={prior!r}.{hint}") from None
    if callable(prior) and not isinstance(prior, type):
        return LogDensity(prior)
    raise fail("prior", f"one of {', '.join(FORMS)}, a log-density or a prior", prior)
