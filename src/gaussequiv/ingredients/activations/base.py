"""Activation functions and their Gaussian moments ("dual" functions), by closed form or refined quadrature."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gaussequiv._jax import elementwise, traceable
from gaussequiv._text import name_of
from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray, did_you_mean, fail
from gaussequiv.ingredients.activations.dual_kernels import DualKernel, HermiteSeries
from gaussequiv.ingredients.activations.neurons import NeuronMoments, by_quadrature
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
    r"""An elementwise nonlinearity and all that is asked of it: Gaussian moments, kernels, and the function that JAX traces.

    Moments are found by quadrature; a subclass of `ClosedForm` gives them as formulas.

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

    def kernel(self) -> DualKernel:
        """E phi(u)phi(v) and E phi'(u)phi'(v) on blocks of a kernel matrix."""
        return _series(self)

    def neurons(self, means: FloatArray, scales: FloatArray) -> NeuronMoments:
        """E phi(b + s z), E phi'(b + s z) and Var phi(b + s z) at every mean b and scale s, z ~ N(0, 1)."""
        return by_quadrature(self._call, self.kinks, self.name, means, scales)

    def traced(self) -> Callable[[Any], Any]:
        """The function as JAX traces, compiles and differentiates it, for samplers and training."""
        return traceable(self.function, self.name, "activations")


@lru_cache(maxsize=64)
def _series(phi: Activation) -> HermiteSeries:
    return HermiteSeries(phi, phi.kinks, phi.name)


_KNOWN: dict[str, Callable[[], Activation]] = {}
_FORMS: dict[str, tuple[str, Callable[[str], Activation]]] = {}
_CACHE: dict[str, Activation] = {}


def register(name: str, build: Callable[[], Activation]) -> None:
    """Let `get`, files and the command line know an activation by name."""
    _KNOWN[name] = build
    _CACHE.pop(name, None)


def register_form(head: str, parameter: str, build: Callable[[str], Activation]) -> None:
    """The same for names ``head:value``; `build` takes the text of the value and raises ValueError where it cannot be read."""
    _FORMS[head] = parameter, build


def names() -> tuple[str, ...]:
    """Names that `get` knows, with the parametric forms, such as ``hermite:K`` and ``leaky_relu:SLOPE``."""
    return (*_KNOWN, *(f"{head}:{parameter}" for head, (parameter, _) in _FORMS.items()))


def get(activation: Any) -> Activation:
    """Turn a name, a function or an `Activation` into an `Activation`.

    Examples
    --------
    >>> from gaussequiv.ingredients.activations import get
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
    if key in _KNOWN:
        return _KNOWN[key]()
    head, _, tail = key.partition(":")
    if tail and head in _FORMS:
        try:
            return _FORMS[head][1](tail)
        except ArgumentError:
            raise
        except ValueError:  # what is not a number is no known name
            pass
    raise ArgumentError(
        f"Argument `activations` must name known activations, but got {activation!r}.{did_you_mean(key, tuple(_KNOWN))} "
        f"Known: {', '.join(names())}."
    )


def __getattr__(name: str) -> Any:
    """Classes that had their place here are those of the room."""
    if name in ("Erf", "PiecewiseLinear", "Sign", "SignActivation", "Sine", "hermite", "leaky_relu"):
        return getattr(sys.modules["gaussequiv.ingredients.activations"], name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
