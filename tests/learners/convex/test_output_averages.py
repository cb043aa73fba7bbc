"""Labels y = f(field) + noise: the two-dimensional rule against the one-dimensional one, ridge, and true networks."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.outputs import Output
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.output_averages import label_averages, label_losses

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


def test_order_parameters_beyond_the_finite_numbers_give_no_number():
    """A trial step of the solver may ask for them; the points beside are not touched."""
    channel, loss = Output(np.tanh, 0.1, name="tanh"), losses.get("huber")
    laws = [channel.atoms(0.0, 1.0)] * 3
    good = dict(V=1.0, q=1.0, m=0.5, c=0.1, b0=0.0, rest=0.75, misfit=1.0)
    rows = [good, {**good, "V": np.nan}, {**good, "m": 3.0}]
    at = Fields(**{name: np.array([row[name] for row in rows]) for name in good})
    found, alone = label_averages(loss, laws, at, ((1.0, 1.0),)), label_averages(loss, laws[:1], at.take(slice(0, 1)), ((1.0, 1.0),))
    np.testing.assert_array_equal(found.value[0], alone.value[0])
    assert np.isnan(found.value[1:]).all() and np.isnan(found.jacobian[1:]).all()
    scores = label_losses(loss, laws, at, ((1.0, 1.0),))
    assert all(np.isfinite(values[0]) and np.isnan(values[1:]).all() for values in scores.values())
