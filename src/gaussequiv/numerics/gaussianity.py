r"""How far samples are from a joint Gaussian law: cumulants, Kolmogorov-Smirnov distance, and what these do to the output of a unit.

Samples a, b are standardised by their own mean and deviation, so that only the shape of their law counts. Standard errors are those of the
influence functions (delta method), which also count what the estimated mean and deviation add; they hold for any law with the moments.

A mean of f(a, b) of standardised samples has the influence function

    f - E f - sum over x in (a, b) of [ E(df/dx) x + E(x df/dx) (x^2 - 1)/2 ].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from gaussequiv.errors import FloatArray

# mean and deviation of sqrt(n) times the distance of n Gaussian samples, standardised by their own moments, n -> infinity (Lilliefors 1967)
KS_MEAN, KS_SPREAD = 0.637, 0.147


class Estimate(NamedTuple):
    """A number, its standard error."""

    value: float
    stderr: float


def standardised(x: FloatArray) -> FloatArray:
    """Columns of mean 0 and mean square 1."""
    centred = x - x.mean(axis=0)
    return np.asarray(centred / np.sqrt(np.mean(centred * centred, axis=0)))


def ks_distance(z: FloatArray) -> float:
    r"""sup_x |F(x) - Phi(x)| of standardised samples z, F their empirical law.

    Examples
    --------
    >>> round(ks_distance(np.array([-1.0, 1.0])), 4)  # signs: Phi(1) - 1/2
    0.3413
    """
    n = z.size
    law, step = special.ndtr(np.sort(z)), np.arange(n + 1) / n
    return float(max(np.max(step[1:] - law), np.max(law - step[:-1])))


def ks_noise(n: int) -> tuple[float, float]:
    """Mean and deviation of `ks_distance` for n standardised Gaussian samples; right to 1% from n = 1000 on."""
    return KS_MEAN / np.sqrt(n), KS_SPREAD / np.sqrt(n)


def skewness(a: FloatArray) -> Estimate:
    """E a^3; its standard error is sqrt(6/n) for Gaussian samples.

    Examples
    --------
    >>> a = standardised(np.random.default_rng(0).standard_normal(10_000))
    >>> bool(abs(skewness(a).stderr - 0.0245) < 0.002)
    True
    """
    return _estimate(*_mean(a**3, (a, 3 * a**2)))


def excess_kurtosis(a: FloatArray) -> Estimate:
    """E a^4 - 3; its standard error is sqrt(24/n) for Gaussian samples."""
    value, influence = _mean(a**4, (a, 4 * a**3))
    return _estimate(value - 3, influence)


def mixed_cumulant(a: FloatArray, b: FloatArray) -> Estimate:
    """E a^2 b^2 - 1 - 2 (E a b)^2: 0 for Gaussian pairs, the excess kurtosis for b = a; standard error 2/sqrt(n) for independent ones."""
    square, influence = _mean(a * a * b * b, (a, 2 * a * b * b), (b, 2 * a * a * b))
    rho, of_rho = _mean(a * b, (a, b), (b, a))
    return _estimate(square - 1 - 2 * rho**2, influence - 4 * rho * of_rho)


def nonlinear_correlation(a: FloatArray, b: FloatArray, order: int) -> Estimate:
    """E a He_j(b)/sqrt(j!), j = order >= 2: 0 for Gaussian pairs, whose regression of a on b is linear; standard error 1/sqrt(n)."""
    scale = np.sqrt(special.factorial(order))
    value, slope = special.eval_hermitenorm(order, b) / scale, special.eval_hermitenorm(order - 1, b) * order / scale
    return _estimate(*_mean(a * value, (a, value), (b, a * slope)))


def unit_effect(a: FloatArray, b: FloatArray) -> Estimate:
    r"""What the law of (a, b) adds to the error of one sigmoidal unit that imitates another, in units of an output's power.

        3 {E [g(a) - g(b)]^2 - [2/3 - (4/pi) asin(rho/2)]},   g(x) = erf(x/sqrt(2)),   rho = E a b,   E g^2 = 1/3 (Gaussian)

    Examples
    --------
    >>> a, b = standardised(np.random.default_rng(0).standard_normal((50_000, 2))).T
    >>> bool(abs(unit_effect(a, b).value) < 0.02), bool(unit_effect(np.sign(a), b).value > 0.3)
    (True, True)
    """
    ga, gb = special.erf(a / np.sqrt(2)), special.erf(b / np.sqrt(2))
    slope_a, slope_b = (np.sqrt(2 / np.pi) * np.exp(-0.5 * x * x) for x in (a, b))
    missed = ga - gb
    error, influence = _mean(missed**2, (a, 2 * missed * slope_a), (b, -2 * missed * slope_b))
    rho, of_rho = _mean(a * b, (a, b), (b, a))
    gaussian, slope = 2 / 3 - 4 / np.pi * np.arcsin(rho / 2), -4 / np.pi / np.sqrt(4 - rho**2)
    return _estimate(3 * (error - gaussian), 3 * (influence - slope * of_rho))


def _mean(f: FloatArray, *slopes: tuple[FloatArray, FloatArray]) -> tuple[float, FloatArray]:
    """The mean of f, and its influence function; a pair (x, df/dx) for every standardised sample that f depends on."""
    value = float(f.mean())
    influence = f - value
    for x, slope in slopes:
        influence -= slope.mean() * x + 0.5 * np.mean(x * slope) * (x * x - 1)
    return value, influence


def _estimate(value: float, influence: FloatArray) -> Estimate:
    return Estimate(value, float(np.sqrt(np.mean(influence**2) / influence.size)))
