"""Precomputed features of given rows: against the same features as given weights, and against true networks on the rows."""

import numpy as np
import pytest

import gaussequiv as ge

D, ROWS, WIDTH = 60, 6000, 90
LEARNERS = [ge.Ridge(0.1), ge.Ridge("optimal"), ge.Huber(0.2, 0.5)]
ALPHA = [1.0, 3.0, 8.0]
TARGET = ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1)


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((ROWS, D)), 2 * rng.standard_normal((D, WIDTH)) / np.sqrt(D)
    return x, weights, np.tanh(x @ weights)


def test_the_matrix_and_the_weights_give_one_curve(parts):
    """Sample moments of 6000 rows: the spectrum of 90 features is off by about 90/6000 = 1.5%."""
    x, weights, features = parts
    matrix = ge.solve(ge.Problem(TARGET, ge.DataInputs(x), LEARNERS, ge.FeatureMatrix(features)), ALPHA)
    given = ge.solve(ge.Problem(TARGET, learner=LEARNERS, features=ge.GivenFeatures([weights], activations="tanh")), ALPHA, d=D)
    np.testing.assert_allclose(matrix.test_error, given.test_error, rtol=0.015)


def test_true_networks_on_the_rows(parts):
    """32 teachers, d = 60: |mean - theory| <= 4 standard errors + (3/d) theory."""
    x, _, features = parts
    problem = ge.Problem(TARGET, ge.DataInputs(x), LEARNERS, ge.FeatureMatrix(features))
    run = ge.simulate(problem, ALPHA, trials=32, seed=1, normalise_teacher=True, test_samples=2000, progress=False)
    theory = ge.solve(problem, ALPHA)
    gap = np.abs(run.test_error_mean.values - theory.test_error.values)
    assert np.all(gap <= 4 * run.test_error_stderr.values + 3 / D * theory.test_error.values)
