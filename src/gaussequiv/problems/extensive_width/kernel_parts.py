"""What an activation contributes at n ~ d^2: its parts of degree 0, 1 and 2, and the function g of all the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.panels import normal_panels

QUADRATIC = 1e-9  # of E sigma^2: less of degree three and above is none, and so for degree two


class Rest(NamedTuple):
    """g(1) - g(x), computed without the difference, and g'(x)."""

    left: FloatArray
    slope: FloatArray


@dataclass(frozen=True, eq=False)
class KernelParts:
    r"""K(x) = E sigma(u) sigma(u'), where u and u' share a standard normal part with correlation x and have noise of their own.

        sigma~(z) = E sigma(z + sqrt(s) xi),   mu_l = E sigma~(z) He_l(z),   g(x) = K(x) - mu_0^2 - mu_1^2 x - mu_2^2 x^2/2

    s is the variance of noise inside every unit: a sum over many units turns it into Gaussian noise of variance E sigma^2 - K(1).

    Parameters
    ----------
    activation : Activation
    unit_noise : float
        s.

    Examples
    --------
    >>> from gaussequiv.ingredients.activations import get
    >>> parts = KernelParts(get("relu"))
    >>> round(float(parts.rest([0.0]).left[0]), 6), round(parts.mu_2_square / 2, 6)
    (0.011268, 0.079577)
    """

    activation: Any
    unit_noise: float = 0.0

    @cached_property
    def variance(self) -> float:
        """Of u."""
        return 1.0 + self.unit_noise

    @cached_property
    def mu(self) -> tuple[float, float, float]:
        """mu_0, mu_1, mu_2: of sigma at u by Stein's lemma, mu_l = E sigma(u) He_l(u/sqrt(variance))/variance^(l/2)."""
        root = np.sqrt(self.variance)
        nodes = normal_panels(np.array([[*(np.array(self.activation.kinks) / root), 0.0]]))
        z, weights = nodes.xi[0], nodes.weights[0]
        values = self.activation(root * z)
        return (float(weights @ values), float(weights @ (values * z)) / root, float(weights @ (values * (z * z - 1))) / self.variance)

    @cached_property
    def mu_2_square(self) -> float:
        """mu_2^2, zero where rounding is all of it."""
        square = self.mu[2] ** 2
        return square if square / 2 > QUADRATIC * self.activation.dual(self.variance, 0.0).second else 0.0

    @cached_property
    def inner_noise(self) -> float:
        """E sigma^2 - K(1)."""
        return float(self.activation.dual(self.variance, 1.0, self.unit_noise).spread) if self.unit_noise > 0 else 0.0

    @cached_property
    def second(self) -> float:
        """K(1), the mean square of a clean label."""
        return float(self.activation.dual(self.variance, 0.0).second) - self.inner_noise

    @cached_property
    def floor(self) -> float:
        """g(1), zero where rounding is all of it: the error where only degrees up to two are known."""
        left = float(self.rest([0.0]).left[0])
        return left if left > QUADRATIC * self.second else 0.0

    def rest(self, x: Any) -> Rest:
        """g(1) - g(x) and g'(x) at correlations x in [0, 1]."""
        x = np.asarray(x, dtype=np.float64)
        _, mu_1, _ = self.mu
        square = self.mu_2_square
        one, each = np.full(1, self.variance), np.full(x.size, self.variance)
        kernel = self.activation.kernel()
        slope = kernel.slope(x[None, :], one, each)[0] - mu_1**2 - square * x
        left = self.second - kernel.product(x[None, :].copy(), one, each)[0]
        return Rest(left - mu_1**2 * (1 - x) - square * (1 - x * x) / 2, slope)
