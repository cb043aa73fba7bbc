r"""Averages of a soft threshold s(h) = sign(h) (|h| - t)_+ of a weight seen in Gaussian noise, h = a x + sqrt(v) z, x of any law.

The law is a `Mixture` of Gaussians, for each of which everything is closed in the normal density and its tail; a continuous law is a
mixture of points. All averages keep their relative precision where hardly any weight passes, and where hardly any error is left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.panels import legendre_panels

_SWITCH, _TERMS = 4.0, 20  # arguments above 4 by continued fraction: exp(-8 sqrt(2 * 20)) is below rounding, as is 4^4 eps below
_NARROW = 0.5  # standard deviations; moments of narrower intervals are not differences of tails
_ROOT = np.sqrt(2 * np.pi)
NONZERO, SQUARE, PRODUCT = range(3)  # rows of derivatives
BY_PULL, BY_VARIANCE, BY_THRESHOLD = range(3)  # and their columns: a, v and t


class Mixture(NamedTuple):
    """x ~ sum_k mass_k N(mean_k, variance_k), each of shape (components,) or (points, components)."""

    mass: FloatArray
    mean: FloatArray
    variance: FloatArray


class Tail(NamedTuple):
    """Of a standard normal xi: density at u, P(xi > u), E (xi - u)_+ and E (xi - u)_+^2."""

    density: FloatArray
    above: FloatArray
    first: FloatArray
    second: FloatArray


class Thresholded(NamedTuple):
    """P(s != 0), E s^2, E x s, and their derivatives, shape (points, 3, 3), in a, v and t."""

    nonzero: FloatArray
    square: FloatArray
    product: FloatArray
    jacobian: FloatArray


def tail(u: FloatArray) -> Tail:
    """Tail moments to full relative precision.

    The ratios r_n = I_n/I_{n-1} of I_n = E (xi - u)_+^n/n! obey r_n = 1/(u + (n + 1) r_{n+1}), which is used where the differences cancel.

    Examples
    --------
    >>> import numpy as np
    >>> [round(float(x[0]), 6) for x in tail(np.zeros(1))[1:]]
    [0.5, 0.398942, 0.5]
    """
    density, above = np.exp(-0.5 * u * u) / _ROOT, 0.5 * special.erfc(u / np.sqrt(2))
    inner = np.minimum(u, _SWITCH)
    first = np.asarray(density - inner * above)
    second = np.asarray(above - inner * first)
    far = u > _SWITCH
    if far.any():
        x = u[far]
        r1 = r2 = np.zeros_like(x)
        for n in range(_TERMS, 0, -1):
            r1, r2 = 1 / (x + (n + 1) * r1), r1
        first[far] = above[far] * r1
        second[far] = 2 * first[far] * r2
    return Tail(density, above, first, second)


def soft_averages(law: Mixture, a: FloatArray, v: FloatArray, t: FloatArray) -> Thresholded:
    r"""Averages at every point, arrays a, v > 0 and t >= 0 of shape (points,).

    With sigma^2 = a^2 variance + v and u = (t -+ a mean)/sigma for the upper (lower) side, and Stein's lemma,

        P(s != 0) = sum Q(u),   E s^2 = sum sigma^2 E (xi - u)_+^2,   E x s = sum (+- mean sigma E (xi - u)_+ + a variance Q(u)).

    Examples
    --------
    >>> one = np.ones(1)
    >>> round(float(soft_averages(Mixture(one, 0 * one, one), one, 0 * one, one).nonzero[0]), 6)
    0.317311
    """
    a_, v_, t_ = a[:, None], v[:, None], t[:, None]
    sigma = np.sqrt(a_ * a_ * law.variance + v_)
    pull = a_ * law.variance  # Cov(x, h)
    nonzero, squared, product, size = np.zeros((4, a.size))
    jacobian = np.zeros((a.size, 3, 3))
    for side in (1.0, -1.0):
        u = (t_ - side * a_ * law.mean) / sigma
        over = tail(u)
        p, excess = over.density / sigma, sigma * over.first
        there = law.mean + side * pull * u / sigma  # E x where h is at the threshold
        passing = side * law.mean * over.above + pull * p  # E x sign(h) 1(|h| > t)
        nonzero += _sum(law.mass, over.above)
        squared += _sum(law.mass, sigma**2 * over.second)
        product += _sum(law.mass, side * law.mean * excess + pull * over.above)
        size += _sum(law.mass, excess)
        weight = side * law.mean * passing + law.variance * (over.above + side * a_ * p * there)  # E x^2 1(|h| > t)
        for row, column, value in (
            (NONZERO, BY_PULL, side * p * there),
            (NONZERO, BY_VARIANCE, 0.5 * u * p / sigma),
            (NONZERO, BY_THRESHOLD, -p),
            (PRODUCT, BY_PULL, weight),
            (PRODUCT, BY_VARIANCE, 0.5 * side * p * there),
            (PRODUCT, BY_THRESHOLD, -passing),
        ):
            jacobian[:, row, column] += _sum(law.mass, value)
    jacobian[:, SQUARE] = np.stack([2 * product, nonzero, -2 * size], axis=1)
    return Thresholded(nonzero, squared, product, jacobian)


def soft_error(law: Mixture, a: FloatArray, v: FloatArray, t: FloatArray, scale: FloatArray, unit: float = 1.0) -> FloatArray:
    r"""E (unit x - s(h)/scale)^2 without cancellation.

    Where |h| > t, scale unit x - s = (scale unit - a) x - sqrt(v) z +- t is Gaussian along with h; elsewhere the error is unit x itself.
    """
    a_, v_, t_, scale_ = a[:, None], v[:, None], t[:, None], scale[:, None]
    sigma = np.sqrt(a_ * a_ * law.variance + v_)
    short = scale_ * unit - a_
    centre, slope = short * law.mean, (short * a_ * law.variance - v_) / sigma
    left = law.variance * v_ * (scale_ * unit / sigma) ** 2  # variance of the error given h
    total = np.zeros(a.size)
    ends = []
    for side in (1.0, -1.0):
        u = (t_ - side * a_ * law.mean) / sigma
        over = tail(u)
        k = side * centre + t_
        spread = over.above + u * over.density
        total += _sum(law.mass, k * k * over.above + 2 * k * slope * over.density + slope**2 * spread + left * over.above)
        ends.append(side * u)
    upper, lower = ends
    none, one, two = _interval(lower, upper)
    x = law.mean, a_ * law.variance / sigma
    inside = x[0] ** 2 * none + 2 * x[0] * x[1] * one + x[1] ** 2 * two + law.variance * v_ / sigma**2 * none
    found: FloatArray = total / scale**2 + unit**2 * _sum(law.mass, inside)
    return found


def _interval(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """E xi^n 1(low < xi < high), n = 0, 1, 2."""
    flip = low > 0  # tails on the side on which they are small
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)
    phi_a, phi_b = np.exp(-0.5 * a * a) / _ROOT, np.exp(-0.5 * b * b) / _ROOT
    none = special.ndtr(b) - special.ndtr(a)
    one = phi_a - phi_b
    finite_a, finite_b = np.where(phi_a > 0, a, 0.0), np.where(phi_b > 0, b, 0.0)
    two = none + finite_a * phi_a - finite_b * phi_b
    narrow = b - a < _NARROW
    if narrow.any():
        x, w = legendre_panels(np.stack([a[narrow], b[narrow]], axis=1), 10)
        w = w * np.exp(-0.5 * x * x) / _ROOT
        none[narrow], one[narrow], two[narrow] = w.sum(axis=1), (w * x).sum(axis=1), (w * x * x).sum(axis=1)
    return none, np.where(flip, -one, one), two


def _sum(mass: FloatArray, values: FloatArray) -> FloatArray:
    """Over components."""
    return np.asarray((mass * values).sum(axis=1))
