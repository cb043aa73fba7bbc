"""Gaussian pair moments against closed forms; the generic quadrature never sees a derivative."""

import numpy as np
import pytest
from scipy import special

from gaussequiv import AccuracyWarning, Activation
from gaussequiv.ingredients.activations import base as activations
from gaussequiv.numerics.gaussian import conditional_moments, normal_grid, pair_moments

PAIRS = [(1.0, 0.0), (1.0, 0.4), (2.5, 2.0), (0.3, 0.297), (4.0, 0.0), (1.0, 0.999)]
NEAR = [(1.0, 1.0 - 1e-6), (2.0, 2.0 - 1e-8)]


def relative(found, expected):
    return np.abs(np.subtract(found, expected)) / np.maximum(1.0, np.abs(expected))


@pytest.mark.parametrize(("variance", "covariance"), PAIRS + NEAR)
@pytest.mark.parametrize(("name", "function"), [("erf", special.erf), ("sine", np.sin), ("linear", lambda x: 1.0 * x)])
def test_quadrature_reproduces_smooth_closed_forms(name, function, variance, covariance):
    exact = activations.get(name).dual(variance, covariance)
    found = Activation(function).dual(variance, covariance)
    # the slope is divided by sqrt(gap), which amplifies rounding errors of size 1e-16
    tolerance = 1e-10 + 1e-14 / np.sqrt(variance - covariance)
    assert np.all(relative(found, exact) < tolerance)


@pytest.mark.parametrize(("variance", "covariance"), [(1.0, 0.0), (1.0, 0.4), (2.5, 2.0), (0.3, 0.29), (4.0, 0.1)])
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda x: np.maximum(x, 0.0)),
        ("leaky_relu:0.2", lambda x: np.where(x > 0, x, 0.2 * x)),
        ("abs", np.abs),
        ("sign", np.sign),
    ],
)
def test_quadrature_with_declared_kinks_reproduces_arc_cosine_kernels(name, function, variance, covariance):
    exact = activations.get(name).dual(variance, covariance)
    found = Activation(function, kinks=(0.0,)).dual(variance, covariance)
    assert np.all(relative(found, exact) < 1e-9)


@pytest.mark.parametrize(("variance", "covariance"), PAIRS + NEAR)
def test_cubic_moments_follow_wick(variance, covariance):
    s, k = variance, covariance
    found = pair_moments(lambda x: x**3, s, k)
    tolerance = 1e-10 + 1e-13 / np.sqrt(s - k)
    assert np.all(relative(found[:3], (15 * s**3, 9 * s * s * k + 6 * k**3, 9 * (s * s + 2 * k * k))) < tolerance)


@pytest.mark.parametrize("degree", [1, 2, 3, 5, 8])
def test_hermite_polynomials_are_orthonormal_powers_of_the_correlation(degree):
    covariance = 0.6
    found = activations.get(f"hermite:{degree}").dual(1.0, covariance)[:3]
    # E He_k(u) He_k(v)/k! = r^k and its derivative with respect to r
    expected = (covariance**degree, degree * covariance ** (degree - 1), 1.0)
    assert np.all(relative(found, expected) < 1e-10)


def test_shifted_kinks_split_the_panels_where_they_are():
    shift, variance, covariance = 0.7, 1.3, 0.5
    found = Activation(lambda x: np.maximum(x - shift, 0.0), kinks=(shift,)).dual(variance, covariance)
    # E 1(u > shift) 1(v > shift): an orthant probability
    from scipy.integrate import quad

    def integrand(x):
        density = np.exp(-0.5 * x * x / variance) / np.sqrt(2 * np.pi * variance)
        spread = np.sqrt(variance - covariance**2 / variance)
        return density * special.ndtr((covariance * x / variance - shift) / spread)

    assert found.slope == pytest.approx(quad(integrand, shift, np.inf, epsabs=1e-13)[0], abs=1e-9)
    t = shift / np.sqrt(variance)
    second = variance * ((1 + t * t) * special.ndtr(-t) - t * np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi))
    assert found.second == pytest.approx(second, abs=1e-9)


@pytest.mark.parametrize("function", [lambda x: np.where(x > 0.3, 1.0, -1.0), lambda x: np.abs(x - 0.1)])
@pytest.mark.parametrize("covariance", [0.0, 0.5])
def test_an_undeclared_jump_or_kink_is_reported(function, covariance):
    with pytest.warns(AccuracyWarning, match="kinks or jumps, declare them"):
        Activation(function).dual(1.0, covariance)


def test_the_error_estimate_bounds_the_true_error_of_a_smooth_function():
    found = pair_moments(np.sin, 1.0, 0.5)
    exact = activations.get("sine").dual(1.0, 0.5)
    true = max(abs(found.second - exact.second), abs(found.product - exact.product), abs(found.slope - exact.slope))
    assert found.error < 1e-12
    assert true < 1e-12


def test_normal_grid_integrates_even_moments():
    z, weights = normal_grid(129)
    assert [float(weights @ z**k) for k in (0, 2, 4, 6)] == pytest.approx([1, 1, 3, 15], rel=1e-13)
    assert float(weights @ z**3) == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize("points", [129, 700_001])
@pytest.mark.parametrize("breaks", [(), (0.4,), (-1.0, 0.4, 2.0)])
def test_moments_at_many_means(points, breaks):
    """f = u^2 + 3 u: value, slope and what they leave, in blocks (700001 nodes hold two means at once) and on panels."""
    if breaks and points > 1000:
        points = 257
    means, s = np.array([-1.0, 0.3, 0.0, 2.0, -0.7]), 0.6
    value, slope, spread, residue = conditional_moments(lambda u: u**2 + 3 * u, means, s, breaks, points)
    np.testing.assert_allclose(value, means**2 + s**2 + 3 * means, rtol=1e-11)
    np.testing.assert_allclose(slope, 2 * means + 3, rtol=1e-10)
    np.testing.assert_allclose(residue, 2 * s**4, rtol=1e-9)
    np.testing.assert_allclose(spread, 2 * s**4 + (2 * means + 3) ** 2 * s**2, rtol=1e-9)


@pytest.mark.parametrize(("variance", "covariance"), [(400.0, 100.0), (1e4, 9.99e3), (1e6, 0.0), (1e6, 4e5), (200.0, 199.9)])
def test_laws_far_wider_than_the_function(variance, covariance):
    """Panels around 0, or around the kinks, where the trapezoidal rule would need thousands of nodes."""
    for name, function, kinks in (("erf", special.erf, ()), ("sign", np.sign, (0.0,)), ("abs", np.abs, (0.0,))):
        exact = activations.get(name).dual(variance, covariance)
        found = pair_moments(function, variance, covariance, kinks=kinks)
        assert np.all(relative((found.product, found.slope, found.second), exact[:3]) < 3e-9), name
    shift = 3.0
    t = shift / np.sqrt(variance)
    found = pair_moments(lambda u: np.maximum(u - shift, 0.0), variance, covariance, kinks=(shift,))
    second = variance * ((1 + t * t) * special.ndtr(-t) - t * np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi))
    assert found.second == pytest.approx(second, rel=1e-9)
    assert found.mean == pytest.approx(np.sqrt(variance) * (np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi) - t * special.ndtr(-t)), rel=1e-9)
    assert found.mean_slope == pytest.approx(special.ndtr(-t), rel=1e-9)
    assert found.spread == pytest.approx(found.second - found.product, rel=1e-6, abs=1e-9 * found.second)
    assert found.residue == pytest.approx(found.spread - (variance - covariance) * found.slope, rel=1e-6, abs=1e-8 * found.second)


def levels(function, covariance):
    """Nodes of the inner integral at every level, of a function that is told how often it was asked, and the last error."""
    asked = []

    def told(x):
        if not asked or asked[-1] != x.shape[-1]:
            asked.append(x.shape[-1])
        assert x.size <= 2_000_000
        return function(x, len(asked))

    return asked, pair_moments(told, 1.0, covariance).error


@pytest.mark.parametrize(("covariance", "most"), [(0.0, 8193), (0.5, 2049)])
def test_refinement_ends_where_nothing_is_gained(covariance, most):
    """By the same change at every level, twice, or at the last level; levels have twice the nodes less one."""
    assert levels(lambda x, k: np.sin(x), covariance)[0] == [129, 257]
    stalled, error = levels(lambda x, k: np.full(x.shape, 1 + 1e-6 * (-1) ** k), covariance)
    assert stalled == [129, 257, 513, 1025] and error == pytest.approx(4e-6, rel=1e-5)
    halved, error = levels(lambda x, k: np.full(x.shape, 1 + 2.0**-k), covariance)
    assert halved == [128 * 2**k + 1 for k in range(5 if covariance else 7)] and halved[-1] == most
    last = len(halved)
    assert error == pytest.approx((1 + 2.0 ** (1 - last)) ** 2 - (1 + 2.0**-last) ** 2, rel=1e-9)
