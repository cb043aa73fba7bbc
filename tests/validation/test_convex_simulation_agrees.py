"""Convex learners on true networks, true features and true kernels against theory: depth x features x loss x channel x spectrum.

Every case: 16 teachers at d = 200 with normalised readouts, two sample sizes; |mean - theory| <= 4 standard errors + (3/d) theory for
errors, losses and the order parameters m and q. The constant 3 is the size of the committed fits (`finite_size.json`), 1.5% of the
value. Theory: Loureiro et al. 2021; Cui, Krzakala, Zdeborova 2023, appendix H; Schroeder et al. 2023; others verified here.
"""

import numpy as np
import pytest

import gaussequiv as ge

D, TRIALS, CONSTANT = 200, 16, 3.0
SOLVED = 1e-6  # finite fits stop at a relative violation of their optimality conditions of 1e-6
SHIFTED = ge.Activation(lambda x: np.tanh(2 * x + 0.7), name="tanh(2x+0.7)", smooth=True)
POWER, LEVELS = ge.GaussianInputs(spectrum="power-law:0.6"), ge.GaussianInputs(spectrum="two-level:3:0.5:0.2")


def tanh(depth, **options):
    return ge.DeepNetwork("tanh", depth, weight_variance=4, **options)


def labels(depth, **options):
    return tanh(depth, task="classification", **options)


LINEAR = ge.DeepNetwork((), noise=0.2, task="classification")
OFFSET = ge.DeepNetwork(SHIFTED, 2, task="classification", offset=0.4)
ERF3 = ge.RandomFeatures("erf", ratio=3)
HALF = ge.RandomFeatures("tanh", ratio=0.5, weight_variance=4)
RELU = ge.RandomFeatures("relu", ratio=1.5)
DEEP = ge.RandomFeatures("tanh", depth=2, ratio=(1.5, 2), weight_variance=2)
WEIGHTS = {-1: 1.0, 1: 3.0}

CASES = {
    # target, learner, features, inputs
    "linear, logistic": (LINEAR, ge.Logistic(0.1), None, None),
    "linear, hinge": (LINEAR, ge.SVM(0.3), None, None),
    "depth 1, logistic": (labels(1), ge.Logistic(0.05), None, None),
    "depth 2, logistic, power law": (labels(2), ge.Logistic(0.1), None, POWER),
    "depth 2, optimal logistic": (labels(2), ge.Logistic(), None, None),
    "depth 3, squared hinge": (labels(3), ge.ERM("squared_hinge", 0.1), None, None),
    "depth 3, exponential": (labels(3), ge.ERM("exponential", 0.3), None, None),
    "depth 2, hinge, two levels": (labels(2), ge.SVM(0.5), None, LEVELS),
    "depth 2, hard margin": (labels(2), ge.SVM(0.0), None, None),
    "depth 2, probit noise": (labels(2, noise=0.3), ge.Logistic(0.1), None, None),
    "depth 2, logit labels": (tanh(2, labels="logit:0.3"), ge.Logistic(0.2), None, None),
    "depth 2, flipped labels": (labels(2, flips=0.1), ge.Logistic(0.2), None, None),
    "depth 2, uneven flips, intercept": (labels(2, flips=(0.0, 0.3)), ge.Logistic(0.2, intercept=True), None, None),
    "random labels": (tanh(1, labels="random"), ge.Logistic(0.1), None, None),
    "user's link": (tanh(1, labels=lambda z: 0.5 + np.arctan(4 * z) / np.pi), ge.SVM(0.5), None, None),
    "offset, logistic with intercept": (OFFSET, ge.Logistic(0.2), None, None),
    "offset, logistic without": (OFFSET, ge.Logistic(0.2, intercept=False), None, None),
    "offset, hinge, class weights": (OFFSET, ge.SVM(0.3, class_weight=WEIGHTS), None, None),
    "class weights": (labels(2), ge.Logistic(0.2, intercept=True, class_weight=WEIGHTS), None, None),
    "sample weights": (labels(2), ge.ERM("logistic", 0.2, sample_weight=((1, 0.8), (5, 0.2))), None, None),
    "labels, huber": (labels(2), ge.ERM("huber:0.7", 0.2), None, None),
    "depth 2, huber": (tanh(2, noise=0.1), ge.Huber(0.2, 0.5), None, None),
    "relu, absolute, intercept": (ge.DeepNetwork("relu", 2, noise=0.05), ge.ERM("absolute", 0.2), None, None),
    "depth 3, quantile, power law": (tanh(3, noise=0.1), ge.ERM("quantile:0.7", 0.2, intercept=True), None, POWER),
    "depth 1, lasso": (tanh(1, noise=0.1), ge.Lasso(0.2), None, None),
    "depth 2, elastic net": (tanh(2, noise=0.1), ge.ElasticNetRegression(0.3, 0.5), None, None),
    "depth 2, logistic, L1": (labels(2), ge.ERM("logistic", 0.1, "l1"), None, None),
    "erf features, logistic": (labels(2), ge.Logistic(0.05), ERF3, None),
    "erf features, hinge": (labels(1), ge.SVM(0.2), ERF3, None),
    "narrow features, logistic": (labels(2), ge.Logistic(0.1), HALF, None),
    "narrow features, huber": (tanh(2, noise=0.1), ge.Huber(0.1, 0.5), HALF, None),
    "relu features, logistic": (labels(2), ge.Logistic(0.05), RELU, None),
    "relu features, offset": (OFFSET, ge.Logistic(0.05), RELU, None),
    "deep features, ridge": (tanh(2, noise=0.1), ge.Ridge(0.1), DEEP, None),
    "deep features, logistic": (labels(2), ge.Logistic(0.1), DEEP, None),
    "features, power law": (labels(2), ge.Logistic(0.1), ERF3, POWER),
    "kernel, ridge": (tanh(2, noise=0.1), ge.Ridge(0.2), ge.NNGP("erf", depth=2), None),
    "kernel, logistic": (labels(2), ge.Logistic(0.1), ge.NNGP("erf"), None),
    "kernel, hinge": (labels(1), ge.SVM(0.2), ge.NNGP("tanh", weight_variance=4), None),
    "tangent kernel, ridge": (tanh(1, noise=0.1), ge.Ridge(0.5), ge.NTK("erf"), None),
}
OBSERVABLES = ("test_error", "test_loss", "train_loss", "m", "q")
QUICK = ("depth 2, logistic, power law", "offset, hinge, class weights", "depth 2, huber", "narrow features, logistic", "kernel, ridge")


def check(name):
    target, learner, features, inputs = CASES[name]
    problem = ge.Problem(target, inputs or ge.GaussianInputs(), learner, features)
    alpha = (0.5, 2.0)
    run = ge.simulate(problem, alpha, d=D, trials=TRIALS, seed=5, normalise_teacher=True, progress=False)
    theory = ge.solve(problem, n=run.n.values, d=D)
    assert bool(theory.converged.all())
    assert bool(run.converged.all())
    report = []
    for key in OBSERVABLES:
        if key not in theory or f"{key}_mean" not in run:
            continue
        value, mean, stderr = theory[key].values, run[f"{key}_mean"].values, run[f"{key}_stderr"].values
        allowed = 4 * stderr + CONSTANT / D * np.abs(value) + SOLVED
        with np.errstate(divide="ignore", invalid="ignore"):
            report.append(f"{key}: theory {np.round(value, 4)}, mean {np.round(mean, 4)}, z {np.round((mean - value) / stderr, 2)}")
        assert np.all(np.abs(mean - value) <= allowed), f"{name}\n" + "\n".join(report)
    print(name, *report, sep="\n  ")


@pytest.mark.parametrize("name", QUICK)
def test_convex_learner(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in QUICK])
def test_convex_learner_slow(name):
    check(name)
