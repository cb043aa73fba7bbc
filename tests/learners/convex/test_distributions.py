"""Margins and calibration curves: Gaussian limits, consistency with the scalar observables, and true networks."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.learners.convex.distributions import curve_distributions

TARGET = ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification")
MARGINS = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
PROBABILITIES = np.array([0.1, 0.3, 0.5, 0.9])


def test_margins_at_zero_are_the_errors():
    problem = ge.Problem(TARGET, learner=[ge.Logistic(0.1), ge.SVM(0.5), ge.Ridge(0.3)])
    curve = ge.solve(problem, [0.7, 2.0], margins=[0.0])
    np.testing.assert_allclose(curve.test_margin_cdf.sel(margin=0.0), curve.test_error, atol=1e-12)
    np.testing.assert_allclose(curve.train_margin_cdf.sel(margin=0.0), curve.train_error, atol=1e-10)


def test_the_atom_of_the_hinge_counts_whole():
    """Below the margin 1 lie the rows with slope -1; on it those whose cavity field lies within V of it."""
    curve = ge.solve(ge.Problem(TARGET, learner=ge.SVM(0.5)), [1.0], margins=[1 - 1e-9, 1.0])
    below, at = curve.train_margin_cdf.values[0]
    assert at - below > 0.3
    fresh = curve.test_margin_cdf.values[0]
    assert fresh[1] == pytest.approx(fresh[0], abs=1e-8)


def test_random_labels_leave_gaussian_margins():
    problem = ge.Problem(ge.DeepNetwork("tanh", labels="random"), learner=ge.Logistic(0.2))
    curve = ge.solve(problem, [1.0], margins=MARGINS, probabilities=PROBABILITIES)
    np.testing.assert_allclose(curve.test_margin_cdf[0], special.ndtr(MARGINS / np.sqrt(curve.q.values[0])), atol=1e-12)
    np.testing.assert_allclose(curve.calibration[0], 0.5, atol=1e-12)


def test_logistic_regression_is_overconfident_without_enough_penalty():
    curve = ge.solve(ge.Problem(TARGET, learner=ge.Logistic(1e-3)), [2.0], probabilities=PROBABILITIES)
    assert curve.calibration.values[0, 0] > 0.1
    assert curve.calibration.values[0, 2] == pytest.approx(0.5, abs=1e-12)
    assert curve.calibration.values[0, 3] < 0.9


def test_true_networks_agree():
    """16 teachers at d = 200; |mean - theory| <= 4 standard errors + 0.015."""
    problem = ge.Problem(TARGET, learner=[ge.Logistic(0.1), ge.SVM(0.5)])
    grids = {"margins": MARGINS, "probabilities": PROBABILITIES}
    theory = ge.solve(problem, [2.0], **grids)
    run = ge.simulate(problem, [2.0], d=200, trials=16, seed=3, normalise_teacher=True, **grids)
    for name in ("test_margin_cdf", "train_margin_cdf", "calibration"):
        gap, allowed = np.abs(run[f"{name}_mean"] - theory[name]), 4 * run[f"{name}_stderr"] + 0.015
        assert bool((gap <= allowed).where(np.isfinite(gap), True).all()), name


def test_weighted_rows_of_unbalanced_labels_by_sums_over_the_students_field():
    """Fresh fields c + sqrt(q) t, training rows at their proximal points, row by row; sums are exact to a node or two of mass 1.4e-4."""
    e = ge.Problem(ge.DeepNetwork("tanh", task="classification", noise=0.3), ge.GaussianInputs("two-level:3:0.5:0.2")).equivalent()
    e, rows = replace(e, offset=0.5), ((1.0, 0.6), (3.0, 0.4))
    erm = ge.ERM("logistic", 0.2, intercept=True, class_weight={-1: 2.0, 1: 0.7}, sample_weight=rows)
    alpha, lam, margins = np.array([1.7]), np.array([0.2]), np.array([-0.4, 0.3, 1.1])
    found = curve_distributions(erm, e, alpha, lam, margins, PROBABILITIES)
    curve = erm.solve(e, alpha)
    c, m, q, V = (float(curve[name][0]) for name in ("intercept", "m", "q", "V"))
    t = np.linspace(-9, 9, 50_001)
    z, mass = c + np.sqrt(q) * t, np.exp(-0.5 * t * t) * (t[1] - t[0]) / np.sqrt(2 * np.pi)
    rest = float(e.weights @ e.signal_modes) + e.model_noise - m * m / q + 0.3
    up = special.ndtr((0.5 + m / np.sqrt(q) * t) / np.sqrt(rest))
    fresh, train = np.zeros(3), np.zeros(3)
    for label, chance, own in ((1, up, 0.7), (-1, 1 - up, 2.0)):
        fresh += [(mass * chance) @ (label * z <= margin) for margin in margins]
        for weight, share in rows:
            x = z.copy()
            for _ in range(40):  # x = z + own weight V label sigma(-label x), by Newton's method
                said = special.expit(-label * x)
                x -= (x - z - own * weight * V * label * said) / (1 + own * weight * V * said * (1 - said))
            train += [share * (mass * chance) @ (label * x <= margin) for margin in margins]
    np.testing.assert_allclose(found["test_margin_cdf"][0], fresh, atol=3e-4)
    np.testing.assert_allclose(found["train_margin_cdf"][0], train, atol=3e-4)
    there = (np.log(PROBABILITIES / (1 - PROBABILITIES)) - c) / np.sqrt(q)
    expected = special.ndtr((0.5 + m / np.sqrt(q) * there) / np.sqrt(rest))
    np.testing.assert_allclose(found["calibration"][0], expected, rtol=1e-9)


def test_a_result_with_distributions_runs_again(tmp_path):
    curve = ge.solve(ge.Problem(TARGET, learner=ge.Logistic(0.1)), [2.0], margins=MARGINS, probabilities=PROBABILITIES)
    back = ge.load(ge.save(curve, tmp_path / "curve.nc"))
    np.testing.assert_array_equal(ge.rerun(back).calibration, curve.calibration)


@pytest.mark.parametrize("grids", [{"margins": [0.0]}, {"probabilities": [0.5]}])
def test_regression_has_no_margins(grids):
    with pytest.raises(ge.ArgumentError, match="regression"):
        ge.solve(ge.Problem(ge.DeepNetwork(), learner=ge.Ridge(0.1)), [1.0], **grids)


def test_probabilities_outside_are_refused():
    with pytest.raises(ge.ArgumentError, match="probabilities"):
        ge.solve(ge.Problem(TARGET, learner=ge.Logistic(0.1)), [1.0], probabilities=[1.0])


@pytest.mark.parametrize("learner", [ge.BayesOptimal(), ge.ERM("logistic", 0.1, "elastic_net", tune="l1_ratio")])
def test_learners_without_one_margin_are_refused(learner):
    e = ge.Problem(ge.DeepNetwork((), task="classification")).equivalent()
    with pytest.raises(ge.ArgumentError, match=r"without `tune`"):
        curve_distributions(learner, e, np.ones(1), np.ones(1), MARGINS, None)
