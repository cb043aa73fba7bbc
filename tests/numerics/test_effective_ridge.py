"""The scalar equation lam/kappa + mean[w/(w + kappa)] = alpha at every scale of its parameters."""

from decimal import Decimal, getcontext

import numpy as np
import pytest

from gaussequiv.ingredients.inputs import spectra
from gaussequiv.numerics import effective_ridge
from gaussequiv.numerics.effective_ridge import solve_effective_ridge

ALPHA = np.geomspace(1e-4, 1e6, 21)
LAM = np.concatenate([[0.0], np.geomspace(1e-12, 1e8, 11)])
SPECTRA = ["identity:2", "two-level:4:0.2:0.1667", "two-level:1:0:0.4", "power-law:0.8", "marchenko-pastur:0.5", "marchenko-pastur:2"]


@pytest.mark.parametrize("text", SPECTRA)
def test_the_equation_holds_everywhere(text):
    w, weights = spectra.get(text).limit()
    alpha, lam = (grid.ravel() for grid in np.meshgrid(ALPHA, LAM))
    found = solve_effective_ridge(alpha, lam, w, weights)
    unique = (lam == 0) & (alpha >= weights[w > 0].sum() - 1e-14)  # more equations than directions
    assert np.all(found.kappa[unique] == 0)
    rest = ~unique
    k = found.kappa[rest]
    assert np.all(k > 0)
    df1 = (w / (w + k[:, None])) @ weights
    error = np.abs(lam[rest] / k + df1 - alpha[rest]) / np.maximum(alpha[rest], df1)
    assert error.max() < 1e-13
    assert found.residual.max() < 1e-13
    assert found.slack[rest] == pytest.approx(lam[rest] / k, rel=1e-15)
    assert found.steps.max() <= 10  # 7 of Newton's method, also where a root is found to the last digit; halving alone takes 50


@pytest.mark.parametrize(("alpha", "lam"), [("0.999", "1e-8"), ("1", "1e-12"), ("1.001", "1e-8"), ("1e-4", "1e8"), ("1e6", "1e-6")])
def test_isotropic_root_keeps_all_digits(alpha, lam):
    getcontext().prec = 60
    a, b, w = Decimal(float(alpha)), Decimal(float(lam)), Decimal(float("1.7"))
    c = (a - 1) * w - b
    exact = float((-c + (c * c + 4 * a * b * w).sqrt()) / (2 * a))
    for values in (np.array([1.7]), np.full(5, 1.7)):
        weights = np.full(values.size, 1 / values.size)
        found = solve_effective_ridge(np.array([float(alpha)]), np.array([float(lam)]), values, weights)
        assert found.kappa[0] == pytest.approx(exact, rel=1e-10)


def test_the_iteration_agrees_with_the_one_level_formula():
    alpha, lam = (grid.ravel() for grid in np.meshgrid([0.01, 0.5, 0.999, 1.0, 1.001, 30.0], [1e-8, 1e-3, 1.0, 1e4]))
    split = np.array([1 + 1e-9, 1 - 1e-9] * 20)
    many = solve_effective_ridge(alpha, lam, split, np.full(40, 1 / 40))
    one = solve_effective_ridge(alpha, lam, np.ones(1), np.ones(1))
    # a spread of relative size 1e-9 moves the root by 1e-9 at most where it is well conditioned
    assert many.kappa == pytest.approx(one.kappa, rel=1e-8)
    assert many.steps.min() > 0
    assert one.steps.max() == 0


@pytest.mark.parametrize("alpha", [1 - 1e-6, 1 - 1e-9, 1 + 1e-9])
def test_the_interpolation_peak_loses_no_digits_with_many_modes(alpha):
    """At alpha = 1 + t, lam -> 0: kappa^2 mean[1/w] + t kappa = lam to leading order in kappa."""
    w, weights, lam = np.array([0.5, 2.0]), np.array([0.5, 0.5]), 1e-16
    t, harmonic = alpha - 1, float(weights @ (1 / w))
    root = np.sqrt(t * t + 4 * harmonic * lam)
    expected = (root - t) / (2 * harmonic) if t < 0 else 2 * lam / (t + root)
    found = solve_effective_ridge(np.array([alpha]), np.array([lam]), w, weights)
    # the next order is kappa mean[1/w^2] ~ 1e-6; alpha itself is known to 1e-16/|t|
    assert found.kappa[0] == pytest.approx(expected, rel=1e-5)


def test_without_penalty_below_the_rank_the_degrees_of_freedom_are_the_samples():
    w, weights = np.array([2.0, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    alpha = np.array([0.1, 0.4, 0.7])
    found = solve_effective_ridge(alpha, np.zeros(3), w, weights)
    assert (w / (w + found.kappa[:, None])) @ weights == pytest.approx(alpha, rel=1e-14)
    assert np.all(found.slack == 0)


def test_without_penalty_above_the_rank_the_solution_is_unique():
    w, weights = np.array([2.0, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    found = solve_effective_ridge(np.array([0.75, 1.0, 3.0]), np.zeros(3), w, weights)
    assert found.kappa.tolist() == [0.0, 0.0, 0.0]
    assert found.slack == pytest.approx([0.0, 0.25, 2.25], abs=1e-15)


def test_masses_that_sum_to_the_load_up_to_rounding_are_the_load():
    """Three of 0.1 are 0.30000000000000004: without a penalty the fit is unique there, not just short of it."""
    w, weights = np.array([1.0, 2.0, 3.0]), np.full(3, 0.1)
    assert weights.sum() > 0.3
    found = solve_effective_ridge(np.array([0.3, 0.3 - 1e-9]), np.zeros(2), w, weights)
    assert found.kappa[0] == 0 and found.slack[0] == 0
    assert found.kappa[1] == pytest.approx(1e-9 / (weights @ (1 / w)), rel=1e-6)


def test_an_infinite_penalty_leaves_no_degrees_of_freedom():
    found = solve_effective_ridge(np.array([0.5, 2.0]), np.array([np.inf, np.inf]), np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    assert np.all(np.isinf(found.kappa))
    assert found.slack.tolist() == [0.5, 2.0]


def test_a_spectrum_without_positive_modes_gives_the_bare_ridge():
    found = solve_effective_ridge(np.array([2.0]), np.array([3.0]), np.zeros(1), np.ones(1))
    assert found.kappa.tolist() == [1.5]


def test_scaling_spectrum_and_penalty_scales_the_root():
    w, weights = np.array([3.0, 1.0, 0.1]), np.array([0.2, 0.5, 0.3])
    alpha, lam = np.array([0.3, 1.0, 4.0]), np.array([0.1, 0.01, 2.0])
    base = solve_effective_ridge(alpha, lam, w, weights).kappa
    assert solve_effective_ridge(alpha, 1e5 * lam, 1e5 * w, weights).kappa == pytest.approx(1e5 * base, rel=1e-13)


def test_the_residual_is_the_error_of_the_equation(monkeypatch):
    """After two steps the root is not found, and the residual says how far off it is."""
    monkeypatch.setattr(effective_ridge, "MAX_STEPS", 2)
    w, weights = np.array([3.0, 0.01]), np.array([0.3, 0.7])
    alpha, lam = np.array([0.9, 0.3, 2.0]), np.array([1e-6, 1e-3, 1e-4])
    found = solve_effective_ridge(alpha, lam, w, weights)
    df1 = (w / (w + found.kappa[:, None])) @ weights
    error = np.abs(lam / found.kappa + df1 - alpha) / np.maximum(alpha, df1)
    assert found.steps.tolist() == [2, 2, 2]
    assert error.max() > 1e-3
    assert found.residual == pytest.approx(error, rel=1e-12)


def test_the_iterations_slope_is_that_of_its_function():
    """Both functions, for few and for many samples, with a deficit of either sign, by central differences in log kappa."""
    w, weights = np.array([0.2, 1.0, 3.0]), np.array([0.5, 0.2, 0.3])
    load, lam = np.array([0.3, 0.45, 0.8, 1.7]), np.array([0.7, 0.02, 0.3, 1.1])
    fixed = (load, lam, 1.0 - load, load < 0.5, w, weights)
    kappa, step = np.array([0.9, 0.3, 1.4, 0.5]), 1e-5
    above, below = (effective_ridge._log_ratio(kappa * np.exp(sign * step), *fixed)[0] for sign in (1, -1))
    np.testing.assert_allclose(effective_ridge._log_ratio(kappa, *fixed)[1], (above - below) / (2 * step), rtol=1e-8)
    root = solve_effective_ridge(load, lam, w, weights).kappa
    np.testing.assert_allclose(effective_ridge._log_ratio(root, *fixed)[0], 0, atol=1e-14)


def test_points_that_need_no_iteration_do_not_hold_up_those_that_do():
    w, weights = np.array([0.2, 3.0]), np.array([0.6, 0.4])
    found = solve_effective_ridge(np.array([0.5, 2.0, 0.7, 1.5]), np.array([np.inf, 0.0, 0.3, 0.3]), w, weights)
    assert found.kappa[0] == np.inf and found.kappa[1] == 0 and found.slack[:2].tolist() == [0.5, 1.0]
    k = found.kappa[2:]
    np.testing.assert_allclose(0.3 / k + (w / (w + k[:, None])) @ weights, [0.7, 1.5], rtol=1e-13)
    assert found.steps[:2].tolist() == [0, 0] and np.all(found.steps[2:] > 1)
