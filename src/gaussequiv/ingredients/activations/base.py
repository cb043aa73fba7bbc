"""Activation functions and their Gaussian moments ("dual" functions), by closed form or refined quadrature."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from gaussequiv._jax import elementwise
from gaussequiv._text import exact, name_of
from gaussequiv.errors import LARGEST_MOMENT, AccuracyWarning, ArgumentError, FloatArray, did_you_mean, fail, integer, number
from gaussequiv.numerics.gaussian import PairMoments, pair_moments


class Dual(NamedTuple):
    """Moments of phi at a Gaussian pair (u, v) of equal variance: E phi(u)phi(v), E phi'(u)phi'(v), E phi(u)^2.

    spread = second - product and residue = spread - slope (sigma - K0), the noise that a layer creates, are given apart because the
    differences lose their digits where u and v are almost equal (deep networks with biases).
    """

    product: float
    slope: float
    second: float
    spread: float
    residue: float


class Coefficients(NamedTuple):
    """One-layer coefficients at variance sigma: E phi, E phi', sqrt(E phi^2 - kappa0^2 - sigma kappa1^2)."""

    kappa0: float
    kappa1: float
    kappa_star: float


@dataclass(frozen=True, eq=False)
class Activation:
    r"""An elementwise nonlinearity and the Gaussian moments that the depth recursion needs.

    Parameters
    ----------
    function : callable
        Elementwise: a function of a float64 array (NumPy or JAX), or a JAX function of a scalar.
    name : str
        Shown in cards and saved files. A user's function is saved as ``module:name``.
    kinks : tuple of float
        Points where the function or its derivative jumps. The quadrature splits there. An undeclared kink is
        found out by the error estimate, which then raises an `AccuracyWarning`.
    smooth : bool
        Whether it is C^2 with bounded first and second derivatives, a hypothesis of the theorem
        (Camilli, Tieplova, Bergamin, Barbier 2025, Theorem 1).

    Examples
    --------
    >>> import numpy as np
    >>> cube = Activation(lambda x: x**3 / 3, name="cube")
    >>> round(cube.coefficients(1.0).kappa1, 12)
    1.0
    """

    function: Callable[[Any], Any]
    name: str = "custom"
    kinks: tuple[float, ...] = ()
    smooth: bool = False
    parity: str = field(init=False, default="none")
    _call: Callable[[FloatArray], FloatArray] = field(init=False, repr=False, compare=False, default=np.asarray)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinks", tuple(float(k) for k in self.kinks))
        object.__setattr__(self, "_call", elementwise(self.function, self.name))
        x = np.linspace(0.0, 9.0, 181)
        right, left = self._call(x), self._call(-x)
        scale = 1e-14 * max(float(np.max(np.abs(right))), float(np.max(np.abs(left))), 1e-300)
        odd = bool(np.all(np.abs(right[1:] + left[1:]) <= scale))
        even = bool(np.all(np.abs(right - left) <= scale))
        object.__setattr__(self, "parity", "odd" if odd else "even" if even else "none")

    def __call__(self, x: FloatArray) -> FloatArray:
        """Apply the function elementwise to a float64 array."""
        return self._call(x)

    @lru_cache(maxsize=1024)  # noqa: B019 (activations are few and live long; sweeps ask for the same moments again)
    def _moments(self, variance: float, covariance: float, gap: float) -> PairMoments:
        if gap <= 0:  # u = v: a constant layer below leaves nothing but the bias
            square = float(self._call(np.zeros(1))[0]) ** 2
            if variance > 0:
                square = pair_moments(self._call, variance, 0.0, kinks=self.kinks).second
            return PairMoments(square, square, 0.0, float(self._call(np.zeros(1))[0]), 0.0, 0.0, 0.0, 0.0)
        found = pair_moments(self._call, variance, covariance, gap=gap, kinks=self.kinks)
        if covariance == 0 and self.parity == "odd":
            return found._replace(product=0.0, mean=0.0)
        if covariance == 0 and self.parity == "even":
            return found._replace(slope=0.0, mean_slope=0.0, residue=found.spread)
        return found

    def moments(self, variance: float, covariance: float, gap: float | None = None) -> PairMoments:
        """Moments at a Gaussian pair by refined quadrature; an `AccuracyWarning` tells if the tolerance was not reached."""
        gap = variance - covariance if gap is None else gap
        found = self._moments(float(variance), float(covariance), float(gap))
        if found.error > 1e-9 * max(1.0, found.second):
            warnings.warn(
                f"The moments of activation {self.name!r} at variance {variance:.6g} have an estimated error of {found.error:.1e}; "
                "if it has kinks or jumps, declare them: Activation(function, kinks=(...)).",
                AccuracyWarning,
                stacklevel=2,
            )
        return found

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        r"""E phi(u)phi(v), E phi'(u)phi'(v) and E phi(u)^2 for (u, v) ~ N(0, [[variance, covariance], [covariance, variance]]).

        The derivative never appears: E phi'(u)phi'(v) = E_b (E_z z phi(sqrt(K0) b + sqrt(sigma-K0) z))^2 / (sigma-K0) by Stein.
        `gap` is variance - covariance, where the caller knows it to more digits than the difference.
        """
        found = self.moments(variance, covariance, gap)
        return Dual(found.product, found.slope, found.second, found.spread, found.residue)

    def coefficients(self, variance: float) -> Coefficients:
        r"""kappa0 = E phi(u), kappa1 = E phi'(u) = E[u phi(u)]/sigma, kappa_star, for u ~ N(0, sigma = `variance`)."""
        found = self.moments(float(variance), 0.0)
        return Coefficients(found.mean, found.mean_slope, float(np.sqrt(max(found.residue, 0.0))))


def _angle(variance: float, covariance: float, gap: float) -> float:
    """arccos(covariance/variance), exact for a small gap."""
    return float(np.arctan2(np.sqrt(gap) * np.sqrt(variance + covariance), covariance))


class PiecewiseLinear(Activation):
    """phi(x) = p x + q |x|, whose moments are arc-cosine kernels (Cho and Saul 2009)."""

    def __init__(self, p: float, q: float, name: str) -> None:
        object.__setattr__(self, "p", p)
        object.__setattr__(self, "q", q)
        super().__init__(lambda x: p * x + q * abs(x), name=name, kinks=(0.0,) if q else (), smooth=q == 0)

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        p2, q2 = self.p**2, self.q**2  # type: ignore[attr-defined]
        gap = variance - covariance if gap is None else gap
        if variance == 0:
            return Dual(0.0, p2 + q2, 0.0, 0.0, 0.0)
        angle = _angle(variance, covariance, gap)
        if angle < 0.1:  # series of sin a - a cos a and of a - sin a
            a2 = angle * angle
            lost = angle**3 / 3 * (1 - a2 / 10 * (1 - a2 / 28 * (1 - a2 / 54)))
            bent = angle**3 / 6 * (1 - a2 / 20 * (1 - a2 / 42 * (1 - a2 / 72)))
        else:
            lost, bent = float(np.sin(angle) - angle * np.cos(angle)), float(angle - np.sin(angle))
        scale = 2 * variance / np.pi
        spread = p2 * gap + q2 * (gap - scale * lost)
        product = p2 * covariance + q2 * (covariance + scale * lost)
        return Dual(
            float(product), float(p2 + q2 * (1 - 2 * angle / np.pi)), float((p2 + q2) * variance), float(spread), float(q2 * scale * bent)
        )

    def coefficients(self, variance: float) -> Coefficients:
        root = float(np.sqrt(variance))
        mean, rest = self.q * np.sqrt(2 / np.pi), abs(self.q) * np.sqrt(1 - 2 / np.pi)  # type: ignore[attr-defined]
        return Coefficients(float(mean * root), float(self.p), float(rest * root))  # type: ignore[attr-defined]


class Erf(Activation):
    """erf(x), with the arcsine moments of Williams (1997)."""

    def __init__(self) -> None:
        super().__init__(special.erf, name="erf", smooth=True)

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        gap = variance - covariance if gap is None else gap
        one = 1 + 2 * variance
        root, flat = np.sqrt((1 + 2 * gap) * (one + 2 * covariance)), np.sqrt(1 + 4 * variance)  # of 1 - sin^2, times one
        slope = (4 / np.pi) / root
        product = (2 / np.pi) * np.arcsin(2 * covariance / one)
        x, y = 2 * variance / one, 2 * covariance / one
        spread = (2 / np.pi) * np.arcsin((2 * gap / one) * (x + y) / ((x * root + y * flat) / one)) if gap > 0 else 0.0
        if gap < 0.05:  # residue = int (slope(t) - slope(K0)) dt over covariances t from K0 to sigma
            t = 0.5 * gap * (1 + _X)
            at = np.sqrt((1 + 2 * (gap - t)) * (one + 2 * (covariance + t)))
            residue = 0.5 * gap * float(_W @ ((4 / np.pi) * 4 * t * (2 * covariance + t) / (root * at * (root + at))))
        else:
            residue = float(spread - slope * gap)
        second = (2 / np.pi) * np.arcsin(x)
        return Dual(float(product), float(slope), float(second), float(spread), residue)

    def coefficients(self, variance: float) -> Coefficients:
        rest = self.dual(variance, 0.0, variance).residue
        return Coefficients(0.0, float(2 / np.sqrt(np.pi * (1 + 2 * variance))), float(np.sqrt(max(rest, 0.0))))


class SignActivation(Activation):
    """sign(x), with the arcsine moments."""

    def __init__(self) -> None:
        super().__init__(np.sign, name="sign", kinks=(0.0,))

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        gap = variance - covariance if gap is None else gap
        if gap <= 0:
            return Dual(1.0, 0.0, 1.0, 0.0, 0.0)
        angle = _angle(variance, covariance, gap)
        slope = (2 / np.pi) / (np.sqrt(gap) * np.sqrt(variance + covariance))  # the product of the two may underflow
        spread = 2 * angle / np.pi
        return Dual(float(1 - spread), float(slope), 1.0, spread, float(2 / np.pi * (angle - np.tan(0.5 * angle))))

    def coefficients(self, variance: float) -> Coefficients:
        if variance == 0:
            return super().coefficients(variance)
        return Coefficients(0.0, float(np.sqrt(2 / np.pi) / np.sqrt(variance)), float(np.sqrt(1 - 2 / np.pi)))


Sign = SignActivation  # its name of before


class Sine(Activation):
    """sin(x): E sin u sin v = exp(-sigma) sinh(K0)."""

    def __init__(self) -> None:
        super().__init__(np.sin, name="sine", smooth=True)

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        gap = variance - covariance if gap is None else gap
        near, far = np.exp(-gap), np.exp(-(variance + covariance))
        product = -0.5 * near * np.expm1(-2 * covariance)
        spread = -0.5 * np.expm1(-gap) * (1 + far)
        if gap < 0.05:  # series of 1 - exp(-g)(1 + g) and of g - 1 + exp(-g)
            bent = gap**2 * (1 / 2 - gap * (1 / 3 - gap * (1 / 8 - gap * (1 / 30 - gap * (1 / 144 - gap / 840)))))
            lost = gap**2 * (1 / 2 - gap * (1 / 6 - gap * (1 / 24 - gap * (1 / 120 - gap * (1 / 720 - gap / 5040)))))
        else:
            bent, lost = 1 - near * (1 + gap), gap - 1 + near
        return Dual(
            float(product),
            float(0.5 * (near + far)),
            float(-0.5 * np.expm1(-2 * variance)),
            float(spread),
            float(0.5 * (bent - far * lost)),
        )

    def coefficients(self, variance: float) -> Coefficients:
        rest = self.dual(variance, 0.0, variance).residue
        return Coefficients(0.0, float(np.exp(-0.5 * variance)), float(np.sqrt(max(rest, 0.0))))


_X, _W = np.polynomial.legendre.leggauss(24)
_BUILDERS: dict[str, Callable[[], Activation]] = {
    "linear": lambda: PiecewiseLinear(1.0, 0.0, "linear"),
    "erf": Erf,
    "tanh": lambda: Activation(np.tanh, name="tanh", smooth=True),
    "relu": lambda: PiecewiseLinear(0.5, 0.5, "relu"),
    "leaky_relu": lambda: leaky_relu(0.01),
    "abs": lambda: PiecewiseLinear(0.0, 1.0, "abs"),
    "gelu": lambda: Activation(lambda x: x * special.ndtr(x), name="gelu"),
    "swish": lambda: Activation(lambda x: x * special.expit(x), name="swish"),
    "sigmoid": lambda: Activation(special.expit, name="sigmoid"),
    "softplus": lambda: Activation(lambda x: np.logaddexp(0.0, x), name="softplus"),
    "sign": SignActivation,
    "sine": Sine,
}
_CACHE: dict[str, Activation] = {}


def names() -> tuple[str, ...]:
    """Names that `get` knows, with the two parametric forms ``hermite:K`` and ``leaky_relu:SLOPE``."""
    return (*_BUILDERS, "hermite:K", "leaky_relu:SLOPE")


def leaky_relu(slope: float) -> Activation:
    """max(x, slope x) for 0 <= slope <= 1, in closed form."""
    if abs(number("slope", slope)) > LARGEST_MOMENT:
        raise fail("slope", f"at most {LARGEST_MOMENT:g} in magnitude", slope)
    label = "leaky_relu" if slope == 0.01 else f"leaky_relu:{exact(slope)}"
    return PiecewiseLinear(0.5 * (1 + slope), 0.5 * (1 - slope), label)


def hermite(degree: int) -> Activation:
    """The normalised probabilists' Hermite polynomial He_k(x)/sqrt(k!), of unit variance under a standard normal input."""
    k = integer("degree", degree, minimum=0)
    if k > 20:  # beyond, the polynomial's mass leaves the range of the quadrature
        raise fail("degree", "at most 20", degree)
    polynomial = np.polynomial.hermite_e.HermiteE.basis(k) / np.sqrt(special.factorial(k))
    return Activation(polynomial, name=f"hermite:{k}", smooth=k <= 1)


def get(activation: Any) -> Activation:
    """Turn a name, a function or an `Activation` into an `Activation`.

    Examples
    --------
    >>> get("relu").dual(1.0, 0.0).slope
    0.25
    """
    if isinstance(activation, Activation):
        return activation
    if callable(activation):
        return Activation(activation, name=name_of(activation))
    if not isinstance(activation, str):
        raise fail("activations", "names, functions or Activation objects", activation)
    key = activation.strip().lower().replace("-", "_")
    if key not in _CACHE:
        _CACHE[key] = _parse(activation, key)
    return _CACHE[key]


def _parse(activation: str, key: str) -> Activation:
    if key in _BUILDERS:
        return _BUILDERS[key]()
    head, _, tail = key.partition(":")
    if tail and head in ("hermite", "leaky_relu"):
        try:
            return hermite(int(tail)) if head == "hermite" else leaky_relu(float(tail))
        except ValueError:
            pass
    raise ArgumentError(
        f"Argument `activations` must name known activations, but got {activation!r}.{did_you_mean(key, tuple(_BUILDERS))} "
        f"Known: {', '.join(names())}."
    )
