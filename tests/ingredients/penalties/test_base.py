"""Penalties: values, scalar averages against quadrature and limits, messages."""

import numpy as np
import pytest
from scipy import integrate

from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.penalties import base as penalties


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("variance", "Vhat", "lam"), [(1.0, 2.0, 0.5), (0.3, 1.0, 2.5), (9.0, 0.1, 1e-3), (0.04, 1.0, 1.5)])
def test_averages_against_quadrature(ratio, variance, Vhat, lam):
    found = penalties.ElasticNet(ratio).averages(variance, Vhat, lam)
    edge, scale, s = lam * ratio, Vhat + lam * (1 - ratio), np.sqrt(variance)
    density = lambda h: 2 * np.exp(-0.5 * h * h / variance) / np.sqrt(2 * np.pi * variance)  # noqa: E731
    top = edge + 40 * min(s, variance / edge if edge > 0 else s)
    exact = {"limit": 200, "epsabs": 0.0, "epsrel": 1e-12}
    q = integrate.quad(lambda h: ((h - edge) / scale) ** 2 * density(h), edge, top, **exact)[0]
    p = integrate.quad(density, edge, top, **exact)[0]
    np.testing.assert_allclose(found, [q, p / scale, p], rtol=1e-10)


def test_averages_are_those_of_the_minimiser():
    """The closed form's w = soft(h)/(...) is the minimum of its own objective."""
    net, h = penalties.ElasticNet(0.4), 1.7
    grid = np.linspace(-2, 2, 400_001)
    best = grid[np.argmin(0.9 * (0.4 * np.abs(grid) + 0.3 * grid**2) + 0.5 * 1.3 * grid**2 - h * grid)]
    assert abs(best - (h - 0.36) / (1.3 + 0.54)) < 2e-5
    assert abs(net.value(np.array([best])) - (0.4 * best + 0.3 * best**2)) < 1e-12


def test_tails_and_the_switch():
    """E (x-t)_+^2 = 2 phi(t)/t^3 (1 - 6/t^2 + 45/t^4 ...) far out; continuous where the form changes; 0 at infinity."""
    t = 35.0
    series = 4 * np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi) / t**3 * (1 - 6 / t**2 + 45 / t**4 - 420 / t**6)
    assert abs(penalties.L1().averages(1.0, 1.0, t).second_moment / series - 1) < 1e-8
    low, high = penalties.L1().averages(1.0, 1.0, np.array([2.0 - 1e-12, 2.0 + 1e-12])).second_moment
    assert abs(low / high - 1) < 2e-11
    assert penalties.L1().averages(0.0, 1.0, 1.0) == (0.0, 0.0, 0.0)


def test_limits():
    variance, Vhat, lam = np.array([0.5, 2.0]), 1.2, 0.7
    ridge = penalties.L2().averages(variance, Vhat, lam)
    np.testing.assert_allclose(ridge.second_moment, variance / (Vhat + lam) ** 2)
    np.testing.assert_allclose(penalties.ElasticNet(0.0).averages(variance, Vhat, lam), ridge)
    np.testing.assert_allclose(penalties.ElasticNet(1.0).averages(variance, Vhat, lam), penalties.L1().averages(variance, Vhat, lam))
    np.testing.assert_allclose(penalties.L1().averages(variance, Vhat, 0.0).second_moment, variance / Vhat**2)


def test_quadratic_forms():
    w, rng = np.array([1.0, -2.0, 0.5]), np.random.default_rng(0)
    half = rng.standard_normal((3, 5))
    full = penalties.Quadratic(half @ half.T)
    assert np.isclose(full.value(w), 0.5 * w @ half @ half.T @ w)
    np.testing.assert_allclose(full.root @ full.root.T, half @ half.T)
    assert penalties.Quadratic(np.ones(3)).value(w) == penalties.L2().value(w)
    assert penalties.Quadratic(2 * np.eye(3)).value(w) == penalties.Quadratic(np.full(3, 2.0)).value(w)
    assert full.to_dict()["shape"] == [3, 3]


def test_get():
    assert penalties.get(None) == penalties.get("l2") == penalties.L2()
    assert penalties.get("L1") == penalties.L1()
    assert penalties.get("elastic net").to_dict() == {"name": "elastic_net", "l1_ratio": 0.5}
    assert penalties.get(penalties.ElasticNet(0.1)).parameters == {"l1_ratio": 0.1}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: penalties.ElasticNet(1.5), "`l1_ratio` must be at most 1"),
        (lambda: penalties.ElasticNet(-0.5), "`l1_ratio` must be a non-negative"),
        (lambda: penalties.Quadratic([1.0, 0.0]), "must be positive"),
        (lambda: penalties.Quadratic(np.array([[1.0, 2.0], [2.0, 1.0]])), "smallest eigenvalue is -1"),
        (lambda: penalties.Quadratic(np.array([[1.0, 0.5], [0.0, 1.0]])), "must be symmetric"),
        (lambda: penalties.Quadratic(np.ones((2, 3))), r"shape \(p,\) or \(p, p\)"),
        (lambda: penalties.get("elastic_nut"), "Did you mean 'elastic_net'"),
        (lambda: penalties.get("elastic_net:x"), "with a number"),
        (lambda: penalties.get(3), "a name or a Penalty"),
    ],
)
def test_penalties_speak(build, message):
    with pytest.raises(ArgumentError, match=message):
        build()
