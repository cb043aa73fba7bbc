"""`ClosedForm`: an activation whose Gaussian averages are formulas, written once for theory, kernels and samplers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.activations.base import Activation, Coefficients, Dual
from gaussequiv.ingredients.activations.dual_kernels import DualKernel, no_tangent

COLUMNS = 256  # of a block of a kernel matrix that a formula sees at once: its intermediate results stay in cache
ROUNDING = 1e-15


def _nodes(count: int) -> tuple[FloatArray, FloatArray]:
    x, w = np.polynomial.legendre.leggauss(count)
    return 0.5 * (1 + x), 0.5 * w


_COARSE, _FINE = _nodes(32), _nodes(64)


class ClosedForm(Activation, ABC):
    r"""An activation with closed forms. A subclass hands its function to ``__init__`` and writes five formulas.

    For Gaussian (u, v) of mean 0, variances s1, s2 and covariance c, all arrays that broadcast:

    ========================== =============================================================================
    ``product(c, s1, s2)``     E phi(u) phi(v); `c` is an array that may be overwritten
    ``slope(c, s1, s2)``       E phi'(u) phi'(v) = d product/dc (Price's theorem); likewise
    ``bend(covariance, gap)``  E phi''(u) phi''(v) = d slope/dc, at s1 = s2 = covariance + gap, for gap > 0
    ``mean(s)``                E phi(u) at variance s
    ``mean_slope(s)``          E phi'(u) at variance s
    ========================== =============================================================================

    Everything else follows: `coefficients`, `dual` (theory), `kernel` (NNGP, NTK) and, from the function, `traced` (samplers). The
    function may be written with NumPy, scipy.special or jax.numpy; NumPy serves all of them. At correlations near 1
    use `dual_kernels.correlation`, which stays within [-1, 1].

    `dual` needs spread = E phi^2 - E phi(u)phi(v) and residue = spread - slope gap without cancellation. Both follow from

        residue = int_{K0}^{sigma} (sigma - t) bend(t) dt,   spread = slope gap + residue,

    in t = sigma - gap x^2, by Gauss-Legendre (an integrand without singularity also where phi has kinks), or by the differences where
    these are the more accurate. `neurons` (features with biases or given weights) stays a quadrature unless overridden.

    `gaussequiv.testing.check_activation` compares every formula with quadrature.

    Examples
    --------
    >>> class Square(ClosedForm):
    ...     def __init__(self):
    ...         super().__init__(lambda x: x**2, name="square")
    ...     def product(self, c, s1, s2):
    ...         return s1 * s2 + 2 * c**2
    ...     def slope(self, c, s1, s2):
    ...         return 4 * c
    ...     def bend(self, covariance, gap):
    ...         return 4.0 + 0 * covariance
    ...     def mean(self, s):
    ...         return s
    ...     def mean_slope(self, s):
    ...         return 0 * s
    >>> [round(value, 9) for value in Square().dual(1.0, 0.5)]  # product, slope, second, spread, residue
    [1.5, 2.0, 3.0, 1.5, 0.5]
    """

    @abstractmethod
    def product(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        """E phi(u) phi(v)."""

    @abstractmethod
    def slope(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        """E phi'(u) phi'(v)."""

    @abstractmethod
    def bend(self, covariance: FloatArray, gap: FloatArray) -> FloatArray:
        """E phi''(u) phi''(v) at equal variances covariance + gap."""

    @abstractmethod
    def mean(self, s: FloatArray) -> FloatArray:
        """E phi(u)."""

    @abstractmethod
    def mean_slope(self, s: FloatArray) -> FloatArray:
        """E phi'(u)."""

    def second(self, s: FloatArray) -> FloatArray:
        """E phi(u)^2."""
        return np.asarray(self.product(np.array(s), s, s), dtype=np.float64)

    def slope_second(self, s: FloatArray) -> FloatArray:
        """E phi'(u)^2."""
        with np.errstate(divide="ignore"):
            found = np.asarray(self.slope(np.array(s), s, s), dtype=np.float64)
        if np.any(np.isinf(found)):
            raise no_tangent(self.name)
        return found

    def dual(self, variance: float, covariance: float, gap: float | None = None) -> Dual:
        """The moments of a layer from the formulas."""
        gap = variance - covariance if gap is None else gap
        s, c = np.array([float(variance)]), np.array([float(covariance)])
        if variance == 0:  # a constant layer below leaves nothing but the bias
            square = float(self(np.zeros(1))[0]) ** 2
            return Dual(square, 0.0, square, 0.0, 0.0)
        second = _one(self.second(s))
        if gap <= 0:
            return Dual(second, _one(self.slope(s.copy(), s, s)), second, 0.0, 0.0)
        product, slope = _one(self.product(c.copy(), s, s)), _one(self.slope(c.copy(), s, s))
        coarse, fine = (
            2 * gap**2 * float(w @ (x**3 * self.bend(covariance + gap * (1 - x * x), gap * x * x))) for x, w in (_COARSE, _FINE)
        )
        if abs(fine - coarse) <= ROUNDING * abs(second):
            return Dual(product, slope, second, slope * gap + fine, fine)
        spread = second - product
        return Dual(product, slope, second, spread, spread - slope * gap)

    def coefficients(self, variance: float) -> Coefficients:
        """Means from the formulas, and what they leave of E phi^2."""
        s = np.array([float(variance)])
        rest = self.dual(variance, 0.0, variance).residue
        return Coefficients(_one(self.mean(s)), _one(self.mean_slope(s)), float(np.sqrt(max(rest, 0.0))))

    def kernel(self) -> DualKernel:
        """The formulas on blocks of a kernel matrix."""
        return _Blocks(self)


@dataclass(frozen=True)
class _Blocks:
    """A `DualKernel` from the formulas of an activation, a few columns at a time."""

    phi: ClosedForm

    def product(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        for start in range(0, c.shape[1], COLUMNS):
            part = slice(start, start + COLUMNS)
            c[:, part] = self.phi.product(c[:, part], s1[:, None], s2[part])
        return c

    def slope(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        out = np.empty_like(c)
        for start in range(0, c.shape[1], COLUMNS):
            part = slice(start, start + COLUMNS)
            out[:, part] = self.phi.slope(c[:, part].copy(), s1[:, None], s2[part])
        return out

    def second(self, s: FloatArray) -> FloatArray:
        return np.broadcast_to(self.phi.second(s), s.shape)

    def slope_second(self, s: FloatArray) -> FloatArray:
        return np.broadcast_to(self.phi.slope_second(s), s.shape)

    def bend(self, covariance: float, gap: float) -> float:
        with np.errstate(divide="ignore"):  # infinite at a kink without gap
            return _one(self.phi.bend(np.array([float(covariance)]), np.array([float(gap)])))


def _one(found: FloatArray) -> float:
    return float(np.ravel(found)[0])
