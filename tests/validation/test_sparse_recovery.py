"""Lasso on sparse and binary weights: independent state evolution, scikit-learn, and the transition of Donoho and Tanner."""

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.linear_model import Lasso

import gaussequiv as ge


def state_evolution(mean, alpha, lam, noise):
    """Bayati, Montanari 2012, weights 0 with probability 0.9, else N(0, 1), or signs: tau^2 = (noise + E (soft(x + tau z) - x)^2)/alpha."""
    z = np.linspace(-9, 9, 1601)
    mass = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    parts = [(0.5, 1.0), (0.5, -1.0)] if mean else [(0.9, 0.0), *zip(0.1 * mass[::8] / mass[::8].sum(), z[::8], strict=True)]
    p, x = np.array(parts).T
    tau, V = 1.0, 0.1
    for _ in range(120):
        h, theta = x[:, None] + tau * z, lam * (1 + V) / alpha
        error = p @ (((np.sign(h) * np.maximum(abs(h) - theta, 0) - x[:, None]) ** 2) @ mass)
        V = (p @ ((abs(h) > theta) @ mass)) * (1 + V) / alpha
        tau = np.sqrt((noise + error) / alpha)
    return noise + error


@pytest.mark.parametrize(
    ("name", "alpha", "lam"), [("gauss-bernoulli:0.1", 0.5, 0.05), ("gauss-bernoulli:0.1", 2, 0.02), ("rademacher", 0.5, 0.05)]
)
def test_independent_state_evolution(name, alpha, lam):
    found = ge.solve(ge.Problem(ge.LinearTarget(name, noise=0.01), learner=ge.Lasso(lam)), [alpha])
    assert bool(found.converged[0])
    assert float(found.test_error[0]) == pytest.approx(state_evolution(name == "rademacher", alpha, lam, 0.01), rel=1e-3)


def test_scikit_learn():
    """20 fits of Lasso on sparse weights, d = 400; finite-size allowance 1%."""
    rng, d, n, errors = np.random.default_rng(0), 400, 200, []
    for _ in range(20):
        w = np.where(rng.random(d) < 0.1, rng.standard_normal(d), 0.0)
        x = rng.standard_normal((n, d)) / np.sqrt(d)
        y = x @ w + 0.1 * rng.standard_normal(n)
        errors.append(0.01 + np.mean((Lasso(alpha=0.05 / n, fit_intercept=False, tol=1e-8, max_iter=50_000).fit(x, y).coef_ - w) ** 2))
    theory = float(ge.solve(ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1", noise=0.01), learner=ge.Lasso(0.05)), [0.5]).test_error[0])
    assert abs(np.mean(errors) - theory) < 4 * np.std(errors) / np.sqrt(20) + 0.01 * theory


def donoho_tanner(rho):
    """alpha below which least |w|_1 does not find weights of density rho: min_t rho (1 + t^2) + 2 (1 - rho) E (z - t)_+^2."""
    value = lambda t: rho * (1 + t * t) + 2 * (1 - rho) * ((1 + t * t) * stats.norm.sf(t) - t * stats.norm.pdf(t))  # noqa: E731
    return float(optimize.minimize_scalar(value, bounds=(0, 6), method="bounded").fun)


@pytest.mark.parametrize("name", ["gauss-bernoulli:0.1", "sparse-rademacher:0.3"])
def test_the_transition_of_donoho_and_tanner(name):
    """Above it the error vanishes like lam^2, below it does not; the transition is the same for every law of the same density."""
    edge = donoho_tanner(float(name.split(":")[1]))
    one, two = (ge.solve(ge.Problem(ge.LinearTarget(name), learner=ge.Lasso(lam)), [0.97 * edge, 1.03 * edge]) for lam in (1e-5, 1e-6))
    assert one.converged.all() and two.converged.all()
    assert two.test_error[0] > 1e-5 and float(two.test_error[0] / one.test_error[0]) == pytest.approx(1, abs=0.01)
    assert two.test_error[1] < 1e-8 and float(one.test_error[1] / two.test_error[1]) == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("lam", [1e-6, 0.02, 0.1, 1.0, 1e3])
def test_ordinary_settings_converge(lam):
    """Small targets at any penalty; where no weight is left the error is the variance of the labels."""
    found = ge.solve(ge.Problem(ge.DeepNetwork((), readout_variance=0.1, noise=0.01), learner=ge.Lasso(lam)), np.geomspace(0.05, 20, 8))
    assert found.converged.all() and float(found.test_error.max()) < 0.2
    if lam == 1e3:
        assert found.test_error.values == pytest.approx(0.11, rel=1e-12)


def test_no_solution_at_infinity():
    """At alpha = 1 the equations hold ever better as q grows."""
    found = ge.solve(ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1"), learner=ge.Lasso(1e-3)), [1.0])
    assert bool(found.converged[0]) and float(found.test_error[0]) < 1e-4


def test_the_best_penalty():
    problem = ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1", noise=0.01), learner=ge.Lasso("optimal"))
    best = ge.solve(problem, [0.5])
    around = [
        float(ge.solve(ge.Problem(problem.target, learner=ge.Lasso(float(best.lam[0]) * k)), [0.5]).test_error[0]) for k in (0.9, 1.1)
    ]
    assert bool(best.converged[0]) and float(best.test_error[0]) < min(around)
