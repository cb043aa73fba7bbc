"""Bayes-optimal curves of any prior and channel against message passing on drawn data: 4 standard errors plus 4/d of the value."""

import warnings

import numpy as np
import pytest

import gaussequiv as ge

CASES = {
    "binary weights, signs": (ge.LinearTarget("rademacher", labels="sign"), [0.7, 1.2]),
    "sparse weights": (ge.LinearTarget("gauss-bernoulli:0.2", noise=0.01), [0.3, 0.8]),
    "relu": (ge.LinearTarget(labels="relu", noise=0.1), [1.0, 2.0]),
    "counts": (ge.LinearTarget("rademacher", labels=ge.Poisson(lambda z: np.log1p(np.exp(z)), 3.0)), [0.5, 1.0]),
    "quantised sparse signs": (ge.LinearTarget("sparse-rademacher:0.3", labels="quantised:-1/0/1", noise=0.05), [0.7, 1.5]),
    "laplace weights, logit": (ge.LinearTarget(ge.LogDensity(lambda x: -abs(x), kinks=(0.0,)), labels="logit"), [1.0, 3.0]),
    "deep, steep readout": (
        ge.DeepNetwork("tanh", depth=2, weight_variance=4, labels=ge.Output(lambda z: np.tanh(3 * z), 0.05)),
        [1.0, 3.0],
    ),
    "deep, quantised": (ge.DeepNetwork("erf", depth=2, weight_variance=2, labels="quantised:-0.5/0/0.5", noise=0.01), [1.0, 3.0]),
    "deep, logistic noise": (
        ge.DeepNetwork(
            "tanh", labels=ge.LogLikelihood(lambda y, z: -abs(4 * (y - z)) - 2 * np.log1p(np.exp(-abs(4 * (y - z)))) + np.log(4))
        ),
        [1.0, 3.0],
    ),
}


def check(name, d, trials, allowance=4.0):
    target, alpha = CASES[name]
    problem = ge.Problem(target, learner=ge.BayesOptimal(branch="uninformed"))
    theory = ge.solve(problem, alpha)
    run = ge.simulate(problem, theory.alpha.values, d=d, trials=trials, seed=5, normalise_teacher=target.depth > 0)
    assert bool(run.converged.all())
    for observable in ("test_error", "clean_error", "q", "m"):
        expected = theory["q" if observable == "m" else observable].values
        room = 4 * run[f"{observable}_stderr"].values + allowance / d * np.abs(expected)
        gap = np.abs(run[f"{observable}_mean"].values - expected)
        assert np.all(gap < room), (observable, run[f"{observable}_mean"].values, expected, room)


@pytest.mark.parametrize("name", ["binary weights, signs", "sparse weights", "relu", "quantised sparse signs", "deep, steep readout"])
def test_message_passing_attains_the_curve(name):
    check(name, 200, 16)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_message_passing_attains_the_curve_at_larger_size(name):
    check(name, 600, 24)


@pytest.mark.slow
def test_phase_retrieval_is_learned_only_above_the_algorithmic_threshold():
    """Noise 0.05: no overlap at alpha = 0.4, below weak recovery; the curve's at alpha = 1.5."""
    target = ge.LinearTarget(labels="abs", noise=0.05)
    problem = ge.Problem(target, learner=ge.BayesOptimal(branch="uninformed"))
    theory = ge.solve(problem, [0.4, 1.5])
    with warnings.catch_warnings():  # near zero overlap the iteration wanders; every trial is counted as it ended
        warnings.simplefilter("ignore", ge.ConvergenceWarning)
        run = ge.simulate(problem, [0.4, 1.5], d=800, trials=16, seed=2)
    assert theory.overlap.values[0] == 0
    gap = np.abs(run.test_error_mean.values - theory.test_error.values)
    assert np.all(gap < 4 * run.test_error_stderr.values + 0.05 * theory.test_error.values)
