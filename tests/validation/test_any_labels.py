"""Ridge and the Bayes-optimal learner on label laws other than the sign, against convex learners, exact relations and true networks."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.penalties.base import Quadratic

ALPHA = [0.5, 2.0, 6.0]
LAWS = {
    "logit": {"labels": "logit:0.4"},
    "flips": {"flips": 0.1},
    "uneven flips": {"flips": (0.05, 0.3)},
    "random": {"labels": "random:0.3"},
    "arctan": {"labels": lambda z: 0.5 + np.arctan(4 * z) / np.pi},
}


def network(**law):
    return ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", **law)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("intercept", [True, False])
def test_ridge_is_the_square_loss(law, intercept):
    target = network(**LAWS[law])
    ridge, square = (
        ge.solve(ge.Problem(target, learner=one), ALPHA) for one in (ge.Ridge(0.3, intercept), ge.ERM("square", 0.3, intercept=intercept))
    )
    for name in ("test_error", "clean_error", "train_error", "m", "q", "V"):
        np.testing.assert_allclose(ridge[name], square[name], rtol=1e-8, atol=1e-12, err_msg=name)


def test_flips_mix_the_error_with_a_coin():
    """For a given student P(y != label) = f + (1 - 2 f) P(sign != label); Bayes cannot be better than on clean labels."""
    clean, flipped = (ge.solve(ge.Problem(network(**law)), ALPHA) for law in ({}, {"flips": 0.1}))
    np.testing.assert_allclose(flipped.test_error, 0.1 + 0.8 * flipped.clean_error, rtol=1e-12)
    assert np.all(flipped.clean_error.values > clean.test_error.values)
    assert float(flipped.floor[0]) == pytest.approx(0.1 + 0.8 * float(clean.floor[0]), rel=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_bayes_is_below_every_other_learner(law):
    learners = [ge.BayesOptimal(), ge.Ridge("optimal", intercept=True), ge.Logistic(0.3, intercept=True), ge.SVM(0.5, intercept=True)]
    errors = ge.solve(ge.Problem(network(**LAWS[law]), learner=learners), ALPHA).test_error.values
    assert np.all(errors[0] <= errors[1:].min(axis=0) + 1e-10)


def test_random_labels_are_a_coin():
    errors = ge.solve(
        ge.Problem(network(labels="random:0.3"), learner=[ge.BayesOptimal(), ge.Logistic(0.5, intercept=True)]), ALPHA
    ).test_error
    np.testing.assert_allclose(errors[0], 0.3, rtol=1e-12)
    assert np.all(errors[1].values >= 0.3)


@pytest.mark.parametrize("law", ["logit", "uneven flips"])
def test_message_passing_attains_the_bayes_error(law):
    """16 true networks at d = 200, |mean - theory| <= 4 standard errors + (3/d) theory."""
    problem = ge.Problem(network(**LAWS[law]))
    run, theory = ge.simulate(problem, [1.0, 4.0], d=200, trials=16, seed=4, normalise_teacher=True), ge.solve(problem, [1.0, 4.0])
    gap = np.abs(run.test_error_mean.values - theory.test_error.values)
    assert np.all(gap <= 4 * run.test_error_stderr.values + 3 / 200 * theory.test_error.values)


def test_a_quadratic_penalty_equal_to_the_covariance_flattens_the_spectrum():
    """Gamma = Sigma: v = Sigma^(-1/2) x is isotropic, with signal modes s w: ridge on isotropic inputs of the whitened target."""
    d = 60
    w = np.linspace(0.2, 2.0, d)
    target, inputs = ge.DeepNetwork((), noise=0.2), ge.GaussianInputs(spectrum=w)
    curve = ge.solve(ge.Problem(target, inputs, ge.ERM("square", 0.4, Quadratic(np.sort(w)[::-1]))), ALPHA, d=d)
    e = ge.Problem(target, inputs).equivalent(d)
    flat = ge.GaussianEquivalent(
        eigenvalues=np.ones(d), weights=np.full(d, 1 / d), alignment=np.sort(w), signal_variance=e.signal_variance,
        effective_noise=np.zeros(1), offset_variance=0.0, channel=e.channel,
    )  # fmt: skip
    np.testing.assert_allclose(curve.test_error, ge.Ridge(0.4).solve(flat, np.array(ALPHA))["test_error"], rtol=1e-9)


def test_a_quadratic_penalty_on_true_networks():
    """16 teachers at d = 150, a full form and a covariance; |mean - theory| <= 4 standard errors + (3/d) theory."""
    d = 150
    root = np.random.default_rng(0).standard_normal((d, d)) / np.sqrt(d)
    covariance = 0.5 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    learner = ge.ERM("huber:0.5", 0.3, Quadratic(root @ root.T + 0.3 * np.eye(d)))
    problem = ge.Problem(ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1), ge.GaussianInputs(covariance=covariance), learner)
    run, theory = ge.simulate(problem, [0.7, 2.0], d=d, trials=16, seed=1, normalise_teacher=True), ge.solve(problem, [0.7, 2.0])
    gap = np.abs(run.test_error_mean.values - theory.test_error.values)
    assert np.all(gap <= 4 * run.test_error_stderr.values + 3 / d * theory.test_error.values)


def test_a_quadratic_penalty_of_the_wrong_size_is_refused():
    with pytest.raises(ge.ArgumentError, match="penalty"):
        ge.solve(ge.Problem(ge.DeepNetwork(), learner=ge.ERM("square", 0.1, Quadratic(np.ones(5)))), [1.0], d=6)
