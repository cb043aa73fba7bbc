r"""E phi(u)phi(v) and E phi'(u)phi'(v) as functions of two variances and a covariance, in place on whole blocks of a kernel matrix.

A closed form where the activation has one (`closed_form.py`); any other function through its normalised Hermite coefficients at each
row's variance, E phi(u)phi(v) = sum_k a_k(s1) a_k(s2) rho^k (Mehler).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray

TINY = 1e-300
REACH = 13.0
MOST_TERMS = 512
TRUNCATION = 1e-13  # of the second moment
ACCURACY = 1e-9
KEPT = 8
NODES = 48
SIMILAR = 6.0  # ratio of the largest to the smallest variance up to which NODES Chebyshev nodes give every digit
BLOCK = 2**23  # values in one table of nodes
WIDEST = 4e6  # variance of the argument of a function of scale 1
NEAR = 0.7  # correlations above are summed to full order, pair by pair


class DualKernel(Protocol):
    """Moments of one activation at Gaussian pairs; `c` is an array (rows, columns) of covariances, s1 and s2 the variances."""

    def product(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        """E phi phi; may overwrite c."""
        ...

    def slope(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        """E phi' phi'; leaves c as it is."""
        ...

    def second(self, s: FloatArray) -> FloatArray:
        """E phi^2 at every variance."""
        ...

    def slope_second(self, s: FloatArray) -> FloatArray:
        """E phi'^2 at every variance."""
        ...

    def bend(self, covariance: float, gap: float) -> float:
        """E phi'' phi'', the derivative of `slope` in the covariance, at variance = covariance + gap; infinite at a kink without gap."""
        ...


def get(phi: Any) -> DualKernel:
    """The dual kernel of an activation."""
    kernel: DualKernel = phi.kernel()
    return kernel


def correlation(c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
    """Correlations within [-1, 1] from covariances and variances that broadcast; 0 at a variance of 0."""
    found = np.asarray(c * (1 / np.sqrt(np.maximum(s1, TINY))))
    found *= 1 / np.sqrt(np.maximum(s2, TINY))
    return np.clip(found, -1.0, 1.0, out=found)


class HermiteSeries:
    """Hermite series; rows of nearly the same direction are summed pair by pair to full order, the diagonal from E phi^2."""

    def __init__(self, function: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], name: str) -> None:
        self.function, self.kinks, self.name = function, kinks, name
        self._kept: dict[bytes, tuple[FloatArray, float]] = {}  # the columns of a kernel matrix come back with every block of rows

    def coefficients(self, s: FloatArray, terms: int) -> tuple[FloatArray, FloatArray]:
        """a_k(s) = E phi(sqrt(s) z) He_k(z)/sqrt(k!) for k < terms, shape (rows, terms), and E phi^2, shape (rows,).

        Many rows of similar variance are interpolated in it (both are analytic in s, also where phi has kinks).
        """
        low, high = float(s.min()), float(s.max())
        if s.size <= 2 * NODES or high > SIMILAR * low:
            return self._exact(s, terms)
        x = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
        a, second = self._exact(0.5 * (low + high) + 0.5 * (high - low) * x, terms)
        at = np.clip((2 * s - low - high) / max(high - low, TINY), -1.0, 1.0)
        basis = np.cos(np.arange(NODES) * np.arccos(at)[:, None])  # Chebyshev polynomials at the rows
        transform = np.cos(np.arange(NODES)[:, None] * np.arccos(x)) * (2 / NODES)
        transform[0] *= 0.5
        mixing = basis @ transform
        return mixing @ a, mixing @ second

    def _exact(self, s: FloatArray, terms: int) -> tuple[FloatArray, FloatArray]:
        coefficients, second = np.empty((s.size, terms)), np.empty(s.size)
        count = 1 if self.kinks else self._count(float(s.max(initial=0.0)))
        rows = int(np.clip(BLOCK // count, 1, 256))
        for start in range(0, s.size, rows):
            part = slice(start, start + rows)
            root = np.sqrt(s[part])
            z, weights = self._nodes(root, terms)
            f = self.function(root[:, None] * z)
            second[part] = (weights * f * f).sum(axis=1)
            f *= weights
            if not self.kinks and z.size * terms <= BLOCK:  # the same nodes for all rows: one matrix product
                coefficients[part] = f @ _hermite(z.size, terms)
                continue
            previous, current = np.zeros_like(z), np.ones_like(z)
            for k in range(terms):
                coefficients[part, k] = np.einsum("ij,ij->i", f, np.broadcast_to(current, f.shape))
                previous, current = current, (z * current - np.sqrt(k) * previous) / np.sqrt(k + 1)
        return coefficients, second

    def _nodes(self, root: FloatArray, terms: int) -> tuple[FloatArray, FloatArray]:
        if not self.kinks:
            z = np.linspace(-REACH, REACH, self._count(float(root.max()) ** 2))[None, :]
            weights = np.exp(-0.5 * z * z)
            return z, weights / weights.sum()
        x, w = np.polynomial.legendre.leggauss(128 + terms // 2)
        inner = np.clip(np.sort(np.array(self.kinks))[None, :] / np.maximum(root, TINY)[:, None], -REACH, REACH)
        ends = np.full((root.size, 1), REACH)
        edges = np.concatenate([-ends, inner, ends], axis=1)
        half, middle = 0.5 * np.diff(edges, axis=1)[:, :, None], 0.5 * (edges[:, 1:] + edges[:, :-1])[:, :, None]
        z = (middle + half * x).reshape(root.size, -1)
        return z, (half * w).reshape(root.size, -1) * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)

    def _count(self, variance: float) -> int:
        """Evenly spaced nodes that resolve a smooth function of scale 1 at pre-activations of this variance."""
        if variance > WIDEST:
            raise ArgumentError(
                f"Argument `weight_variance` must keep the variance of pre-activations below {WIDEST:g} where a kernel has activation "
                f"{self.name!r}, whose series is summed over nodes of its own scale, but it is {variance:.6g}."
            )
        return 1025 * 2 ** int(np.ceil(np.log2(max(1.0, np.sqrt(variance) / 4))))

    def _complete(self, s: FloatArray) -> tuple[FloatArray, float]:
        """Coefficients until what is left of E phi^2 is nothing, or MOST_TERMS of them; and the fraction that is left."""
        key = s.tobytes()
        if key not in self._kept:
            terms = 32
            while True:
                a, second = self.coefficients(s, terms)
                left = float(np.max((second - (a * a).sum(axis=1)) / np.maximum(second, TINY)))
                if terms >= MOST_TERMS or left <= TRUNCATION:
                    break
                terms *= 2
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = a, left
        else:
            self._kept[key] = self._kept.pop(key)  # the most recently used goes last
        return self._kept[key]

    def product(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        (a1, left1), (a2, left2) = self._complete(s1), self._complete(s2)
        left = max(left1, left2)
        rho = correlation(c, s1[:, None], s2)
        if left > ACCURACY:
            apart = np.abs(rho[np.abs(rho) < 1 - 1e-12])
            error = left * float(np.max(apart, initial=0.0)) ** MOST_TERMS
            if error > ACCURACY:
                warnings.warn(
                    f"The kernel of activation {self.name!r} has an estimated relative error of {error:.1e} at rows of nearly the same "
                    "direction.",
                    AccuracyWarning,
                    stacklevel=3,
                )
        return self._sum(rho, a1, a2)

    def slope(self, c: FloatArray, s1: FloatArray, s2: FloatArray) -> FloatArray:
        a1, a2 = (self._slopes(s, self._complete(s)[0]) for s in (s1, s2))
        return self._sum(correlation(c, s1[:, None], s2), a1, a2)

    @staticmethod
    def _slopes(s: FloatArray, a: FloatArray) -> FloatArray:
        """Coefficients of phi': a_(k+1) sqrt(k + 1)/sqrt(s)."""
        return a[:, 1:] * np.sqrt(np.arange(1, a.shape[1])) / np.sqrt(np.maximum(s, TINY))[:, None]

    def _sum(self, rho: FloatArray, a1: FloatArray, a2: FloatArray) -> FloatArray:
        """sum_k a1_ik a2_jk rho_ij^k, to the shorter of the two series."""
        terms = min(a1.shape[1], a2.shape[1])
        a1, a2 = a1[:, :terms], a2[:, :terms]
        near = np.abs(rho) > NEAR
        i, j = np.nonzero(near)
        pairs = np.empty(i.size)
        for start in range(0, i.size, 4096):
            part = slice(start, start + 4096)
            powers = rho[i[part], j[part], None] ** np.arange(a1.shape[1])
            pairs[part] = np.einsum("ij,ij,ij->i", powers, a1[i[part]], a2[j[part]])
        far = float(np.max(np.where(near, 0.0, np.abs(rho)), initial=0.0))
        size = np.sqrt(np.max(a1 * a1, axis=0) * np.max(a2 * a2, axis=0)) * far ** np.arange(a1.shape[1])
        needed = np.flatnonzero(size > 1e-17 * max(float(size.max()), TINY))
        out = np.zeros_like(rho)
        power, term = np.ones_like(rho), np.empty_like(rho)
        for k in range(int(needed[-1]) + 1 if needed.size else 0):
            if k:
                power *= rho
            if size[k] > 0:
                np.multiply(power, a1[:, k, None], out=term)
                term *= a2[:, k]
                out += term
        out[i, j] = pairs
        return out

    def second(self, s: FloatArray) -> FloatArray:
        return self.coefficients(s, 1)[1]

    def slope_second(self, s: FloatArray) -> FloatArray:
        a, _ = self._complete(s)
        squares = np.arange(a.shape[1]) * a**2
        total = squares.sum(axis=1)
        left = float(np.max(squares[:, -4:].sum(axis=1) / np.maximum(total, TINY)))
        if left > 1e-8:
            raise no_tangent(self.name)
        return total / np.maximum(s, TINY)

    def bend(self, covariance: float, gap: float) -> float:
        variance = covariance + gap
        if variance == 0:
            return 0.0  # nothing varies
        a = self._complete(np.array([variance]))[0][0]
        k = np.arange(a.size)
        rho = covariance / variance
        return float(np.sum(k[2:] * (k[2:] - 1) * a[2:] ** 2 * rho ** (k[2:] - 2.0)) / variance**2)


@lru_cache(maxsize=8)
def _hermite(nodes: int, terms: int) -> FloatArray:
    """Normalised probabilists' Hermite polynomials at evenly spaced nodes within REACH, shape (nodes, terms)."""
    z = np.linspace(-REACH, REACH, nodes)
    out = np.empty((z.size, terms))
    previous, current = np.zeros_like(z), np.ones_like(z)
    for k in range(terms):
        out[:, k] = current
        previous, current = current, (z * current - np.sqrt(k) * previous) / np.sqrt(k + 1)
    return out


def no_tangent(name: str) -> ArgumentError:
    """Refuse a tangent kernel of an activation that jumps."""
    return ArgumentError(f"Argument `activations` must have a square-integrable derivative for a tangent kernel, but {name!r} has not.")
