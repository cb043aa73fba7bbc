"""Normalised densities exp(exponent) against closed forms: many points at once, cut intervals, several peaks, kinks, no mass."""

import numpy as np
import pytest
from scipy import special

from gaussequiv.numerics.tilted import tilted_moments


def test_normal_laws_of_every_place_and_width_in_several_blocks():
    rng = np.random.default_rng(0)
    points = 2500  # more than one block
    mean, root, level = rng.uniform(-30, 30, points), 10 ** rng.uniform(-4, 0, points), rng.uniform(-800, 800, points)
    exponent = lambda x, part: level[part, None] - 0.5 * ((x - mean[part, None]) / root[part, None]) ** 2  # noqa: E731
    found = tilted_moments(exponent, np.full(points, -60.0), np.full(points, 50.0))
    np.testing.assert_allclose(found.log_integral, level + np.log(root * np.sqrt(2 * np.pi)), rtol=1e-11, atol=1e-10)
    assert np.max(np.abs(found.mean - mean) / root) < 1e-9
    np.testing.assert_allclose(found.variance, root**2, rtol=1e-9)


@pytest.mark.parametrize("rate", [-7.0, -0.5, 0.5, 3.0, 60.0])
def test_an_exponential_cut_at_both_ends(rate):
    low, high = np.array([-0.5]), np.array([1.5])
    found = tilted_moments(lambda x, part: -rate * x, low, high)
    a = 2 * rate  # over the interval's length
    assert found.log_integral[0] == pytest.approx(0.5 * rate + np.log(-np.expm1(-a) / rate), rel=1e-12)
    assert found.mean[0] == pytest.approx(-0.5 + 1 / rate - 2 / np.expm1(a), rel=1e-11)
    assert found.variance[0] == pytest.approx(1 / rate**2 - 1 / np.sinh(a / 2) ** 2, rel=1e-10)


@pytest.mark.parametrize(("gap", "width"), [(1.0, 0.3), (0.02, 0.004), (30.0, 1.0)])
def test_two_peaks_of_unequal_height(gap, width):
    share, middle = 0.2, 0.37  # of the left peak
    left, right = middle - gap / 2, middle + gap / 2

    def exponent(x, part):
        parts = [np.log(share) - 0.5 * ((x - left) / width) ** 2, np.log1p(-share) - 0.5 * ((x - right) / width) ** 2]
        return np.logaddexp(*parts)

    found = tilted_moments(exponent, np.array([-50.0]), np.array([70.0]))
    assert found.log_integral[0] == pytest.approx(np.log(width * np.sqrt(2 * np.pi)), rel=1e-9)
    assert found.mean[0] == pytest.approx(share * left + (1 - share) * right, rel=1e-9)
    assert found.variance[0] == pytest.approx(width**2 + share * (1 - share) * gap**2, rel=1e-8)


def test_kinks_end_panels():
    """exp(-x^2/2 - 5 |x - k|): two normal pieces, moments from their tails."""
    k, rate = 0.3137, 5.0
    found = tilted_moments(lambda x, part: -0.5 * x * x - rate * np.abs(x - k), np.array([-20.0]), np.array([20.0]), (k, 7.0))
    logs = [special.log_ndtr(k - rate) + 0.5 * rate**2 - rate * k, special.log_ndtr(-k - rate) + 0.5 * rate**2 + rate * k]
    total = special.logsumexp(logs)
    assert found.log_integral[0] == pytest.approx(0.5 * np.log(2 * np.pi) + total, rel=1e-13)
    # E x = -rate E sign(x - k), and E x^2 - 1 = -rate E x sign(x - k), by parts
    left, right = np.exp(logs - total)
    mills = np.exp(-0.5 * (k - rate) ** 2 - special.log_ndtr(k - rate)) / np.sqrt(2 * np.pi)
    other = np.exp(-0.5 * (k + rate) ** 2 - special.log_ndtr(-k - rate)) / np.sqrt(2 * np.pi)
    lower, upper = left * (rate - mills), right * (-rate + other)  # parts of the mean
    assert found.mean[0] == pytest.approx(lower + upper, rel=1e-12)
    assert found.variance[0] == pytest.approx(1 - rate * (upper - lower) - (lower + upper) ** 2, rel=1e-11)


def test_no_mass_anywhere():
    found = tilted_moments(lambda x, part: np.where(np.arange(2)[part, None] == 0, -np.inf, -x), np.full(2, 1.0), np.full(2, 3.0))
    assert found.log_integral[0] == -np.inf and np.isfinite(found.log_integral[1])
    assert found.log_integral[1] == pytest.approx(np.log(np.exp(-1) - np.exp(-3)), rel=1e-13)


def test_a_wall_and_a_level_beyond_the_largest_exponential():
    """exp(800 - x) above 0.3 alone."""
    low, high = np.array([-1.0]), np.array([2.0])
    found = tilted_moments(lambda x, part: np.where(x > 0.3, 800 - x, -np.inf), low, high, (0.3,))
    mass = np.exp(-0.3) - np.exp(-2)
    assert found.log_integral[0] == pytest.approx(800 + np.log(mass), rel=1e-13)
    assert found.mean[0] == pytest.approx((1.3 * np.exp(-0.3) - 3 * np.exp(-2)) / mass, rel=1e-11)
