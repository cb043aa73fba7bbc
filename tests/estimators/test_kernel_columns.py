"""Kernel ridge regression is ridge regression on the columns of a root of the kernel, and its curve predicts its refits."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gaussequiv.errors import ArgumentError
from gaussequiv.estimators import kernel_columns as module
from gaussequiv.estimators.curves import refit_curve, theory_curve
from gaussequiv.estimators.kernel_columns import kernel_columns

RNG = np.random.default_rng(0)
X = RNG.standard_normal((500, 4))
Y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * RNG.standard_normal(500)
pytestmark = pytest.mark.filterwarnings("ignore:n_total = .* rows are few")


def overlap(one, two):
    return float(1 + one @ two)


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly", overlap])
def test_ridge_on_the_columns_is_kernel_ridge(kernel):
    model, some = KernelRidge(alpha=0.5, kernel=kernel), X[:80]
    Z = kernel_columns(model, some)
    linear = Ridge(0.5, fit_intercept=False).fit(Z[:50], Y[:50])
    assert linear.predict(Z[50:]) == pytest.approx(model.fit(some[:50], Y[:50]).predict(some[50:]), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    "model", [KernelRidge(alpha=0.3, kernel="rbf", gamma=0.1), KernelRidge(alpha=1.0, kernel="poly", degree=2)], ids=["rbf", "poly"]
)
def test_it_predicts_refits(model):
    """Within 3 standard errors of 24 refits and 2%."""
    found = theory_curve(model, X, Y, train_sizes=[50, 150, 350])
    real = refit_curve(model, X, Y, train_sizes=[50, 150, 350], repeats=24)
    assert np.all(np.abs(found.test_error - real.refit_error) < 3 * real.refit_error_stderr + 0.02 * real.refit_error)
    assert np.all(found.test_error_stderr > 0) and "alone" not in found


@pytest.mark.parametrize(
    "steps",
    [
        (StandardScaler(), RBFSampler(gamma=0.05, n_components=100, random_state=0), Ridge(0.3)),
        (StandardScaler(), Nystroem(gamma=0.05, n_components=40, random_state=0), Ridge(0.3)),
        (StandardScaler(), make_pipeline(PCA(5), make_pipeline(Ridge(0.3)))),
    ],
    ids=["random features", "Nystroem", "a pipeline in a pipeline"],
)
def test_pipelines_predict_refits(steps):
    rows, y = load_diabetes(return_X_y=True)
    found = theory_curve(make_pipeline(*steps), rows, y, train_sizes=[100, 300])
    real = refit_curve(make_pipeline(*steps), rows, y, train_sizes=[100, 300], repeats=24)
    assert np.all(np.abs(found.test_error - real.refit_error) < 3 * real.refit_error_stderr + 0.02 * real.refit_error)


def test_what_is_no_kernel_is_refused(monkeypatch):
    with pytest.raises(ArgumentError, match="`kernel` must be a name"):
        theory_curve(KernelRidge(kernel="precomputed"), X @ X.T, Y, train_sizes=[50])
    with pytest.raises(ArgumentError, match="without negative eigenvalues"):
        kernel_columns(KernelRidge(kernel=lambda a, b: -float(a @ b)), X[:20])
    with pytest.raises(ArgumentError, match="`method` must be 'rows' for KernelRidge"):
        theory_curve(KernelRidge(), X, Y, train_sizes=[50], method="moments")
    monkeypatch.setattr(module, "MOST", 100)
    with pytest.raises(ArgumentError, match="at most 100 rows for KernelRidge"):
        theory_curve(KernelRidge(), X, Y, train_sizes=[50])
