"""Labels y = f(field) + noise: the two-dimensional rule against the one-dimensional one, ridge, and true networks."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.outputs import Output

ALPHA = np.array([0.5, 2.0])
SAME = ("test_error", "clean_error", "train_error", "test_loss", "train_loss", "m", "q", "V", "floor")


@pytest.mark.parametrize("loss", ["square", "huber:0.5", "absolute"])
def test_the_identity_gives_the_plain_channel(loss):
    plain = ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1)
    through = ge.DeepNetwork("tanh", 2, weight_variance=4, labels=Output(lambda z: z, 0.1, name="identity"))
    one, two = (ge.solve(ge.Problem(target, learner=ge.ERM(loss, 0.1)), ALPHA) for target in (plain, through))
    for name in SAME:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-9, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("offset", [0.0, 0.6])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_square_loss_is_ridge(offset, intercept):
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, labels=Output(lambda z: np.exp(0.5 * z), 0.1, name="exp"), offset=offset)
    square, ridge = (
        ge.solve(ge.Problem(target, learner=one), ALPHA) for one in (ge.ERM("square", 0.2, intercept=intercept), ge.Ridge(0.2, intercept))
    )
    for name in ("test_error", "clean_error", "train_error", "m", "q", "V"):
        np.testing.assert_allclose(square[name], ridge[name], rtol=1e-9, err_msg=name)


def test_true_networks_agree():
    """16 teachers at d = 200: |mean - theory| <= 4 standard errors + (3/d) theory."""
    target = ge.DeepNetwork("tanh", 1, weight_variance=4, labels=Output(np.tanh, 0.05, name="tanh"))
    problem = ge.Problem(target, learner=[ge.Ridge(0.2), ge.Huber(0.2, 0.3)])
    run, theory = ge.simulate(problem, ALPHA, d=200, trials=16, seed=1, normalise_teacher=True), ge.solve(problem, ALPHA)
    gap = np.abs(run.test_error_mean.values - theory.test_error.values)
    assert np.all(gap <= 4 * run.test_error_stderr.values + 3 / 200 * theory.test_error.values)
