"""Real labels that are any function of the field: y = f(field) + sqrt(noise) z."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gaussequiv._jax import elementwise
from gaussequiv.errors import FloatArray, number
from gaussequiv.numerics.panels import normal_panels


@dataclass(frozen=True)
class Output:
    r"""y = f(field) + sqrt(noise) z, z standard normal: a nonlinear readout outside the network.

    Parameters
    ----------
    function : callable
        f, elementwise, NumPy or JAX.
    noise : float
        Variance of the label noise, outside f.
    kinks : tuple of float
        Points where f or its derivative jumps.
    name : str, optional

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
    task: str = field(default="regression", init=False)
    _call: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        number("noise", self.noise, nonnegative=True, meaning="It is the variance of the label noise.")
        module, qualname = (
            getattr(self.function, "__module__", ""),
            getattr(self.function, "__qualname__", type(self.function).__qualname__),
        )
        object.__setattr__(self, "name", self.name or f"{module}:{qualname}")
        object.__setattr__(self, "_call", elementwise(self.function, self.name))
        object.__setattr__(self, "kinks", tuple(float(k) for k in self.kinks))

    def __call__(self, z: FloatArray) -> FloatArray:
        """f(z)."""
        values: FloatArray = self._call(np.asarray(z, float))
        return values

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        """Draw labels."""
        return self(field) + np.sqrt(self.noise) * rng.standard_normal(field.shape)

    def nodes(self, b0: FloatArray, variance: FloatArray | float, order: int = 16) -> tuple[FloatArray, FloatArray]:
        """Field values and weights for E over N(b0, variance), shape (points, nodes)."""
        b0 = np.asarray(b0, float).reshape(-1, 1)
        root = np.sqrt(np.broadcast_to(np.asarray(variance, float).reshape(-1, 1), b0.shape))
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = np.nan_to_num((np.array(self.kinks or (0.0,)) - b0) / root, nan=0.0)
        found = normal_panels(breaks, order)
        return b0 + root * found.xi, found.weights

    def moments(self, b0: FloatArray, variance: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E f, E f' (by Stein) and E f^2 for a field ~ N(b0, variance), label noise apart."""
        z, weights = self.nodes(b0, variance)
        values = self(z)
        centred = z - np.asarray(b0, float).reshape(-1, 1)
        return (weights * values).sum(axis=1), (weights * values * centred).sum(axis=1) / variance, (weights * values**2).sum(axis=1)

    def bayes_error(self, linear: float, rest: float, b0: FloatArray) -> FloatArray:
        """Least mean squared error given the linear part (variance `linear`) of a field whose other part has variance `rest`."""
        centres, weights = self.nodes(b0, max(linear, 1e-300), 8)
        second = self.moments(b0, linear + rest)[2]
        z, inner = self.nodes(centres.ravel(), max(rest, 1e-300), 8)
        known = (inner * self(z)).sum(axis=1).reshape(centres.shape)
        return second - (weights * known**2).sum(axis=1) + self.noise

    def log_partition(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """log density of y for field ~ N(omega, V); needs noise > 0."""
        y, omega, V = np.broadcast_arrays(np.asarray(y, float), np.asarray(omega, float), np.asarray(V, float))
        z, weights = self.nodes(omega.ravel(), V.ravel())
        exponent = -0.5 * (y.reshape(-1, 1) - self(z)) ** 2 / self.noise
        top = exponent.max(axis=1, keepdims=True)
        value = top[:, 0] + np.log((weights * np.exp(exponent - top)).sum(axis=1)) - 0.5 * np.log(2 * np.pi * self.noise)
        return value.reshape(y.shape)

    def __str__(self) -> str:
        return self.name
