"""Soft thresholds of weights of any law: averages by quadrature over the observation, derivatives, errors that almost vanish."""

import numpy as np
import pytest
from scipy import integrate

from gaussequiv.ingredients.priors import Discrete, GaussBernoulli, Gaussian, Rademacher, SparseRademacher
from gaussequiv.ingredients.priors.log_density import LogDensity
from gaussequiv.numerics.panels import legendre_panels
from gaussequiv.numerics.soft_threshold import Mixture, _interval, soft_averages, soft_error, tail

PRIORS = {
    "gaussian": Gaussian(0.7),
    "rademacher": Rademacher(),
    "gauss-bernoulli": GaussBernoulli(0.1, 2.0),
    "sparse-rademacher": SparseRademacher(0.3),
    "discrete": Discrete((-1.0, 0.5, 2.0), (0.2, 0.5, 0.3)),
    "laplace": LogDensity(lambda x: -abs(x), kinks=(0.0,)),
}
A, V, T, SCALE = (np.array([x]) for x in (0.9, 0.3, 0.6, 1.1))


def law(prior):
    return prior.mixture(np.array([[-T[0] / A[0], T[0] / A[0]]]), np.sqrt(V) / A)


@pytest.mark.parametrize("name", PRIORS)
def test_averages_by_quadrature_over_the_observation(name):
    """b = a h/v is seen with precision r = a^2/v: its law and the mean of x given b are the prior's own `log_marginal` and `posterior`."""
    prior = PRIORS[name]
    a, v, t, scale = (float(x[0]) for x in (A, V, T, SCALE))
    r = a * a / v
    h = np.concatenate([np.linspace(-60, -t, 60_001), np.linspace(-t, t, 20_001), np.linspace(t, 60, 60_001)])
    density = np.exp(prior.log_marginal(r, a * h / v)) * a / v
    seen = prior.posterior(r, a * h / v)
    s = np.sign(h) * np.maximum(np.abs(h) - t, 0)
    passing = np.abs(h) >= t
    passing[[60_001, 80_001]] = False, False
    inside = integrate.simpson(density[60_001:80_002], x=h[60_001:80_002])

    def average(values):
        return float(integrate.trapezoid(density * values, h))

    found = soft_averages(law(prior), A, V, T)
    assert found.nonzero[0] == pytest.approx(1 - inside, abs=1e-6)
    assert found.square[0] == pytest.approx(average(s * s), rel=1e-5)
    assert found.product[0] == pytest.approx(average(s * seen.mean), rel=1e-5)
    error = average(seen.variance + (seen.mean - s / scale) ** 2)
    assert soft_error(law(prior), A, V, T, SCALE)[0] == pytest.approx(error, rel=1e-5)
    assert law(prior).mass.sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", PRIORS)
def test_derivatives(name):
    fixed = law(PRIORS[name])
    found = soft_averages(fixed, A, V, T).jacobian[0]
    for k in range(3):
        ends = []
        for sign in (1, -1):
            at = [A, V, T]
            at[k] = at[k] * (1 + sign * 1e-5)
            ends.append(np.array(soft_averages(fixed, *at)[:3])[:, 0])
        slope = (ends[0] - ends[1]) / (2e-5 * float((A, V, T)[k][0]))
        tolerance = {"rel": 1e-6, "abs": 1e-7} if name != "laplace" else {"rel": 1e-3, "abs": 1e-3}  # points kink at fixed places
        assert found[:, k] == pytest.approx(slope, **tolerance)


def test_errors_that_almost_vanish():
    """Sparse signs at noise v -> 0 and t = sqrt v: E (x - s)^2/v = rho (1 + t^2) + (1 - rho) 2 E (xi - 1)_+^2, nothing cancels."""
    expected = 0.3 * 2 + 0.7 * 2 * 0.07534
    for v in (1e-4, 1e-10, 1e-18):
        one = np.ones(1)
        sparse = Mixture(np.array([0.15, 0.15, 0.7]), np.array([1.0, -1.0, 0.0]), np.zeros(3))
        assert soft_error(sparse, one, v * one, np.sqrt(v) * one, one)[0] / v == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("u", [-3.0, 0.5, 3.9, 4.1, 9.0, 30.0])
def test_tails_by_quadrature_of_what_does_not_cancel(u):
    """E (xi - u)_+^n = density(u) times the integral of x^n exp(-u x - x^2/2) over x > 0."""
    density = np.exp(-u * u / 2) / np.sqrt(2 * np.pi)
    width = 1 / max(u, 1.0)
    moments = [
        sum(
            integrate.quad(lambda x, n=n: x**n * np.exp(-u * x - x * x / 2), a * width, b * width, epsabs=0, epsrel=1e-12)[0]
            for a, b in PIECES
        )
        for n in range(3)
    ]
    found = [float(part[0]) for part in tail(np.array([u]))]
    assert found == pytest.approx([density, *(density * moment for moment in moments)], rel=1e-10)


PIECES = ((0, 1), (1, 3), (3, 8), (8, 20), (20, 40))
COMPONENTS = [(0.0, 1.0, 0.6), (3.0, 0.4, 0.6), (-3.0, 0.4, 0.6), (2.0, 0.0, 0.1), (9.0, 0.3, 1.5), (-0.4, 2.0, 1.5), (1.5, 0.5, 0.02)]


@pytest.mark.parametrize("unit", [1.0, 0.7])
@pytest.mark.parametrize(("mean", "variance", "t"), COMPONENTS)
def test_one_gaussian_by_a_sum_over_the_observation(mean, variance, t, unit):
    """Given h the weight is Gaussian: its mean moves by a variance/sigma^2 per unit of h, its variance is variance v/sigma^2."""
    a, v, scale, one = 0.9, 0.3, 1.1, np.ones(1)
    sigma = np.sqrt(a * a * variance + v)
    total, found_from = np.zeros(4), Mixture(one, mean * one, variance * one)
    for low, high in ((-40.0, -t), (-t, t), (t, 40.0)):
        h, dh = (part[0] for part in legendre_panels(np.linspace(low, high, 201)[None, :], 12))
        mass = dh * np.exp(-0.5 * ((h - a * mean) / sigma) ** 2) / sigma / np.sqrt(2 * np.pi)
        s = np.sign(h) * np.maximum(np.abs(h) - t, 0)
        seen = mean + a * variance / sigma**2 * (h - a * mean)
        error = unit**2 * variance * v / sigma**2 + (unit * seen - s / scale) ** 2
        total += mass @ np.stack([s != 0, s * s, seen * s, error], axis=1)
    got = soft_averages(found_from, a * one, v * one, t * one)
    error = soft_error(found_from, a * one, v * one, t * one, scale * one, unit)
    assert [float(part[0]) for part in (*got[:3], error)] == pytest.approx(total.tolist(), rel=1e-9)


@pytest.mark.parametrize(("mean", "variance", "t"), COMPONENTS)
def test_derivatives_of_one_gaussian(mean, variance, t):
    one = np.ones(1)
    law, at = Mixture(one, mean * one, variance * one), np.array([0.9, 0.3, t])
    for k in range(3):
        h = 1e-3 * at[k] * np.eye(3)[k]
        value = {j: np.array(soft_averages(law, *(at + j * h)[:, None])[:3])[:, 0] for j in (-2, -1, 1, 2)}
        slope = (8 * (value[1] - value[-1]) - value[2] + value[-2]) / (12e-3 * at[k])
        assert soft_averages(law, *at[:, None]).jacobian[0, :, k] == pytest.approx(slope, rel=1e-7, abs=1e-9)


def test_moments_of_intervals_keep_their_precision_where_they_are_narrow():
    """Narrow intervals beside wide ones, both signs, by a Gauss-Legendre rule of each alone."""
    low = np.array([[-1.0, 0.3, -2.0, 5.0, -5.0 - 1e-7]])
    high = np.array([[2.0, 0.3 + 1e-9, 3.0, 5.0 + 1e-6, -5.0]])
    x, w = legendre_panels(np.stack([low[0], high[0]], axis=1), 40)
    density = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    for n, moment in enumerate(_interval(low, high)):
        np.testing.assert_allclose(moment[0], (w * density * x**n).sum(axis=1), rtol=1e-9 if n == 1 else 1e-12)


def test_moments_of_wide_intervals_on_either_side():
    """By adaptive quadrature; sums of the ends of any sign and size."""
    low, high = np.array([-9.0, -3.0, -40.0, -2.0, 0.4]), np.array([3.0, 2.9, -0.3, 30.0, 11.0])
    found = _interval(low, high)
    for i in range(low.size):
        for n in range(3):
            ends = max(low[i], -12), min(high[i], 12)
            exact = integrate.quad(lambda x, n=n: x**n * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi), *ends, epsabs=1e-14)[0]
            assert found[n][i] == pytest.approx(exact, abs=1e-13)
