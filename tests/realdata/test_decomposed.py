"""`DecomposedRows`: leverages, left-out residuals and smoothed vectors against the normal equations and against brute force."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from gaussequiv.errors import ArgumentError
from gaussequiv.realdata.decomposed import DecomposedRows

RIDGES = np.array([0.3, 20.0])


def draw(shape):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape) + 0.5, rng.standard_normal(shape[0]), rng.uniform(0.5, 3.0, shape[0])


def smoother(x, weights, ridge, intercept):
    """sqrt(a) (design) (X'AX + l)^{-1} (design)' sqrt(a), the constant without a penalty."""
    design = np.column_stack([x, np.ones(len(x))]) if intercept else x
    penalty = np.full(design.shape[1], ridge)
    penalty[x.shape[1] :] = 0.0
    z = np.sqrt(weights)[:, None] * design
    return z @ np.linalg.solve(z.T @ z + np.diag(penalty), z.T), z, penalty


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(30, 8), (30, 50)])
def test_it_is_the_smoother_of_the_normal_equations(shape, intercept):
    x, y, weights = draw(shape)
    rows = DecomposedRows(x, weights, intercept=intercept)
    gap, variance = rows.left_out(RIDGES)
    vectors = np.random.default_rng(1).standard_normal((2, len(x)))
    for i, ridge in enumerate(RIDGES):
        H, _, _ = smoother(x, weights, ridge, intercept)
        assert 1 - gap[i] == pytest.approx(np.diag(H), rel=1e-10)
        assert variance[i] == pytest.approx(np.sum(H**2, axis=1) - np.diag(H) ** 2, rel=1e-8)  # sums of h_ij^2 over the other rows
        assert rows.smoothed(vectors, RIDGES)[i] == pytest.approx(H @ vectors[i], rel=1e-9, abs=1e-11)
        assert rows.residuals(y, RIDGES)[i] == pytest.approx(np.sqrt(weights) * y - H @ (np.sqrt(weights) * y), rel=1e-9, abs=1e-11)
        assert rows.freedom(RIDGES)[0][i] == pytest.approx(np.trace(H), rel=1e-11)
    step = 1e-6
    up, down = (rows.freedom(RIDGES * np.exp(sign * step))[0] for sign in (1, -1))
    assert rows.freedom(RIDGES)[1] == pytest.approx((up - down) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("shape", [(24, 8), (24, 50)])
def test_residuals_over_gaps_are_those_of_the_row_left_out(shape):
    x, y, weights = draw(shape)
    rows = DecomposedRows(x, weights)
    found = rows.residuals(y, RIDGES) / rows.left_out(RIDGES)[0] / np.sqrt(weights)
    for i, ridge in enumerate(RIDGES):
        model = Ridge(alpha=ridge, solver="svd")
        for j in range(len(x)):
            keep = np.delete(np.arange(len(x)), j)
            brute = y[j] - model.fit(x[keep], y[keep], sample_weight=weights[keep]).predict(x[[j]])[0]
            assert found[i, j] == pytest.approx(brute, rel=1e-8)


def test_a_small_ridge_keeps_the_digits_of_interpolating_rows():
    """1 - h of order l where rows are fewer than directions; columns of scales 1 and 1e-6 without a penalty that rules them."""
    x, _, _ = draw((30, 50))
    rows = DecomposedRows(x, np.ones(30))
    small = rows.left_out(np.array([1e-9, 2e-9]))[0]
    assert small[1] == pytest.approx(2 * small[0], rel=1e-6)
    narrow, _, weights = draw((40, 6))
    scales = np.array([1.0, 1e-6, 1, 1e3, 1, 1e-3])
    one, two = (DecomposedRows(table, weights).left_out(np.array([0.0]))[0] for table in (narrow, narrow * scales))
    assert two == pytest.approx(one, rel=1e-6)


def test_rows_without_variation_are_refused():
    with pytest.raises(ArgumentError, match="varies"):
        DecomposedRows(np.ones((5, 2)), np.ones(5))


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_the_rows_given_stay_as_they_are(intercept, weight):
    x, _, _ = draw((20, 4))
    kept = x.copy()
    DecomposedRows(x, np.full(20, weight), intercept=intercept)
    assert np.array_equal(x, kept)
