"""The separability threshold: Cover's 2, Candes and Sur's curve, the linear program of real samples, and what it means for lam = 0."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, special

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import Sign
from gaussequiv.ingredients.channels.binary import Binary


def equivalent(channel, rho=1.0, noise=0.0, w=(1.0,), offset=None, offset_variance=0.0):
    """Raw inputs with modes w, signal variance rho and effective noise."""
    w = np.array(w, float)
    mass = np.full(w.size, 1 / w.size)
    return ge.GaussianEquivalent(w, mass, rho / float(mass @ w) * w**2, rho, np.array([noise]), offset_variance, channel, offset=offset)


@pytest.mark.parametrize("intercept", [True, False])
def test_random_labels_are_separable_up_to_two(intercept):
    """Cover 1965: n = 2 d, whatever the spectrum of full rank; half of it where half of the modes vanish."""
    assert ge.separability_threshold(equivalent(Binary("random")), intercept=intercept) == pytest.approx(2.0, rel=1e-9)
    assert ge.separability_threshold(equivalent(Binary("random"), w=(0.1, 3)), intercept=intercept) == pytest.approx(2.0, rel=1e-9)
    assert ge.separability_threshold(equivalent(Binary("random"), w=(0, 1)), intercept=intercept) == pytest.approx(1.0, rel=1e-9)


def test_unbalanced_random_labels_with_an_intercept_are_separable_longer():
    e = equivalent(Binary("random:0.2"))
    assert ge.separability_threshold(e, intercept=False) == pytest.approx(2.0, rel=1e-9)
    assert ge.separability_threshold(e, intercept=True) > 2.5


def test_noiseless_labels_are_always_separable():
    assert ge.separability_threshold(equivalent(Sign(0.0)), intercept=False) == np.inf
    assert np.isfinite(ge.separability_threshold(equivalent(Sign(0.0), noise=0.01), intercept=False))


@pytest.mark.parametrize("gamma", [1.0, 2.0, 4.0])
def test_logit_labels_by_direct_minimisation(gamma):
    """Candes, Sur 2020, Theorem 1 without intercept: 1/alpha = min_t E (t Y X - Z)_+^2 on a grid of Monte Carlo-free quadrature."""
    x = np.linspace(-9, 9, 1501)
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    p = 1 / (1 + np.exp(-gamma * x))

    def mean_square(t):
        z = x[None, :]
        hinge = np.maximum(t * x[:, None] - z, 0) ** 2 @ density
        other = np.maximum(-t * x[:, None] - z, 0) ** 2 @ density
        return density @ (p * hinge + (1 - p) * other)

    best = optimize.minimize_scalar(mean_square, bounds=(-20, 0), method="bounded", options={"xatol": 1e-6}).fun
    e = equivalent(Binary("logit"), rho=gamma**2)
    assert ge.separability_threshold(e, intercept=False) == pytest.approx(1 / best, rel=1e-4)


def test_the_margin_vanishes_at_the_threshold():
    e = equivalent(Sign(0.3))
    threshold = ge.separability_threshold(e, intercept=False)
    near = np.array([0.9, 0.99, 0.999]) * threshold
    margin = 1 / np.sqrt(ge.ERM("hinge", 0.0).solve(e, near)["q"])
    assert margin[2] < 0.011 * margin[0] / 0.1 * 1.2
    assert margin[1] / margin[2] == pytest.approx(10, rel=0.05)


def test_training_errors_start_at_the_threshold():
    e = equivalent(Sign(0.3), offset=0.6)
    threshold = ge.separability_threshold(e, intercept=True, b0=0.6)
    r = ge.ERM("logistic", 0.0, intercept=True).solve(e, np.array([0.98, 1.05]) * threshold)
    assert r["train_error"][0] == 0
    assert r["train_error"][1] > 1e-3


@pytest.mark.parametrize("intercept", [True, False])
def test_unbalanced_labels_of_a_narrower_student_by_direct_minimisation(intercept):
    """rank aspect/alpha = min E (y (t0 + t1 G) - Z)_+^2 by sums over G and Z, offset, hidden noise, a mode of no size and aspect 1.4."""
    e = equivalent(Sign(0.3), rho=0.8, noise=0.2, w=(0.0, 0.5, 2.0), offset=0.5)
    e = replace(e, aspect=1.4)
    linear = float(e.weights @ e.signal_modes)
    z = np.linspace(-8, 8, 321)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    up = special.ndtr((0.5 + np.sqrt(linear) * z) / np.sqrt(e.model_noise + 0.3))

    def mean_square(t):
        field = t[0] * intercept + t[1] * z[:, None]
        above, below = (np.maximum(side * field - z, 0) ** 2 @ density for side in (1, -1))
        return density @ (up * above + (1 - up) * below)

    best = optimize.minimize(mean_square, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).fun
    assert ge.separability_threshold(e, intercept=intercept, b0=0.5) == pytest.approx(1.4 * 2 / 3 / best, rel=1e-4)
    assert ge.separability_threshold(replace(e, nugget=0.1), intercept=intercept) == np.inf


@pytest.mark.slow
def test_linear_programs_on_true_samples():
    """16 samples at d = 150: most are separable a quarter below the threshold, few 30% above (4 of 16 still are 15% above)."""
    e = equivalent(Sign(0.5))
    threshold = ge.separability_threshold(e, intercept=False)
    rng, d, found = np.random.default_rng(0), 150, []
    for factor in (0.75, 1.3):
        separable = 0
        for _ in range(16):
            x = rng.standard_normal((round(factor * threshold * d), d))
            y = np.sign(x[:, 0] + np.sqrt(0.5) * rng.standard_normal(len(x)))
            result = optimize.linprog(np.zeros(d), A_ub=-y[:, None] * x, b_ub=-np.ones(len(x)), bounds=(None, None))
            separable += result.status == 0
        found.append(separable)
    assert found[0] >= 14
    assert found[1] <= 2, found


@pytest.mark.parametrize("given", [ge.Problem(ge.DeepNetwork("tanh", task="classification")), ge.Problem(ge.DeepNetwork()).equivalent()])
def test_other_arguments_are_refused(given):
    with pytest.raises(ge.ArgumentError, match=r"Argument `e` must be an? .*quivalent"):
        ge.separability_threshold(given, intercept=False)
