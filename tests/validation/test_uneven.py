"""What is not symmetric under (field, label) -> (-field, -label): signs of offsets, uneven flips and weights, on true networks.

Sixteen or more teachers; |mean - theory| <= 4 standard errors + (4/d) theory + 1e-3, the last for observables near 0.
"""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.outputs import Output

UNEVEN = {-1: 1.0, 1: 5.0}


def tanh(**options):
    return ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", **options)


def disagreements(problem, names=("test_error",), d=150, trials=24, alpha=(1.0, 3.0)):
    run = ge.simulate(problem, alpha, d=d, trials=trials, seed=8, normalise_teacher=True, progress=False)
    theory = ge.solve(problem, n=run.n.values, d=d)
    found = []
    for name in names:
        gap = np.abs(run[f"{name}_mean"].values - theory[name].values)
        allowed = 4 * run[f"{name}_stderr"].values + 4 / d * np.abs(theory[name].values) + 1e-3
        if not np.all(gap <= allowed):
            found.append(f"{name}: {theory[name].values} {run[f'{name}_mean'].values} +- {run[f'{name}_stderr'].values}")
    return found


@pytest.mark.parametrize("offset", [-0.5, 0.5])
def test_the_sign_of_a_given_offset_counts(offset):
    learners = [ge.Logistic(0.2, class_weight=UNEVEN, intercept=True), ge.ERM("huber:0.5", 0.3, intercept=True, class_weight=UNEVEN)]
    assert not disagreements(ge.Problem(tanh(offset=offset), learner=learners), ("test_error", "clean_error", "intercept", "test_loss"))


def test_mirrored_problems_mirror_the_intercept():
    up, down = (
        ge.solve(ge.Problem(tanh(offset=o), learner=ge.Logistic(0.2, class_weight=w)), [2.0])
        for o, w in ((0.5, UNEVEN), (-0.5, {-1: 5.0, 1: 1.0}))
    )
    np.testing.assert_allclose(up.test_error, down.test_error, rtol=1e-10)
    np.testing.assert_allclose(up.intercept, -down.intercept, rtol=1e-8)


@pytest.mark.slow
def test_offsets_of_both_signs_with_uneven_flips():
    """relu teachers: the offset's law is symmetric, the label law is not."""
    target = ge.DeepNetwork("relu", 2, task="classification", flips=(0.4, 0.0))
    assert not disagreements(ge.Problem(target, learner=[ge.Ridge(0.3), ge.ERM("squared_hinge", 0.3)]), d=100, trials=200, alpha=(2.0,))


@pytest.mark.slow
def test_offsets_of_both_signs_with_an_uneven_loss():
    assert not disagreements(
        ge.Problem(ge.DeepNetwork("relu", 2, noise=0.05), learner=ge.ERM("quantile:0.9", 0.3, intercept=False)),
        ("test_error", "test_loss"),
        d=100,
        trials=200,
        alpha=(2.0,),
    )


def test_offsets_of_both_signs_without_a_constant_are_means_of_given_offsets():
    """Noise on the field and a loss without an intercept: every offset is solved, and mhat turns its sign nowhere."""
    learner = ge.ERM("quantile:0.9", 0.3, intercept=False)
    e = ge.Problem(ge.DeepNetwork("relu", 2, noise=0.05), learner=learner).equivalent()
    alpha, (b0, mass) = np.array([2.0]), e.offset_nodes(even=False)
    given = np.array([learner.solve(e.with_offset(float(b)), alpha)["test_error"][0] for b in b0])
    assert learner.solve(e, alpha)["test_error"][0] == pytest.approx(given @ mass, rel=1e-9)


def test_averages_over_both_signs_are_means_of_given_offsets():
    e = ge.Problem(ge.DeepNetwork("relu", 1, task="classification", flips=(0.4, 0.0))).equivalent()
    alpha = np.array([2.0])
    b0, mass = e.offset_nodes()
    assert b0.min() < 0 < b0.max()
    given = np.array([ge.BayesOptimal().solve(e.with_offset(float(b)), alpha)["test_error"][0] for b in b0])
    assert ge.BayesOptimal().solve(e, alpha)["test_error"][0] == pytest.approx(given @ mass, rel=1e-10)


def test_the_clean_error_of_a_function_of_the_field():
    target = ge.DeepNetwork("tanh", 1, weight_variance=4, labels=Output(np.tanh, 0.1, name="tanh"))
    assert not disagreements(ge.Problem(target, learner=[ge.Ridge(0.5), ge.ERM("huber:0.5", 0.5)]), ("test_error", "clean_error"))


def test_the_intercept_is_the_whole_constant():
    """Inputs with a mean and relu features: their mean's direction carries part of the constant."""
    shifted = ge.Problem(tanh(offset=0.4), ge.GaussianInputs(mean=1.0), ge.Logistic(0.2, intercept=False))
    assert not disagreements(shifted, ("test_error", "intercept"))
    assert not disagreements(
        ge.Problem(tanh(offset=0.4), learner=ge.Logistic(0.1), features=ge.RandomFeatures("relu", ratio=1.5)), ("test_error", "intercept")
    )


def test_sample_weights_are_nested_and_differ_between_trials():
    learner = ge.ERM("logistic", 0.2, sample_weight=((1, 0.9), (10, 0.1)))
    rng = np.random.default_rng(0)
    draws = rng.random(100)
    assert np.array_equal(learner.weights_of(np.ones(50), draws[:50]), learner.weights_of(np.ones(100), draws)[:50])
    assert learner.weights_of(np.ones(20_000), rng.random(20_000)).mean() == pytest.approx(1.9, abs=0.1)
    assert not disagreements(ge.Problem(tanh(), learner=learner), ("test_error", "train_loss"))


def test_tuned_losses_are_scored_as_tuned():
    assert not disagreements(
        ge.Problem(ge.DeepNetwork("erf", noise=1.0), learner=ge.ERM("huber:1", 0.5, tune=("threshold",))),
        ("test_error", "test_loss", "train_loss"),
        alpha=(2.0,),
    )


@pytest.mark.parametrize("start", [0.05, 1.0, 5.0, 20.0])
def test_tuning_finds_the_same_optimum_from_anywhere(start):
    e = ge.Problem(ge.DeepNetwork("erf", noise=1.0)).equivalent()
    found = ge.ERM(f"huber:{start}", 0.5, tune=("threshold",)).solve(e, np.array([2.0]))
    assert found["status"][0] == 0
    assert found["threshold"][0] == pytest.approx(0.2013, abs=2e-3)


@pytest.mark.parametrize("noise", [1.05e-4, 1.6e-4, 700.0, 900.0])
def test_optimal_penalties_at_the_ends_of_the_search(noise):
    """Ridge on a linear target: lam* is the noise, wherever the grid of the search ends."""
    e = ge.Problem(ge.DeepNetwork((), noise=noise)).equivalent()
    assert ge.ERM("square").solve(e, np.array([2.0]))["lam"][0] == pytest.approx(noise, rel=1e-4)


@pytest.mark.parametrize(
    "learner",
    [
        ge.Lasso(0.0),
        ge.ERM(ge.CustomLoss(lambda r: 0.5 * (r - 1) ** 2, "residual", slope=lambda r: r - 1, curvature=np.ones_like, name="off"), 0.0),
    ],
)
def test_limits_that_are_not_known_are_refused(learner):
    with pytest.raises(ge.ArgumentError, match="lam"):
        ge.solve(ge.Problem(ge.DeepNetwork("erf"), learner=learner), [0.5])


def test_a_negative_penalty_turns_fitted_labels_round_for_any_label_law():
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, labels="logit:0.05")
    problem = ge.Problem(target, features=ge.NNGP("sign", depth=3), learner=ge.Ridge("optimal"))
    curve = ge.solve(problem, [0.5], scores=True)
    assert float(curve.lam[0]) < 0
    assert float(curve.train_error[0]) < 0.01
    assert 0.5 < float(curve.auc[0]) < 1


def test_scores_without_a_penalty():
    curve = ge.solve(ge.Problem(tanh(), learner=ge.Ridge(0.0)), [0.5, 2.0], scores=True)
    assert np.all((curve.auc.values > 0.5) & (curve.auc.values < 1))


def test_a_whole_channel_runs_again():
    target = ge.DeepNetwork("tanh", labels=ge.Binary("logit", noise=0.5, flips=0.1))
    curve = ge.solve(ge.Problem(target, learner=ge.Logistic(0.2)), [1.0])
    np.testing.assert_array_equal(ge.rerun(curve).test_error, curve.test_error)


def test_a_result_at_given_n_runs_again_with_all_of_it():
    curve = ge.solve(ge.Problem(tanh(), learner=ge.Logistic(0.2)), n=[50, 100], d=50, sensitivity=("lam",), margins=[0.0], scores=True)
    again = ge.rerun(curve)
    assert set(again.data_vars) == set(curve.data_vars)


def test_unknown_observables_to_minimise_are_refused():
    with pytest.raises(ge.ArgumentError, match="minimise"):
        ge.solve(ge.Problem(tanh(), learner=ge.ERM("logistic", minimise="tset_error")), [1.0])


def test_assumed_networks_of_other_variance_are_other_learners():
    assumed = [
        ge.BayesOptimal(assumes=tanh(noise=0.1)),
        ge.BayesOptimal(assumes=ge.DeepNetwork("tanh", 2, weight_variance=2, noise=0.1, task="classification")),
    ]
    assert ge.solve(ge.Problem(tanh(), learner=assumed), [1.0]).sizes["learner"] == 2
