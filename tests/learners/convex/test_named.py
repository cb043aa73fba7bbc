"""Thin names build the learner that they promise."""

import numpy as np
import pytest

import gaussequiv as ge


@pytest.mark.parametrize(
    ("named", "plain"),
    [
        (ge.Logistic(0.1, intercept=True), ge.ERM("logistic", 0.1, intercept=True)),
        (ge.SVM(0.1, class_weight={-1: 1, 1: 2}), ge.ERM("hinge", 0.1, class_weight={-1: 1, 1: 2})),
        (ge.Huber(0.1, 1.35), ge.ERM("huber:1.35", 0.1)),
        (ge.Lasso(0.1), ge.ERM("square", 0.1, "l1")),
        (ge.ElasticNetRegression(0.1, 0.3), ge.ERM("square", 0.1, "elastic_net:0.3")),
    ],
)
def test_names(named, plain):
    assert named.label == plain.label
    assert named.to_dict() == plain.to_dict()


def test_square_loss_with_l2_is_ridge_through_solve():
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1)
    a, b = (ge.solve(ge.Problem(target, learner=learner), [0.5, 2.0]) for learner in (ge.ElasticNetRegression(0.3, 0.0), ge.Ridge(0.3)))
    assert a.test_error.values == pytest.approx(b.test_error.values, rel=1e-9)
    assert np.all(a.converged)
