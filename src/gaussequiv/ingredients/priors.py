r"""Priors P0 of a target's independent weights: a draw, and the posterior under a Gaussian observation.

The posterior of x ~ P0 seen through b = A x + sqrt(A) z has the density P0(x) exp(b x - A x^2/2)/Z(A, b): its log Z, mean ("denoiser")
and variance, the first two derivatives of log Z in b, are all that message passing and state evolution need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy import special

from gaussequiv._jax import elementwise, float64_scope
from gaussequiv._text import exact
from gaussequiv.errors import ArgumentError, FloatArray, did_you_mean, fail, number
from gaussequiv.numerics.tilted import Tilted, tilted_moments


class Posterior(NamedTuple):
    """log Z(A, b), posterior mean and variance."""

    log_partition: FloatArray
    mean: FloatArray
    variance: FloatArray


class Prior(Protocol):
    """Law of one weight. User classes with these members work everywhere."""

    @property
    def name(self) -> str:
        """How files name it."""
        ...

    @property
    def second_moment(self) -> float:
        """E x^2."""
        ...

    @property
    def largest(self) -> float:
        """|x| beyond which the law has no mass to double precision."""
        ...

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        """Independent draws."""
        ...

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> Posterior:
        """log Z, mean and variance under exp(b x - A x^2/2); arguments broadcast."""
        ...

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        """log density of b = r x + sqrt(r) z: log Z(r, b) - b^2/(2 r) - log(2 pi r)/2, without cancellation."""
        ...

    def breaks(self, r: float) -> FloatArray:
        """Values of b near which the posterior at A = r changes fast."""
        ...


def _log_normal(b: FloatArray, variance: float) -> FloatArray:
    return -0.5 * (b * b / variance + np.log(2 * np.pi * variance))


@dataclass(frozen=True)
class Gaussian:
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

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> Posterior:
        A, b = np.broadcast_arrays(np.asarray(A, float), np.asarray(b, float))
        left = self.variance / (1 + A * self.variance)
        return Posterior(0.5 * (left * b * b - np.log1p(A * self.variance)), left * b, left)

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        return _log_normal(b, r + r * r * self.variance)

    def breaks(self, r: float) -> FloatArray:
        return np.zeros(1)


@dataclass(frozen=True)
class Rademacher:
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

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> Posterior:
        A, b = np.broadcast_arrays(np.asarray(A, float), np.asarray(b, float))
        small = np.exp(-2 * np.abs(b))
        return Posterior(np.logaddexp(b, -b) - np.log(2) - 0.5 * A, np.tanh(b), 4 * small / (1 + small) ** 2)

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        return _log_normal(np.abs(b) - r, r) + np.log1p(np.exp(-2 * np.abs(b))) - np.log(2)

    def breaks(self, r: float) -> FloatArray:
        return np.array([-r, 0.0, r])


class _Sparse:
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

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> Posterior:
        """log Z, mean and variance."""
        on = self.slab.posterior(A, b)
        with np.errstate(divide="ignore"):
            up, down = np.log(self.density) + on.log_partition, np.log1p(-self.density)
        p = special.expit(up - down)
        spread = p * special.expit(down - up) * on.mean**2
        return Posterior(np.logaddexp(up, down), p * on.mean, p * on.variance + spread)

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        """log density of b."""
        with np.errstate(divide="ignore"):
            off = np.log1p(-self.density) + _log_normal(b, r)
        mixed: FloatArray = np.logaddexp(np.log(self.density) + self.slab.log_marginal(r, b), off)
        return mixed


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


class Discrete:
    """x among finitely many values.

    Examples
    --------
    >>> levels = Discrete((-1, 0, 1), (0.25, 0.5, 0.25))
    >>> bool(np.isclose(levels.posterior(1.0, 1.0).mean, SparseRademacher(0.5).posterior(1.0, 1.0).mean))
    True
    """

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

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> Posterior:
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
        return Posterior(log_Z, mean, (share * (x - mean[..., None]) ** 2).sum(axis=-1))

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


class LogDensity:
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

    def __init__(
        self,
        function: Callable[[Any], Any],
        support: tuple[float, float] = (-np.inf, np.inf),
        kinks: tuple[float, ...] = (),
        name: str | None = None,
        scale: float = 1.0,
    ) -> None:
        module, qualname = getattr(function, "__module__", ""), getattr(function, "__qualname__", type(function).__qualname__)
        self.function, self.name = function, name or f"{module}:{qualname}"
        self.kinks = tuple(float(k) for k in kinks)
        number("scale", scale, positive=True)
        low, high = (float(end) for end in support)
        if not low < high:
            raise fail("support", "an interval (low, high)", support)
        self._ends = tuple(end for end in (low, high) if np.isfinite(end))
        self._bind()
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

    def _bind(self) -> None:
        try:
            self._call = self._direct if self._ends else elementwise(self.function, self.name, "log-density")
        except ArgumentError as error:
            raise ArgumentError(f"{error} A law with a finite end needs support=(low, high).") from None

    def _direct(self, x: FloatArray) -> FloatArray:
        with float64_scope():
            return np.asarray(self.function(x), dtype=np.float64)

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
        from gaussequiv.numerics.panels import legendre_panels

        inner = [k for k in self.kinks if self.low < k < self.high]
        edges = np.sort(np.concatenate([np.linspace(self.low, self.high, 1025), inner]))
        x, w = legendre_panels(edges[None, :], 6)
        return x[0], w[0] * np.exp(self._call(x[0]) - self._log_mass)

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        """Independent draws, by the inverse of the distribution function tabulated at 6,000 nodes."""
        u = rng.random(size)
        return np.interp(u, self._cumulative, self._nodes)

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> Posterior:
        """log Z, mean and variance."""
        A, b = np.broadcast_arrays(np.asarray(A, float), np.asarray(b, float))
        flat_A, flat_b = A.ravel(), b.ravel()
        found, peak = self._about(flat_A, flat_b)
        return Posterior(*(value.reshape(b.shape) for value in (found.log_integral + peak, found.mean, found.variance)))

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

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_call"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()

    def breaks(self, r: float) -> FloatArray:
        """The declared kinks and the ends of a finite support."""
        return r * np.array([*(self.kinks or (0.0,)), *self._ends])

    def __repr__(self) -> str:
        return f"LogDensity({self.name})"


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
    if hasattr(prior, "posterior") and not isinstance(prior, type):
        return prior
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
