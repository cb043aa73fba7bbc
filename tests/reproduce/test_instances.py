"""Single instances: the covariances of one draw of weights."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.feature_equivalent import from_features
from gaussequiv.reproduce.instances import INSTANCES, check_instance, instance, instances

ALPHA = np.array([0.5, 2.0])


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_one_layer_equals_the_full_covariance(ratio):
    target, features, d = ge.DeepNetwork("tanh", depth=2), ge.RandomFeatures("erf", ratio=ratio), 40
    found = instance(target, features, np.random.default_rng(3), d)
    rng = np.random.default_rng(3)
    network, student = target.sample(rng, d), features.sample(rng, d)
    k1, rest = 2 / np.sqrt(3 * np.pi), 2 / np.pi * np.arcsin(2 / 3) - 4 / (3 * np.pi)  # erf at variance 1
    weight = student.weights[0]
    omega = k1**2 * weight.T @ weight + rest * np.eye(weight.shape[1])
    slopes = [phi.coefficients(s).kappa1 for phi, s in zip(target.layers, (1.0, 0.3942944904), strict=True)]
    direction = slopes[0] * slopes[1] * network.weights[0] @ network.weights[1] @ network.readout
    values, vectors = np.linalg.eigh(omega)
    overlap = weight.shape[1] * (vectors.T @ (k1 * weight.T @ direction)) ** 2
    assert found.weights.sum() == pytest.approx(1, abs=1e-12)
    assert found.signal_variance == pytest.approx(float(direction @ direction), rel=1e-8)
    for shift in (0.1, 1.0):  # the sums in which every learner sees eigenvalues and overlaps
        mine = found.weights @ (found.alignment / (found.eigenvalues + shift))
        assert mine == pytest.approx(np.mean(overlap / (values + shift)), rel=1e-8)
        assert found.weights @ (1 / (found.eigenvalues + shift)) == pytest.approx(np.mean(1 / (values + shift)), rel=1e-10)


@pytest.mark.parametrize("depth", [1, 3])
def test_instances_average_to_the_limit(depth):
    target, features = ge.DeepNetwork("tanh", width_ratios=2.0), ge.RandomFeatures("tanh", depth=depth, ratio=1.5)
    limit = ge.Ridge(0.1).solve(from_features(ge.GaussianInputs(), target, features), ALPHA)["test_error"]
    drawn = [ge.Ridge(0.1).solve(instance(target, features, np.random.default_rng(i), 60), ALPHA)["test_error"] for i in range(16)]
    stderr = np.std(drawn, axis=0, ddof=1) / np.sqrt(16)
    assert np.all(np.abs(np.mean(drawn, axis=0) - limit) < 4 * stderr + 0.02 * limit)


def test_twenty_instances_carry_rho_and_their_own_seeds():
    problem = ge.Problem(ge.DeepNetwork("sign", task="classification"), features=ge.RandomFeatures("erf"), learner=ge.Ridge(0.1))
    drawn = instances(problem, ALPHA, 30, seed=5, observables=("test_error", "q"))
    assert drawn["q"].sizes == {"instance": INSTANCES, "alpha": 2}
    alone = instance(problem.target, problem.features, np.random.default_rng((5, 7)), 30)
    assert float(drawn["rho"][7]) == alone.rho
    values = drawn["q"].values[:, 1]
    check = check_instance(drawn, "q", 2.0, 0.5, "q", "somewhere")
    assert check.computed == pytest.approx(values.mean(), rel=1e-12) and check.tolerance == pytest.approx(3 * values.std(ddof=1), rel=1e-12)
