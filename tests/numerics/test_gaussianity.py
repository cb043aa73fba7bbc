"""Estimators of non-Gaussianity: closed forms, honest standard errors, the noise of the Kolmogorov-Smirnov distance."""

import numpy as np
import pytest
from scipy import special, stats

from gaussequiv.numerics.gaussianity import (
    excess_kurtosis,
    ks_distance,
    ks_noise,
    mixed_cumulant,
    nonlinear_correlation,
    skewness,
    standardised,
    unit_effect,
)

n = 100_000
LAWS = {  # skewness, excess kurtosis
    "exponential": (lambda rng: rng.exponential(size=n), 2.0, 6.0),
    "uniform": (lambda rng: rng.uniform(size=n), 0.0, -1.2),
    "sign": (lambda rng: np.sign(rng.standard_normal(n)), 0.0, -2.0),
    "lognormal": (lambda rng: rng.lognormal(sigma=0.2, size=n), stats.lognorm(0.2).stats("s"), stats.lognorm(0.2).stats("k")),
}


@pytest.mark.parametrize("name", LAWS)
def test_cumulants_of_known_laws(name):
    draw, third, fourth = LAWS[name]
    a = standardised(draw(np.random.default_rng(1)))
    assert abs(a.mean()) < 1e-12 and np.mean(a * a) == pytest.approx(1)
    for found, expected in ((skewness(a), third), (excess_kurtosis(a), fourth)):
        assert abs(found.value - expected) <= 4 * found.stderr + 1e-3 * (name == "sign")
        assert found.stderr < 0.35


def test_distances_of_known_laws():
    rng = np.random.default_rng(2)
    x = np.linspace(-1, 8, 100_001)
    assert ks_distance(standardised(rng.exponential(size=n))) == pytest.approx(
        np.max(np.abs(1 - np.exp(-x - 1) - special.ndtr(x))), abs=0.005
    )
    root = np.sqrt(3)
    inner = np.linspace(-root, root, 100_001)
    expected = np.max(np.abs((inner + root) / (2 * root) - special.ndtr(inner)))
    assert ks_distance(standardised(rng.uniform(size=n))) == pytest.approx(expected, abs=0.005)
    assert ks_distance(np.repeat([-1.0, 1.0], 500)) == pytest.approx(special.ndtr(1) - 0.5)
    assert ks_distance(np.array([0.0])) == 0.5
    same = rng.standard_normal(200)
    assert ks_distance(same) == pytest.approx(stats.kstest(same, "norm").statistic, abs=1e-14)


def test_pairs_of_known_mixed_cumulants():
    z, other = np.random.default_rng(3).standard_normal((2, n))
    square, cube = (z * z - 1) / np.sqrt(2), (z**3 - 3 * z) / np.sqrt(6)
    a, b, c, o = (standardised(x) for x in (square, z, cube, other))
    for found, expected in (
        (mixed_cumulant(a, b), 4.0),  # E (z^2 - 1)^2 z^2/2 - 1
        (mixed_cumulant(b, c), 6.0),  # E (z^3 - 3z)^2 z^2/6 - 1
        (mixed_cumulant(b, o), 0.0),
        (nonlinear_correlation(a, b, 2), 1.0),
        (nonlinear_correlation(a, b, 3), 0.0),
        (nonlinear_correlation(c, b, 3), 1.0),
        (nonlinear_correlation(c, b, 2), 0.0),
        (nonlinear_correlation(standardised(square + z), b, 2), np.sqrt(0.5)),
    ):
        assert abs(found.value - expected) <= 4 * found.stderr, expected
        assert found.stderr < 0.3
    assert mixed_cumulant(c, c).value == pytest.approx(excess_kurtosis(c).value)
    assert mixed_cumulant(c, c).stderr == pytest.approx(excess_kurtosis(c).stderr)


def test_effects_on_a_unit():
    z, other = (standardised(x) for x in np.random.default_rng(4).standard_normal((2, n)))
    sign = np.sign(other)
    found = unit_effect(standardised(sign), z)
    assert found.value == pytest.approx(3 * special.erf(2**-0.5) ** 2 - 1, abs=4 * found.stderr)
    assert unit_effect(z, z).value == pytest.approx(0, abs=1e-12)
    found = unit_effect(standardised(np.sign(z)), z)  # E [sign(z) g(1) - g(z)]^2 beside that of a Gaussian of correlation sqrt(2/pi)
    x = np.linspace(0, 9, 200_001)
    exact = 2 * np.trapezoid((special.erf(2**-0.5) - special.erf(x / np.sqrt(2))) ** 2 * stats.norm.pdf(x), x)
    assert found.value == pytest.approx(3 * (exact - 2 / 3 + 4 / np.pi * np.arcsin(np.sqrt(2 / np.pi) / 2)), abs=4 * found.stderr)


def all_of(x, y):
    """Every estimate on a sample of pairs."""
    x, y = standardised(x), standardised(y)
    return (
        skewness(x),
        excess_kurtosis(x),
        mixed_cumulant(x, y),
        nonlinear_correlation(x, y, 2),
        nonlinear_correlation(x, y, 3),
        unit_effect(x, y),
    )


def scores(draw, expected, seeds=200):
    """z-scores (statistics, seeds) of all estimates on samples of pairs."""
    out = []
    for seed in range(seeds):
        found = all_of(*draw(np.random.default_rng((5, seed))))
        out.append([(one.value - value) / one.stderr for one, value in zip(found, expected, strict=True)])
    return np.array(out).T


@pytest.mark.parametrize("seed", [7, 8])
def test_standard_errors_are_those_of_leaving_one_out(seed):
    rng = np.random.default_rng(seed)
    b = rng.uniform(size=500) ** 2  # skewed and bounded: no sample has a weight of its own
    a = b + 0.7 * rng.uniform(size=500)

    without = np.array([[one.value for one in all_of(np.delete(a, i), np.delete(b, i))] for i in range(500)])
    jackknife = np.sqrt(499 / 500 * np.sum((without - without.mean(axis=0)) ** 2, axis=0))
    np.testing.assert_allclose([one.stderr for one in all_of(a, b)], jackknife, rtol=0.01)


@pytest.mark.parametrize("rho", [0.0, 0.7])
def test_standard_errors_cover_on_gaussian_pairs(rho):
    def draw(rng):
        a, b = rng.standard_normal((2, 4000))
        return 3 * a + 1, rho * a + np.sqrt(1 - rho**2) * b

    z = scores(draw, np.zeros(6))
    assert np.all(np.abs(z.mean(axis=1)) < 0.3)  # 4/sqrt(200)
    assert np.all(np.abs(z.std(axis=1) - 1) < 0.22)  # 4/sqrt(400), and what fourth powers add
    assert np.all(np.abs(z) < 5.5)


def test_standard_errors_cover_on_pairs_that_are_not_gaussian():
    def draw(rng):
        a, b = rng.uniform(-1, 1, (2, 4000))
        return 0.6 * a + 0.8 * b, a

    big = [x[:4000] for x in draw(np.random.default_rng(0))]
    assert np.corrcoef(*big)[0, 1] == pytest.approx(0.6, abs=0.05)
    # moments of uniforms of variance 1: fourth 9/5, sixth 27/7
    kurtosis = -1.2 * (0.6**4 + 0.8**4)
    mixed = 0.6**2 * 1.8 + 0.8**2 - 1 - 2 * 0.6**2
    third = 0.6 * (1.8 - 3) / np.sqrt(6)
    x, w = np.polynomial.legendre.leggauss(60)
    x, w = np.sqrt(3) * x, w / 2
    missed = w @ (special.erf((0.6 * x[:, None] + 0.8 * x) / np.sqrt(2)) - special.erf(x / np.sqrt(2))[:, None]) ** 2 @ w
    effect = 3 * (missed - 2 / 3 + 4 / np.pi * np.arcsin(0.3))
    z = scores(draw, [0.0, kurtosis, mixed, 0.0, third, effect])
    assert np.all(np.abs(z.mean(axis=1)) < 0.3)
    assert np.all(np.abs(z.std(axis=1) - 1) < 0.22)


def test_the_noise_of_the_distance_is_that_of_gaussian_samples():
    rng = np.random.default_rng(6)
    found = np.array([ks_distance(standardised(7 + 0.1 * rng.standard_normal(1000))) for _ in range(2000)])
    mean, spread = ks_noise(1000)
    assert found.mean() == pytest.approx(mean, rel=0.02)
    assert found.std() == pytest.approx(spread, rel=0.06)
    assert ks_noise(4000)[0] == pytest.approx(mean / 2)
    assert np.mean(found > mean + 5 * spread) <= 0.002
