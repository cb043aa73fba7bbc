"""Learners that misjudge the target, against the true posterior, ridge, and message passing on true networks."""

import numpy as np
import pytest

import gaussequiv as ge

TRUE = ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", noise=0.1)
ALPHA = [0.5, 2.0, 6.0]


def test_the_true_model_gives_the_bayes_optimal_curve_and_the_nishimori_identity():
    plain = ge.solve(ge.Problem(TRUE), ALPHA)
    same = ge.solve(ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=TRUE)), ALPHA)
    np.testing.assert_allclose(same.test_error, plain.test_error, rtol=1e-12)
    np.testing.assert_allclose(same.m, same.q, rtol=1e-11)
    np.testing.assert_allclose(same.q, plain.q, rtol=1e-11)
    for name in ("clean_error", "floor", "excess_over_floor"):
        np.testing.assert_allclose(same[name], plain[name], rtol=1e-10, err_msg=name)


def test_a_given_offset_is_known_to_both():
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", noise=0.1, offset=0.5)
    plain, same = (ge.solve(ge.Problem(target, learner=ge.BayesOptimal(assumes=a)), ALPHA) for a in (None, target))
    np.testing.assert_allclose(same.test_error, plain.test_error, rtol=1e-11)
    np.testing.assert_allclose(same.m, same.q, rtol=1e-10)


@pytest.mark.parametrize(
    "assumed",
    [
        ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", noise=3.0),
        ge.DeepNetwork((), task="classification", noise=1e-3),
        ge.DeepNetwork("tanh", 2, weight_variance=4, labels="logit:0.5"),
    ],
)
def test_a_wrong_model_is_never_better(assumed):
    true, wrong = (ge.solve(ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=a)), ALPHA) for a in (None, assumed))
    assert bool(wrong.converged.all())
    assert np.all(wrong.test_error.values >= true.test_error.values - 1e-12)
    assert np.all(wrong.m.values**2 <= wrong.q.values * 1.0)  # rho < 1


def test_regression_is_ridge_at_the_assumed_penalty():
    target, assumed = ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1), ge.DeepNetwork("tanh", 1, noise=0.01)
    lam = ge.Problem(assumed).equivalent().lam_optimal
    both = ge.solve(ge.Problem(target, learner=[ge.BayesOptimal(assumes=assumed), ge.Ridge(lam)]), ALPHA)
    np.testing.assert_array_equal(both.test_error[0], both.test_error[1])


def test_message_passing_of_a_wrong_model_follows_its_state_evolution():
    """16 true networks at d = 200, |mean - theory| <= 4 standard errors + (3/d) theory for errors and q."""
    assumed = ge.DeepNetwork((), task="classification", noise=1e-3)
    problem = ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=assumed))
    run = ge.simulate(problem, [0.5, 2.0], d=200, trials=16, seed=2, normalise_teacher=True)
    theory = ge.solve(problem, [0.5, 2.0])
    for name in ("test_error", "q", "m"):
        gap = np.abs(run[f"{name}_mean"].values - theory[name].values)
        assert np.all(gap <= 4 * run[f"{name}_stderr"].values + 3 / 200 * theory[name].values), name


def test_a_saved_result_runs_again():
    curve = ge.solve(ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=ge.DeepNetwork("erf", task="classification", noise=0.3))), [1.0])
    np.testing.assert_array_equal(ge.rerun(curve).test_error, curve.test_error)


def test_bad_assumptions_are_refused():
    with pytest.raises(ge.ArgumentError, match="assumes"):
        ge.BayesOptimal(assumes="tanh")
    with pytest.raises(ge.ArgumentError, match="assumes"):
        ge.solve(ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=ge.DeepNetwork())), [1.0])


def test_the_bayes_optimal_probability_is_calibrated_and_beats_the_logistic_one():
    learners = [
        ge.BayesOptimal(),
        ge.ERM("logistic", minimise="log_loss"),
        ge.Ridge(0.3),
        ge.BayesOptimal(assumes=ge.DeepNetwork((), noise=0.01, task="classification")),
    ]
    curve = ge.solve(ge.Problem(TRUE, learner=learners), ALPHA, scores=True)
    np.testing.assert_allclose(curve.calibration_error[0], 0.0, atol=1e-12)
    assert np.all(curve.log_loss[0].values < curve.log_loss[1].values)
    assert np.all(curve.log_loss[1].values < curve.log_loss[3].values)
    assert np.all(curve.auc[0].values >= curve.auc[2].values - 1e-12)
    assert bool(np.isnan(curve.log_loss[2]).all())


def test_scores_of_ridge_and_bayes_on_true_networks():
    """16 networks at d = 200, |mean - theory| <= 4 standard errors + (3/d) theory."""
    problem = ge.Problem(TRUE, learner=[ge.BayesOptimal(), ge.Ridge(0.3)])
    run = ge.simulate(problem, [1.0, 3.0], d=200, trials=16, seed=6, normalise_teacher=True, scores=True)
    theory = ge.solve(problem, [1.0, 3.0], scores=True)
    for name in ("auc", "log_loss", "brier"):
        gap, allowed = np.abs(run[f"{name}_mean"] - theory[name]), 4 * run[f"{name}_stderr"] + 3 / 200 * theory[name]
        assert bool((gap <= allowed).where(np.isfinite(theory[name]), True).all()), name


@pytest.mark.parametrize(
    "target",
    [
        ge.LinearTarget("rademacher", noise=0.1),
        ge.LinearTarget("rademacher", task="classification", noise=0.1),
        ge.DeepNetwork("tanh", labels="abs", noise=0.1),
        ge.DeepNetwork("tanh", labels="poisson"),
    ],
)
def test_targets_beyond_gaussian_weights_and_noise_or_binary_labels_cannot_be_misjudged(target):
    assumed = ge.DeepNetwork("tanh", noise=0.1, task=target.task)
    with pytest.raises(ge.ArgumentError, match="assumes"):
        ge.solve(ge.Problem(target, learner=ge.BayesOptimal(assumes=assumed)), [1.0])


def test_labels_whose_probability_is_not_monotone_can_be_misjudged():
    """P(+1 | z) even: a student that believes in signs learns nothing, at any number of samples."""
    assumed = ge.DeepNetwork("tanh", task="classification", noise=0.1)
    for link in (lambda z: np.exp(-z * z), lambda z: 0.1 + 0.8 * np.exp(-0.5 * z * z)):
        problem = ge.Problem(ge.DeepNetwork("tanh", labels=link), learner=ge.BayesOptimal(assumes=assumed))
        curve = ge.solve(problem, [0.5, 1.0, 2.0, 4.0])
        assert bool(curve.converged.all())
        assert np.all(curve.m == 0) and np.all(curve.steps <= 12)  # its logarithm would hang on rounding


def test_the_label_names_what_does_not_go_without_saying():
    plain, flipped = (
        ge.BayesOptimal(assumes=ge.DeepNetwork((), task="classification", noise=0.1, **more)).label for more in ({}, {"flips": 0.2})
    )
    assert plain == "bayes(assumes linear, noise=0.1)"
    assert flipped == "bayes(assumes linear, noise=0.1, flips=0.2)"
