"""Curves of scores predict refits; their bands are those of other tables."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.svm import LinearSVC

from gaussequiv.errors import ArgumentError
from gaussequiv.estimators.curves import refit_curve, theory_curve

pytestmark = pytest.mark.filterwarnings("ignore:n_total = .* rows are few")  # bands of small tables


def table(rows, rate, seed=0):
    """Columns that are not Gaussian, and labels of the higher class at this rate."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, 12))
    X[:, :3], X[:, 3:6] = np.exp(0.5 * X[:, :3]) - 1.13, X[:, 3:6] > 1
    z = X @ np.linspace(-1.2, 1.2, 12) + rng.logistic(size=rows)
    return X, (z > np.quantile(z, 1 - rate)).astype(int), z


BINARY = ("balanced_accuracy", "f1", "recall", "roc_auc", "average_precision")
LOGISTIC = LogisticRegression(C=1.0, max_iter=1000)
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("estimator", "names", "rate"),
    [
        (LOGISTIC, ("f1", "roc_auc", "neg_log_loss"), 0.1),
        (RidgeClassifier(alpha=5.0), ("balanced_accuracy", "average_precision"), 0.4),
        pytest.param(LOGISTIC, (*BINARY, "neg_log_loss", "neg_brier_score"), 0.1, marks=SLOW),
        pytest.param(LOGISTIC, (*BINARY, "neg_log_loss", "neg_brier_score"), 0.4, marks=SLOW),
        pytest.param(RidgeClassifier(alpha=5.0), BINARY, 0.1, marks=SLOW),
        pytest.param(LinearSVC(C=0.1), BINARY, 0.4, marks=SLOW),
    ],
)
def test_scores_of_classifiers_predict_refits(estimator, names, rate):
    """Within 4 standard errors of 16 refits and 3% of best - score; rates of 1 and 3% are in the documentation."""
    X, y, _ = table(2000, rate)
    for name in names:
        found = theory_curve(estimator, X, y, train_sizes=[200, 800], groups=0, scoring=name)
        real = refit_curve(estimator, X, y, train_sizes=[200, 800], repeats=16, scoring=name)
        best = 0 if name.startswith("neg") else 1
        gap = np.abs(found.test_score.values - real.refit_score.values)
        assert np.all(gap < 4 * real.refit_score_stderr.values + 0.03 * (best - real.refit_score.values)), name
        assert found.attrs["scoring"] == name and found.test_score.attrs["long_name"]


@pytest.mark.parametrize("name", ["r2", "neg_mean_absolute_error", "neg_mean_squared_error"])
def test_scores_of_regressions_predict_refits(name):
    X, _, z = table(1000, 0.5)
    found = theory_curve(Ridge(3.0), X, z, train_sizes=[30, 100, 600], scoring=name)
    real = refit_curve(Ridge(3.0), X, z, train_sizes=[30, 100, 600], repeats=32, scoring=name)
    best = 1 if name == "r2" else 0
    gap = np.abs(found.test_score.values - real.refit_score.values)
    assert np.all(gap < 4 * real.refit_score_stderr.values + 0.02 * (best - real.refit_score.values))
    assert np.all(found.test_score_stderr.values > 0)


def test_accuracy_is_one_minus_the_test_error():
    X, y, z = table(500, 0.3)
    for estimator, labels, name, best in ((RidgeClassifier(), y, "accuracy", 1.0), (Ridge(), z, "neg_mean_squared_error", 0.0)):
        plain, scored = (theory_curve(estimator, X, labels, train_sizes=[50, 200], scoring=one) for one in (None, name))
        assert scored.test_score.values == pytest.approx(best - plain.test_error.values, rel=1e-12)
        assert scored.test_score_stderr.values == pytest.approx(plain.test_error_stderr.values, rel=1e-12)


def test_every_class_against_the_rest_has_its_score():
    X, y, z = table(600, 0.3)
    found = theory_curve(RidgeClassifier(), X, y + (z > 0).astype(int), train_sizes=[100, 300], groups=0, scoring="roc_auc")
    assert found.test_score.dims == ("class", "train_size") and np.all(found.test_score > 0.5)


def test_scores_beyond_the_rows_go_on_where_they_were():
    X, y, _ = table(900, 0.3)
    found = theory_curve(LogisticRegression(), X[:600], y[:600], train_sizes=[500, 600, 750], groups=0, scoring="roc_auc").test_score.values
    assert np.all(np.diff(found) >= -1e-6) and found[2] - found[1] < 0.01


@pytest.mark.parametrize(("method", "name"), [("gaussian", "roc_auc"), ("moments", "r2")])
def test_other_methods_have_no_other_scores(method, name):
    X, y, z = table(200, 0.3)
    with pytest.raises(ArgumentError, match="method"):
        theory_curve(RidgeClassifier() if name == "roc_auc" else Ridge(), X, y if name == "roc_auc" else z, method=method, scoring=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["f1", "roc_auc", "neg_log_loss"])
def test_the_band_is_the_spread_of_other_tables(name):
    """24 tables of one source: their predictions spread as the bands say, within a factor of 1.6 (a jackknife of 10 groups, 24 tables)."""
    X, y, _ = table(24 * 1000, 0.2)
    found = [theory_curve(LogisticRegression(), X[i::24], y[i::24], train_sizes=[300], scoring=name) for i in range(24)]
    spread = np.std([one.test_score.values[0] for one in found], ddof=1)
    band = np.sqrt(np.mean([one.test_score_stderr.values[0] ** 2 for one in found]))
    assert 1 / 1.6 < spread / band < 1.6
