"""Students without an intercept whose inputs have a mean: the size at which the limit starts to hold is said."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.learners.convex.mean_intercept import mean_intercept_effect


def problem(mean=0.3, learner=None, **options):
    target = ge.DeepNetwork((), **({"noise": 0.1, "offset": 1.0} | options))
    return ge.Problem(target, ge.GaussianInputs(mean=mean), learner or ge.Ridge(0.5, intercept=False))


def effect(case, d):
    e, alpha = case.equivalent(d), np.array([1.5])
    return float(mean_intercept_effect(case.learner, e, case.learner.solve(e, alpha), d)[0])


def test_the_parameter_is_what_true_networks_deviate_by():
    """c^2 s/(M p) over the error without its variance part: 0.48 at d = 70 by hand, and as much in simulation within its error."""
    case = problem()
    run = ge.simulate(case, [1.5], d=70, trials=32, normalise_teacher=True, progress=False)
    theory = case.learner.solve(case.equivalent(70), np.array([1.5]))
    by_hand = 1.0 * 1.0 / (0.3**2 * 70) / float(theory["test_error"][0] - theory["variance"][0])
    assert effect(case, 70) == pytest.approx(by_hand, rel=1e-10)
    for name in ("test_error", "train_error"):
        exact = float(theory[name][0])
        measured, error = float(run[f"{name}_mean"][0]) / exact - 1, float(run[f"{name}_stderr"][0]) / exact
        assert abs(measured - by_hand) <= 4 * error + by_hand**2


@pytest.mark.parametrize("learner", [ge.Ridge(0.5, intercept=False), ge.Huber(0.5, 0.5, intercept=False)])
def test_too_small_a_dimension_is_told(learner):
    with pytest.warns(ge.errors.AccuracyWarning, match="no intercept"):
        ge.solve(problem(learner=learner), n=[210], d=140)


def test_features_and_labels_are_told_too():
    features = ge.Problem(
        ge.DeepNetwork((), noise=0.1, offset=4.0), learner=ge.Ridge(0.1, intercept=False), features=ge.RandomFeatures("relu", ratio=1.5)
    )
    labels = problem(learner=ge.Logistic(0.1, intercept=False), task="classification", mean=0.1)
    for case in (features, labels):
        with pytest.warns(ge.errors.AccuracyWarning, match="no intercept"):
            ge.solve(case, n=[90], d=60)


def test_large_dimensions_intercepts_and_limits_are_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ge.solve(problem(), n=[12_000], d=8000)
        ge.solve(problem(learner=ge.Ridge(0.5)), n=[210], d=140)
        ge.solve(problem(mean=2.0), n=[210], d=140)
        ge.solve(problem(offset=0.0), n=[210], d=140)
        ge.solve(problem(), [1.5])


def test_the_effect_by_hand_where_nothing_is_one():
    """c^2 s/(M aspect d) over the error less its variance part, or over q on labels: modes, aspect, mean and offsets of their own."""
    e = ge.GaussianEquivalent(
        eigenvalues=np.array([0.5, 2.0]),
        weights=np.array([0.7, 0.3]),
        alignment=np.array([0.1, 1.2]),
        signal_variance=0.5,
        effective_noise=np.array([0.05]),
        offset_variance=0.3,
        channel=GaussianNoise(0.2),
        aspect=1.6,
        input_mean_square=0.2,
    )
    unit, d = (0.7 * 0.5 + 0.3 * 2.0) / (0.2 * 1.6 * 50), 50
    curve = {"test_error": np.array([0.9, 0.7, np.inf, 0.2]), "variance": np.array([0.2, 0.1, 0.0, 0.2])}
    found = mean_intercept_effect(ge.Ridge(0.5, intercept=False), e, curve, d)  # the offset of either sign: its variance
    np.testing.assert_allclose(found, [0.3 * unit / 0.7, 0.3 * unit / 0.6, 0, 0], rtol=1e-12)
    plain = {"test_error": np.full(2, 0.9), "intercept": np.array([0.1, -0.8])}
    huber = mean_intercept_effect(ge.Huber(0.5, 0.5, intercept=False), e, plain, d)
    np.testing.assert_allclose(huber, np.array([0.3, 0.64]) * unit / 0.9, rtol=1e-12)
    labels = replace(e, channel=Sign(0.2), offset=0.4)
    seen = {"test_error": np.full(2, 0.3), "q": np.array([0.6, 0.0]), "intercept": np.array([-0.5, 0.5])}
    logistic = mean_intercept_effect(ge.Logistic(0.5, intercept=False), labels, seen, d)
    np.testing.assert_allclose(logistic, [0.25 * unit / 0.6, 0.0], rtol=1e-12)
    for learner, other in ((ge.Ridge(0.5, intercept=True), e), (ge.Ridge(0.5, intercept=False), replace(e, input_mean_square=0.0))):
        assert not np.any(mean_intercept_effect(learner, other, curve, d))
