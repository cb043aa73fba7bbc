"""Bivariate normal probabilities against a one-dimensional integral that knows nothing of Owen's function."""

import itertools

import numpy as np
import pytest
from scipy import special
from scipy.integrate import quad

from gaussequiv.numerics.orthant import aligned_disagreement, aligned_excess, bivariate_cdf, sign_disagreement, standardise


def by_quadrature(h, k, r):
    """P(X < h, Y < k) as the integral of density times conditional probability."""

    def integrand(x):
        return np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) * special.ndtr((k - r * x) / np.sqrt(1 - r * r))

    turn = k / r if r else 0.0  # the integrand bends here
    points = sorted({-9.0, *(p for p in (turn - 0.5, turn, turn + 0.5) if -9 < p < h), h})
    return sum(quad(integrand, a, b, epsabs=1e-14, epsrel=1e-13)[0] for a, b in itertools.pairwise(points))


@pytest.mark.parametrize("r", [-0.95, -0.4, 0.0, 0.3, 0.9, 0.999])
def test_cdf_agrees_with_quadrature(r):
    values = [-2.1, -0.3, 0.0, 0.8, 2.5]
    for h, k in itertools.product(values, values):
        assert float(bivariate_cdf(h, k, r)) == pytest.approx(by_quadrature(h, k, r), abs=1e-11), (h, k)


@pytest.mark.parametrize("r", [-1.0, -0.5, 0.0, 0.7, 1.0])
def test_quadrant_probability_is_the_arcsine_law(r):
    assert float(bivariate_cdf(0.0, 0.0, r)) == pytest.approx(0.25 + np.arcsin(r) / (2 * np.pi), abs=1e-15)


def test_perfect_correlation_reduces_to_one_variable():
    h, k = np.array([-1.0, 0.4, 0.0, 0.3, -0.7]), np.array([0.5, 0.1, 1.2, 0.3, 0.0])
    assert bivariate_cdf(h, k, 1.0) == pytest.approx(special.ndtr(np.minimum(h, k)), abs=1e-15)
    expected = np.maximum(special.ndtr(h) + special.ndtr(k) - 1, 0)
    assert bivariate_cdf(h, k, -1.0) == pytest.approx(expected, abs=1e-15)


def test_infinite_bounds_give_margins():
    k = np.array([-1.0, 0.0, 2.0])
    assert bivariate_cdf(np.inf, k, 0.3) == pytest.approx(special.ndtr(k), abs=1e-15)
    assert bivariate_cdf(k, np.inf, -0.3) == pytest.approx(special.ndtr(k), abs=1e-15)
    assert bivariate_cdf(-np.inf, k, 0.3).tolist() == [0.0, 0.0, 0.0]
    assert float(bivariate_cdf(np.inf, np.inf, 0.3)) == 1.0


def test_cdf_is_continuous_where_a_bound_vanishes():
    for h, k, r in [(0.0, 0.8, 0.4), (0.0, -0.8, 0.4), (0.8, 0.0, -0.4), (-0.8, 0.0, -0.4), (0.0, -0.3, -0.9)]:
        around = [float(bivariate_cdf(h + a, k + b, r)) for a, b in itertools.product((-1e-9, 1e-9), repeat=2)]
        assert around == pytest.approx([float(bivariate_cdf(h, k, r))] * 4, abs=2e-9)


def test_sign_disagreement_without_thresholds_is_an_angle():
    r = np.array([-1.0, -0.2, 0.0, 0.6, 1.0])
    assert sign_disagreement(0.0, 0.0, r) == pytest.approx(np.arccos(r) / np.pi, abs=1e-15)


def test_sign_disagreement_agrees_with_its_definition():
    for a, b, r in [(0.5, -0.2, 0.3), (1.5, 1.0, 0.8), (-0.4, 0.9, -0.6)]:
        agree = by_quadrature(a, b, r) + by_quadrature(-a, -b, r)
        assert float(sign_disagreement(a, b, r)) == pytest.approx(1 - agree, abs=1e-11)


@pytest.mark.parametrize("r", [0.05, 0.4, 0.9, 0.9999])
def test_aligned_disagreement_is_the_bayes_threshold_case(r):
    b = np.array([0.0, 0.3, 1.0, 2.5])
    ratio = np.sqrt((1 - r) * (1 + r)) / r
    assert aligned_disagreement(b, ratio) == pytest.approx(sign_disagreement(b / r, b, r), abs=2e-14)


def test_aligned_disagreement_has_its_limits():
    b = np.array([0.0, 0.5, 2.0])
    assert aligned_disagreement(b, np.inf) == pytest.approx(special.ndtr(-b), abs=1e-15)  # a constant guess
    assert aligned_disagreement(b, 0.0).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("ratio", "floor"), [(2.0, 0.5), (0.3, 0.0), (50.0, 1.0), (0.8, 0.7), (1e3, 0.5), (np.inf, 0.5)])
def test_aligned_excess_is_the_difference(ratio, floor):
    b = np.array([0.0, 1e-4, 1e-3, 0.01, 0.05, 0.2, 1.0, 3.0])
    full = np.full(b.size, ratio), np.full(b.size, floor)
    expected = aligned_disagreement(b, ratio) - aligned_disagreement(b, floor)
    # both terms are below 1/2 and good to 1e-15; the rest is room for a quadrature
    assert aligned_excess(b, *full, np.full(b.size, ratio**2 - floor**2)) == pytest.approx(expected, abs=1e-10)


def test_aligned_excess_keeps_digits_that_the_difference_loses():
    floor, difference = 0.7, 1e-18
    found = aligned_excess(np.zeros(1), np.array([floor]), np.array([floor]), np.array([difference]))
    slope = 1 / (np.pi * (1 + floor**2) * 2 * floor)  # d (atan(x)/pi) / d x^2
    assert found == pytest.approx(slope * difference, rel=1e-12)


@pytest.mark.parametrize("b", [0.0, 1e-3, 0.4, 2.0, 6.0])
@pytest.mark.parametrize(("ratio", "floor"), [(2.0, 0.5), (0.3, 0.0), (0.8, 0.799), (np.inf, 0.25), (30.0, 4.0)])
def test_aligned_excess_against_its_integral(b, ratio, floor):
    """(1/pi) int exp(-b^2 (1 + x^2)/2)/(1 + x^2) dx from floor to ratio, in digits of its own; alone and beside another b."""
    angle = lambda t: np.exp(-0.5 * (b / np.cos(t)) ** 2)  # noqa: E731  # x = tan t
    expected = quad(angle, np.arctan(floor), np.arctan(ratio), epsabs=0, epsrel=1e-13, limit=200)[0] / np.pi
    for column in (np.array([b]), np.array([b, 0.7])):
        found = aligned_excess(column, *(np.full(column.size, value) for value in (ratio, floor, ratio**2 - floor**2)))
        assert found[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("b", [0.0, 1e-200, 1e-20])
def test_aligned_excess_of_next_to_no_threshold_is_an_angle(b):
    """Beside another threshold, where no closed form is taken: int dx/(1 + x^2) from floor to infinity, to nearly all digits."""
    floor = 0.5
    found = aligned_excess(np.array([b, 0.7]), *(np.full(2, value) for value in (np.inf, floor, np.inf)))
    assert found[0] == pytest.approx((np.pi / 2 - np.arctan(floor)) / np.pi, rel=1e-13)


def test_standard_units():
    assert standardise([3.0, -1.0], 0.25).tolist() == [6.0, -2.0]
    assert standardise([3.0, -1.0], 0.0).tolist() == [np.inf, np.inf]
