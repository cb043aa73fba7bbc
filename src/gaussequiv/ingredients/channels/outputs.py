"""Real labels that are any function of the field: y = f(field + inner noise) + sqrt(noise) z."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import special

from gaussequiv._jax import elementwise
from gaussequiv._text import exact, name_of
from gaussequiv.errors import ArgumentError, FloatArray, number
from gaussequiv.ingredients.channels.base import RealOutput
from gaussequiv.ingredients.channels.label_atoms import LabelAtoms, function_atoms
from gaussequiv.ingredients.channels.label_moments import LabelMoments, quadrature_moments
from gaussequiv.ingredients.channels.parity import parity_of
from gaussequiv.ingredients.channels.quadrature import REACH, Outcomes, QuadratureChannel, noisy_labels
from gaussequiv.numerics.panels import legendre_panels, normal_panels
from gaussequiv.numerics.tails import bend, inverse_mills

_LOG_2PI = float(np.log(2 * np.pi))
SLOPES, MOST_STRETCHES = 2000, 100  # of f in each stretch of fields, from which the scale is found on which labels vary
LIKELY = 12.0  # standard deviations of the label noise, beyond which densities are below 1e-31 of the largest
# members that are the law of the labels: a subclass with one of its own may have noise that is not symmetric
_LAW = set("sample nodes moments label_moments mean_label label_variance log_likelihood atoms residual_atoms predict".split())


@dataclass(frozen=True)
class Output(QuadratureChannel, RealOutput):
    r"""y = f(field + sqrt(inner_noise) xi) + sqrt(noise) z, xi and z standard normal: a nonlinear readout outside the network.

    Parameters
    ----------
    function : callable
        f, elementwise, NumPy or JAX.
    noise : float
        Variance of the label noise, outside f.
    kinks : tuple of float
        Points where f or its derivative jumps.
    name : str, optional
    inner_noise : float
        Variance of the noise inside f.

    The Bayes-optimal learner needs noise > 0 (`AbsoluteValue` and `Relu` do not).

    Examples
    --------
    >>> import numpy as np
    >>> round(Output(np.tanh).moments(np.zeros(1), 1.0)[1].item(), 6)  # E f'
    0.605706
    """

    function: Callable[[Any], Any]
    noise: float = 0.0
    kinks: tuple[float, ...] = ()
    name: str = ""
    inner_noise: float = 0.0
    task: str = field(default="regression", init=False)
    _call: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        number("noise", self.noise, nonnegative=True, meaning="It is the variance of the label noise.")
        number("inner_noise", self.inner_noise, nonnegative=True, meaning="It is the variance of the noise inside the function.")
        object.__setattr__(self, "name", self.name or name_of(self.function))
        object.__setattr__(self, "_call", elementwise(self.function, self.name))
        object.__setattr__(self, "kinks", tuple(float(k) for k in self.kinks))
        object.__setattr__(self, "resolution", self._scale(-REACH, REACH))

    def __call__(self, z: FloatArray) -> FloatArray:
        """f(z)."""
        values: FloatArray = self._call(np.asarray(z, float))
        return values

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        """Draw labels."""
        inside = field + np.sqrt(self.inner_noise) * rng.standard_normal(field.shape) if self.inner_noise else field
        return self(inside) + np.sqrt(self.noise) * rng.standard_normal(field.shape)

    def parity(self, reach: float) -> str:
        """That of f, as the noise is symmetric; "none" of a subclass that has a law of its own."""
        return "none" if self._other_law() else parity_of(self, reach, self.kinks)

    def _other_law(self) -> bool:
        """Whether a subclass has a law of the labels of its own."""
        classes = type(self).__mro__
        return bool(_LAW & {name for one in classes[: classes.index(Output)] for name in vars(one)})

    def nodes(self, b0: FloatArray, variance: FloatArray | float, order: int = 16) -> tuple[FloatArray, FloatArray]:
        """Values inside f and weights for E over a field ~ N(b0, variance), shape (points, nodes)."""
        b0 = np.asarray(b0, float).reshape(-1, 1)
        root = np.sqrt(np.broadcast_to(np.asarray(variance, float).reshape(-1, 1), b0.shape) + self.inner_noise)
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = np.nan_to_num((np.array(self.kinks or (0.0,)) - b0) / root, nan=0.0)
        found = normal_panels(breaks, order)
        return b0 + root * found.xi, found.weights

    def moments(self, b0: FloatArray, variance: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E f, E f' (by Stein) and E f^2 for a field ~ N(b0, variance), label noise apart."""
        z, weights = self.nodes(b0, variance)
        values = self(z)
        centred = z - np.asarray(b0, float).reshape(-1, 1)
        spread = variance + self.inner_noise
        slope = (weights * values * centred).sum(axis=1) / spread if spread > 0 else np.zeros(len(z))  # a field that does not vary
        return (weights * values).sum(axis=1), slope, (weights * values**2).sum(axis=1)

    def label_moments(self, b0: FloatArray, variance: float) -> LabelMoments:
        """Mean, slope in b0 and variance of a label whose field is N(b0, variance), the inner noise part of Var[y | field]."""
        return quadrature_moments(self, b0, variance, float(np.sqrt(self.inner_noise)))

    def atoms(self, b0: float, variance: float) -> LabelAtoms:
        """Pairs of the value inside f and f; the label noise stays Gaussian."""
        return function_atoms(self, self.kinks, b0, variance + self.inner_noise, self.noise)

    def with_noise(self, noise: float) -> Output:
        """The same function with another label noise."""
        return replace(self, noise=noise)

    # --- the quadrature channel -----------------------------------------------------------------------------------------------------

    def _needs_noise(self) -> None:
        if self.noise == 0:
            raise ArgumentError(
                f"Argument `noise` must be positive for the posterior under y = f(field) + noise, but noise=0 with f={self.name}: "
                "the likelihood would be a hard constraint (AbsoluteValue and Relu allow it)."
            )

    def log_likelihood(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """log N(y; f(z), noise), z the value inside f."""
        self._needs_noise()
        return -0.5 * ((y - self(z)) ** 2 / self.noise + np.log(self.noise) + _LOG_2PI)

    def label_nodes(self, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """Panels over the values that f takes between low and high, both sides of a jump included."""
        z = np.concatenate([np.linspace(low, high, 257), [k + s for k in self.kinks for s in (-1e-9, 1e-9) if low < k < high]])
        return noisy_labels(self(z), self.noise)

    def likely_labels(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Those within some standard deviations of f(z)."""
        if self._other_law():
            return super().likely_labels(z)
        values, reach = self(z), LIKELY * np.sqrt(self.noise)
        return values - reach, values + reach

    def resolution_between(self, low: float, high: float) -> float:
        """Standard deviation of the noise over the slopes of f there; what f does near 0 is seen in wide ranges, too."""
        if self._other_law() or not high > low:
            return self.resolution
        local = self._scale(low, high)
        return local if high < -REACH or low > REACH or high - low < 4 * REACH else min(local, self.resolution)

    def _scale(self, low: float, high: float) -> float:
        """From the largest slope of stretches as wide as a standard law of the field, where a jump is a kink, not a slope."""
        stretches = int(np.clip((high - low) / (2 * REACH), 1, MOST_STRETCHES))
        z = np.linspace(low, high, stretches * SLOPES + 1)
        steps = np.abs(np.diff(self._call(z))).reshape(stretches, SLOPES) * (z.size - 1)
        slope = float(np.quantile(steps, 0.99, axis=1).max()) / (high - low)
        return float(np.sqrt(self.noise)) / max(slope, 1e-6)

    def log_partition(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """log density of y for field ~ N(omega, V)."""
        return super().log_partition(y, omega, np.asarray(V) + self.inner_noise)

    def g_out(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """d log Z/d omega and its derivative."""
        return super().g_out(y, omega, np.asarray(V) + self.inner_noise)

    def predict(self, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """E[y | omega, V] = E f."""
        omega, V = np.broadcast_arrays(np.asarray(omega, float), np.asarray(V, float))
        z, weights = self.nodes(omega.ravel(), V.ravel())
        return (weights * self(z)).sum(axis=1).reshape(omega.shape)

    def total(self, V: float) -> float:
        """V plus the inner noise."""
        self._needs_noise()
        return V + self.inner_noise

    def mean_label(self, z: FloatArray) -> FloatArray:
        """E[y | field]."""
        return self.predict(z, 0.0) if self.inner_noise else self(z)

    def label_variance(self, z: FloatArray) -> FloatArray:
        """Var[y | field]."""
        if not self.inner_noise:
            return np.full(np.shape(z), self.noise)
        x, weights = self.nodes(np.ravel(z), 0.0)
        values = self(x)
        mean = (weights * values).sum(axis=1, keepdims=True)
        return (weights * (values - mean) ** 2).sum(axis=1).reshape(np.shape(z)) + self.noise

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class _Kinked:
    """p z + q |z|."""

    p: float
    q: float

    def __call__(self, z: Any) -> Any:
        return self.p * z + self.q * abs(z)


class HalfLines(Output):
    r"""y = left z for z < 0, right z for z >= 0, plus noise: Z is a mixture of two closed forms, also without noise.

    On the half-line of slope c: y ~ N(c omega, S = c^2 V + noise) times P(z on that half-line | y). A flat half-line without noise is an
    atom at y = 0.
    """

    def __init__(self, left: float, right: float, noise: float, inner_noise: float, name: str) -> None:
        object.__setattr__(self, "slopes", ((-1.0, left), (1.0, right)))
        super().__init__(_Kinked(0.5 * (right + left), 0.5 * (right - left)), noise, (0.0,), name, inner_noise)

    def _needs_noise(self) -> None:
        """Noiseless labels are allowed."""

    def with_noise(self, noise: float) -> HalfLines:
        """The same half-lines with another label noise."""
        (_, left), (_, right) = self.slopes  # type: ignore[attr-defined]
        return HalfLines(left, right, noise, self.inner_noise, self.name)

    def _parts(self, y: FloatArray, omega: FloatArray, V: FloatArray) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
        """log of each half-line's part of Z and its first two derivatives in omega."""
        out = []
        for side, c in self.slopes:  # type: ignore[attr-defined]
            S = c * c * V + self.noise
            if c == 0 and self.noise == 0:  # the atom
                t = side * omega / np.sqrt(V)
                value = np.where(y == 0, special.log_ndtr(t), -np.inf)
                out.append((value, side * inverse_mills(t) / np.sqrt(V), -bend(t) / V))
                continue
            gap = (y - c * omega) / S
            value = -0.5 * (gap * (y - c * omega) + np.log(S) + _LOG_2PI)
            first, second = c * gap, -c * c / S * np.ones_like(y)
            if self.noise == 0:
                inside = side * c * y > 0 if c != 0 else y == 0
                value = np.where(inside, value, -np.inf)
            else:
                spread = np.sqrt(V * self.noise / S)
                t = side * (omega + c * V * gap) / spread
                slope = side * (self.noise / S) / spread
                value, first = value + special.log_ndtr(t), first + slope * inverse_mills(t)
                second = second - slope**2 * bend(t)
            out.append((value, first, second))
        return out

    def _mixture(self, y: Any, omega: Any, V: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
        y, omega, V = np.broadcast_arrays(*(np.asarray(a, float) for a in (y, omega, np.asarray(V) + self.inner_noise)))
        (l0, a0, h0), (l1, a1, h1) = self._parts(y, omega, V)
        total = np.logaddexp(l0, l1)
        with np.errstate(invalid="ignore"):
            p0, p1 = np.nan_to_num(np.exp(l0 - total)), np.nan_to_num(np.exp(l1 - total))
        a0, h0, a1, h1 = (np.where(p > 0, value, 0.0) for p, value in ((p0, a0), (p0, h0), (p1, a1), (p1, h1)))
        return total, p0 * a0 + p1 * a1, p0 * h0 + p1 * h1 + p0 * p1 * (a0 - a1) ** 2

    def log_partition(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """log density of y for field ~ N(omega, V)."""
        return self._mixture(y, omega, V)[0]

    def g_out(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """d log Z/d omega and its derivative."""
        _, g, dg = self._mixture(y, omega, V)
        return g, dg

    def outcomes(self, omega: FloatArray, V: float, order: int) -> Outcomes:
        """Closed form on panels around both half-lines' labels; V already has the inner noise."""
        edges, steps = [], np.linspace(-9, 9, 11)
        for _, c in self.slopes:  # type: ignore[attr-defined]
            edges.append(c * omega[:, None] + np.sqrt(c * c * V + self.noise) * steps)
        # the half-line of z turns over where y passes 0, within the noise (or at once)
        edges.append(np.broadcast_to(np.sqrt(self.noise * (1 + self.noise / V)) * np.linspace(-7.5, 7.5, 11), (omega.size, 11)))
        y, weights = legendre_panels(np.sort(np.concatenate(edges, axis=1), axis=1), order)
        atom = self.noise == 0 and any(c == 0 for _, c in self.slopes)  # type: ignore[attr-defined]
        if atom:
            y = np.concatenate([y, np.zeros((omega.size, 1))], axis=1)
            weights = np.concatenate([weights, np.ones((omega.size, 1))], axis=1)
        bare = V - self.inner_noise
        total, g, _ = self._mixture(y, omega[:, None], bare)
        Z = np.exp(total)
        return Outcomes(weights, Z, np.where(Z > 0, Z * g, 0.0))

    def __str__(self) -> str:
        return self.name if not self.inner_noise else f"{self.name}:{exact(self.inner_noise)}"


class AbsoluteValue(HalfLines):
    """y = |field| + sqrt(noise) z: real phase retrieval.

    Examples
    --------
    >>> channel = AbsoluteValue()
    >>> round(float(channel.log_partition(1.0, 0.0, 1.0)), 6)  # two signs: log 2 + log N(1; 0, 1)
    -0.725791
    """

    def __init__(self, noise: float = 0.0, inner_noise: float = 0.0) -> None:
        super().__init__(-1.0, 1.0, noise, inner_noise, "abs")


class Relu(HalfLines):
    """y = max(field, 0) + sqrt(noise) z.

    Examples
    --------
    >>> round(float(Relu().log_partition(0.0, 0.0, 1.0)), 6)  # half of the labels are zero
    -0.693147
    """

    def __init__(self, noise: float = 0.0, inner_noise: float = 0.0) -> None:
        super().__init__(0.0, 1.0, noise, inner_noise, "relu")
