r"""Spectra of S + sqrt(t) GOE, S = W' diag(v) W/k with Gaussian W: densities, edges, and the error of the optimal denoiser.

W has k rows of d independent standard Gaussians, gamma = k/d, and v follows a discrete law; GOE has the semicircle on [-2, 2]. As the
R-transform of S is E_v[gamma v/(gamma - v G)], the Stieltjes transform G(x) of the sum solves (Marchenko, Pastur 1967; Voiculescu 1986)

    x = 1/G + E_v[gamma v/(gamma - v G)] + t G,                                    density rho = Im G(x - i0)/pi
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import ArrayLike, NDArray

from gaussequiv.errors import FloatArray

NODES, REACH = 72, 3.4  # of every panel: the double-exponential rule, |s| <= REACH
POLISH = 2  # Newton steps on roots of a companion matrix


class Cubes(NamedTuple):
    """Integrals over the spectrum at every t: of rho, of rho^3, and the derivative of the latter by t."""

    mass: FloatArray
    cube: FloatArray
    cube_slope: FloatArray


@dataclass(frozen=True)
class FreeSum:
    r"""The law of S + sqrt(t) GOE for every t > 0.

    Parameters
    ----------
    ratio : float, positive
        gamma = k/d.
    values, masses : tuples of float
        The law of v.

    Examples
    --------
    >>> law = FreeSum(0.5, (1.0,), (1.0,))
    >>> [round(float(edge), 4) for edge in law.edges(0.02)]
    [-0.2084, 0.187, 0.2072, 5.8343]
    >>> round(float(law.cubes(0.02).mass[0]), 6)
    1.0
    """

    ratio: float
    values: tuple[float, ...] = (1.0,)
    masses: tuple[float, ...] = (1.0,)
    _poles: FloatArray = field(init=False, repr=False, compare=False)
    _pole_masses: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        v, p = np.asarray(self.values, dtype=np.float64), np.asarray(self.masses, dtype=np.float64)
        kept = v != 0
        object.__setattr__(self, "_poles", v[kept])
        object.__setattr__(self, "_pole_masses", p[kept])

    def _position(self, G: NDArray[Any], t: Any) -> NDArray[Any]:
        """x at G."""
        v, p, gamma = self._poles, self._pole_masses, self.ratio
        position: NDArray[Any] = 1 / G + t * G + gamma * np.sum(p * v / (gamma - v * G[..., None]), axis=-1)
        return position

    def _position_slope(self, G: NDArray[Any], t: Any) -> NDArray[Any]:
        """dx/dG."""
        v, p, gamma = self._poles, self._pole_masses, self.ratio
        slope: NDArray[Any] = -1 / G**2 + t + gamma * np.sum(p * v**2 / (gamma - v * G[..., None]) ** 2, axis=-1)
        return slope

    def edges(self, t: float) -> FloatArray:
        """Ends of the bands in increasing order, two for each: x(G) where dx/dG = 0 at a real G (Silverstein, Choi 1995)."""
        return self.edge_values(t)[0]

    def edge_values(self, t: float) -> tuple[FloatArray, FloatArray]:
        """The edges and G at each: two roots meet there."""
        G, _ = self._critical(t)
        x = self._position(G, t)
        order = np.argsort(x)
        return x[order], G[order]

    def _critical(self, t: float) -> tuple[FloatArray, NDArray[np.complex128]]:
        """The zeros G of dx/dG, those on the axis and the others."""
        squares = [polynomial.polypow([self.ratio, -v], 2) for v in self._poles]
        total = polynomial.polymul([-1.0, 0.0, t], _product(squares))
        for j, (v, p) in enumerate(zip(self._poles, self._pole_masses, strict=True)):
            rest = _product([square for i, square in enumerate(squares) if i != j])
            total = polynomial.polyadd(total, self.ratio * p * v**2 * polynomial.polymul([0.0, 0.0, 1.0], rest))
        roots = polynomial.polyroots(total)
        real = np.abs(roots.imag) <= 1e-7 * (1 + np.abs(roots.real))
        return roots.real[real], np.asarray(roots[~real], dtype=np.complex128)

    def bands(self, t: float) -> FloatArray:
        """Bands of the spectrum, shape (bands, 2)."""
        return self.edges(t).reshape(-1, 2)

    def transform(self, x: ArrayLike, t: ArrayLike) -> NDArray[np.complex128]:
        """G(x - i0) inside the bands: the root in the upper half plane, of which there is one. (Elsewhere all roots are real.)"""
        x, t = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(t, dtype=np.float64))
        A, B, C = self._polynomials  # x A(G) + B(G) + t C(G) = 0
        coefficients = x[..., None] * A + B + t[..., None] * C
        G = _upper_root(coefficients)
        powers = np.arange(1, A.size)
        for _ in range(POLISH):
            value, slope = _horner(coefficients, G), _horner(coefficients[..., 1:] * powers, G)
            step = np.divide(value, slope, out=np.zeros_like(value), where=np.abs(slope) > 1e-6 * np.abs(coefficients).max(axis=-1))
            G = G - np.where(np.abs(step) < 0.1 * np.abs(G), step, 0.0)
        return G

    @cached_property
    def _polynomials(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """x G P - P - gamma G sum_j p_j v_j P_j - t G^2 P, P = prod_j (gamma - v_j G), P_j without its j-th factor."""
        factors = [np.array([self.ratio, -v]) for v in self._poles]
        P = _product(factors)
        size = P.size + 2
        pull = np.zeros(1)
        for j, (v, p) in enumerate(zip(self._poles, self._pole_masses, strict=True)):
            rest = _product([factor for i, factor in enumerate(factors) if i != j])
            pull = polynomial.polyadd(pull, self.ratio * p * v * rest)
        A, B = np.zeros(size), np.zeros(size)
        A[1 : 1 + P.size] = P
        B[: P.size] = -P
        B[1 : 1 + pull.size] -= pull
        C = np.zeros(size)
        C[2 : 2 + P.size] = -P
        return A, B, C

    def _panels(self, t: float) -> list[tuple[float, float]]:
        """Bands, split where a branch point comes near: what bends there lies at the ends of panels, where the nodes crowd."""
        on_axis, others = self._critical(t)
        edges, places = np.sort(self._position(on_axis, t)), np.unique(self._position(others, t).real)
        panels: list[tuple[float, float]] = []
        for low, high in edges.reshape(-1, 2):
            ends = [low, *places[(places > low) & (places < high)], high]
            panels += [(a, b) for a, b in pairwise(ends) if b > a]
        return panels

    def cubes(self, t: ArrayLike) -> Cubes:
        r"""int rho, int rho^3 and d/dt int rho^3 = -2 int rho^3 Re dG/dx (from d_t G = -G d_x G) at every t."""
        times = np.atleast_1d(np.asarray(t, dtype=np.float64))
        s, step = np.linspace(-REACH, REACH, NODES, retstep=True)
        place, mass = np.tanh(np.pi / 2 * np.sinh(s)), step * np.pi / 2 * np.cosh(s) / np.cosh(np.pi / 2 * np.sinh(s)) ** 2
        panels = [(i, *panel) for i, value in enumerate(times) for panel in self._panels(float(value))]
        owner = np.array([i for i, _, _ in panels])
        low, high = np.array([panel[1:] for panel in panels]).T[..., None]
        half = (high - low) / 2
        x, weight = (high + low) / 2 + half * place, half * mass
        at = np.broadcast_to(times[owner][:, None], x.shape)
        G = self.transform(x, at)
        rho = np.maximum(G.imag, 0.0) / np.pi
        inverse = self._position_slope(G, at)
        slope = np.divide(1.0, inverse, out=np.zeros_like(inverse), where=(rho > 0) & (inverse != 0)).real
        sums = [np.bincount(owner, np.sum(weight * f, axis=1), times.size) for f in (rho, rho**3, -2 * rho**3 * slope)]
        return Cubes(*(np.asarray(total, dtype=np.float64) for total in sums))


def _product(factors: list[FloatArray]) -> FloatArray:
    out: FloatArray = np.ones(1)
    for factor in factors:
        out = np.convolve(out, factor)
    return out


def _horner(coefficients: NDArray[Any], G: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Polynomials with coefficients along the last axis, lowest first, each at its own G."""
    value = np.zeros(G.shape, dtype=np.complex128)
    for k in range(coefficients.shape[-1] - 1, -1, -1):
        value = value * G + coefficients[..., k]
    return value


def _upper_root(coefficients: FloatArray) -> NDArray[np.complex128]:
    """The root of largest imaginary part of real polynomials: closed form for cubics, else eigenvalues of companion matrices."""
    degree = coefficients.shape[-1] - 1
    monic = coefficients[..., :-1] / coefficients[..., -1:]
    if degree == 3:
        return _upper_root_of_cubic(monic)
    companion = np.zeros((*monic.shape[:-1], degree, degree))
    companion[..., range(1, degree), range(degree - 1)] = 1.0
    companion[..., :, -1] = -monic
    roots = np.linalg.eigvals(companion).astype(np.complex128)
    chosen = np.argmax(roots.imag, axis=-1)[..., None]
    found: NDArray[np.complex128] = np.take_along_axis(roots, chosen, axis=-1)[..., 0]
    return found


def _upper_root_of_cubic(monic: FloatArray) -> NDArray[np.complex128]:
    """Cardano's formula for G^3 + a G^2 + b G + c; three real roots (outside of the bands, up to rounding) give the middle one."""
    c, b, a = monic[..., 0], monic[..., 1], monic[..., 2]
    shift, p, q = a / 3, b - a**2 / 3, c - a * b / 3 + 2 * a**3 / 27
    discriminant = q**2 / 4 + p**3 / 27
    root = np.sqrt(np.maximum(discriminant, 0.0))
    first = np.cbrt(-q / 2 - np.copysign(root, q))
    second = np.divide(-p / 3, first, out=np.zeros_like(p), where=first != 0)
    return -shift - (first + second) / 2 + 1j * (np.sqrt(3) / 2) * np.abs(first - second)
