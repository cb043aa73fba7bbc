"""Fits on a finite sample against scikit-learn and least squares."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import LinearPredictor, TrainingSample

SHAPES = [(15, 40), (40, 40), (90, 40)]


def sample(n, d):
    rng = np.random.default_rng((n, d))
    x = rng.standard_normal((n, d)) * np.geomspace(0.3, 3, d) + 1.0
    return x, x @ rng.standard_normal(d) / np.sqrt(d) + 0.5 + 0.3 * rng.standard_normal(n)


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("lam", [1e-3, 0.5, 30.0])
def test_ridge_is_scikit_learn_with_penalty_d_lam(n, d, intercept, lam):
    from sklearn.linear_model import Ridge

    x, y = sample(n, d)
    found = TrainingSample(x, y).ridge(lam, intercept)
    reference = Ridge(alpha=lam * d, fit_intercept=intercept, solver="svd").fit(x, y)
    scale = np.abs(reference.coef_).max()
    assert found.coefficients == pytest.approx(reference.coef_, abs=1e-8 * scale)
    assert found.intercept == pytest.approx(reference.intercept_, abs=1e-8)
    assert found.lam == lam


@pytest.mark.parametrize(("n", "d"), [(15, 40), (90, 40)])
@pytest.mark.parametrize("intercept", [False, True])
def test_no_penalty_is_the_minimum_norm_solution(n, d, intercept):
    x, y = sample(n, d)
    found = TrainingSample(x, y).ridge(0.0, intercept)
    mean, ybar = (x.mean(axis=0), y.mean()) if intercept else (np.zeros(d), 0.0)
    expected = np.linalg.lstsq(x - mean, y - ybar, rcond=None)[0]
    # the Gram matrix squares the condition number (about 1e3)
    assert found.coefficients == pytest.approx(expected, abs=1e-8 * np.abs(expected).max())
    assert found.intercept == pytest.approx(ybar - mean @ expected, abs=1e-8)
    if n < d:
        assert x @ found.coefficients + found.intercept == pytest.approx(y, abs=1e-8)


@pytest.mark.parametrize("n", [20, 60])
def test_duplicated_and_dead_columns_keep_the_minimum_norm(n):
    x, y = sample(n, 10)
    wide = np.column_stack([x, x[:, :3], np.zeros(n)])
    found = TrainingSample(wide, y).ridge(0.0, False)
    expected = np.linalg.lstsq(wide, y, rcond=None)[0]
    assert found.coefficients == pytest.approx(expected, abs=1e-7 * np.abs(expected).max())


def test_an_infinite_penalty_fits_the_mean_only():
    x, y = sample(30, 8)
    for intercept, expected in ((True, y.mean()), (False, 0.0)):
        found = TrainingSample(x, y).ridge(np.inf, intercept)
        assert np.all(found.coefficients == 0)
        assert found.intercept == pytest.approx(expected)


def test_one_decomposition_serves_every_penalty(monkeypatch):
    x, y = sample(30, 8)
    shared = TrainingSample(x, y)
    first = [shared.ridge(lam, True) for lam in (0.1, 1.0)]
    monkeypatch.setattr(TrainingSample, "_decompose", lambda *_: pytest.fail("decomposed again"))
    again = [shared.ridge(lam, True) for lam in (0.1, 1.0)]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.coefficients, b.coefficients)


def test_fitting_leaves_the_data_alone():
    x, y = sample(30, 8)
    copies = x.copy(), y.copy()
    TrainingSample(x, y).ridge(0.3, True)
    assert np.array_equal(x, copies[0])
    assert np.array_equal(y, copies[1])


@pytest.mark.parametrize(
    "inputs",
    [
        ge.GaussianInputs("power-law:0.7"),
        ge.GaussianInputs("two-level:2:0:0.5"),
        ge.GaussianInputs(covariance=np.diag([3.0, 1.0, 0.5, 0.0])),
    ],
)
def test_whitened_rows_have_unit_covariance_and_lead_back(inputs):
    d = inputs.dimension or 6
    x = np.concatenate([inputs.rows((k,), d, 1, 1).block(0, 0, 1024) for k in range(20)])
    rotation, w = inputs.whiten(d)
    z, kept, back = TrainingSample(x, np.zeros(len(x)), rotation, w).whitened()
    assert kept == pytest.approx(w[w > 0])
    assert z.T @ z / len(z) == pytest.approx(np.eye(kept.size), abs=5 * np.sqrt(2 / len(x)))
    if back.size:
        coefficients = np.arange(1.0, kept.size + 1)
        assert x @ (back @ coefficients) == pytest.approx(z @ coefficients, abs=1e-10)


def test_alpha_is_samples_per_dimension():
    assert TrainingSample(np.zeros((30, 12)), np.zeros(30)).alpha == 2.5


def test_predictors_and_what_they_say_by_default():
    rows, fit = np.array([[1.0, 2.0], [0.5, -1.0]]), LinearPredictor(np.array([0.3, -0.2]), 0.7)
    assert fit(rows) == pytest.approx([0.6, 1.05])
    assert (fit.steps, fit.residual, fit.threshold, fit.status, fit.loss, fit.response) == (0, 0.0, 0.0, Status.converged, None, None)
    assert np.isnan(fit.lam) and np.isnan(fit.variance)
    x, y = sample(15, 40)
    one = TrainingSample(x, y)
    assert one.ridge(0.3, True)(x[:3]) == pytest.approx(x[:3] @ one.ridge(0.3, True).coefficients + one.ridge(0.3, True).intercept)


def test_whitened_rows_in_every_form():
    """(x - centre) q/sqrt(w) without directions of variance 0; the identity and no centre hand back the rows themselves."""
    rng = np.random.default_rng(0)
    x, centre, w = rng.standard_normal((7, 4)), rng.standard_normal(4), np.array([0.5, 0.0, 2.0, 1.0])
    q, kept = np.linalg.qr(rng.standard_normal((4, 4)))[0], w > 0
    for rotation in (None, q):
        z, variances, back = TrainingSample(x, np.zeros(7), rotation, w, centre).whitened()
        turned = np.eye(4) if rotation is None else q
        np.testing.assert_allclose(z, ((x - centre) @ turned)[:, kept] / np.sqrt(w[kept]), rtol=1e-12)
        np.testing.assert_allclose(back, turned[:, kept] / np.sqrt(w[kept]), rtol=1e-12)
        assert variances.tolist() == [0.5, 2.0, 1.0]
    z, variances, back = TrainingSample(x, np.zeros(7)).whitened()
    assert z is x and variances.tolist() == [1.0] * 4 and back is None
    z, _, back = TrainingSample(x, np.zeros(7), centre=centre).whitened()
    np.testing.assert_allclose(z, x - centre)
    assert back is None
    z, variances, back = TrainingSample(x, np.zeros(7), q).whitened()
    np.testing.assert_allclose(z, x @ q, rtol=1e-12)
    np.testing.assert_allclose(back, q)
