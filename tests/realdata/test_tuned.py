"""Estimators that tune their penalty choose at every size as scikit-learn does."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegressionCV, Ridge, RidgeClassifierCV, RidgeCV

from gaussequiv import datasets
from gaussequiv.errors import AccuracyWarning, ArgumentError
from gaussequiv.estimators.curves import refit_curve, theory_curve
from gaussequiv.realdata.reading import read_tuning
from gaussequiv.realdata.scoring import SCORINGS, ScoreLaw
from gaussequiv.realdata.tuned import choices

X, Y = load_diabetes(return_X_y=True)
X = X / X.std(axis=0)
ALPHAS = np.logspace(-1, 4, 11)
pytestmark = [
    pytest.mark.filterwarnings("ignore:n_total = .* rows are few"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of the defaults of LogisticRegressionCV
]


@pytest.mark.parametrize("folds", [None, pytest.param(5, marks=pytest.mark.slow)])
def test_ridge_chooses_as_refits_do(folds):
    sizes = [30, 100, 250]
    found = theory_curve(RidgeCV(ALPHAS, cv=folds), X, Y, train_sizes=sizes)
    real = refit_curve(RidgeCV(ALPHAS, cv=folds), X, Y, train_sizes=sizes, repeats=24)
    assert np.all(np.abs(found.test_error - real.refit_error) < 3 * real.refit_error_stderr + 0.01 * real.refit_error)
    rng = np.random.default_rng(0)
    for size, lam in zip(sizes, found.tuned_lam.values, strict=True):
        chosen = []
        for _ in range(24):
            rows = rng.permutation(len(Y))[:size]
            chosen.append(np.log(RidgeCV(ALPHAS, cv=folds).fit(X[rows], Y[rows]).alpha_))
        assert abs(np.log(lam) - np.mean(chosen)) < 4 * np.std(chosen) / 24**0.5 + 0.2
    least = np.min([theory_curve(Ridge(a), X, Y, train_sizes=sizes, groups=0).test_error.values for a in ALPHAS], axis=0)
    assert found.test_error.values - least == pytest.approx(found.tuning_cost.values, rel=1e-6, abs=1e-6)
    assert np.all(found.tuning_cost.values > 0) and np.all(np.diff(found.tuning_cost.values) < 0)


@pytest.mark.parametrize(
    "estimator",
    [
        RidgeClassifierCV(np.logspace(-1, 4, 6)),
        pytest.param(RidgeClassifierCV(np.logspace(-1, 4, 6), cv=4), marks=pytest.mark.slow),
        LogisticRegressionCV(Cs=[0.01, 0.1, 1.0], scoring="neg_log_loss", max_iter=1000),
        pytest.param(LogisticRegressionCV(Cs=[0.001, 0.01, 0.1, 1.0], scoring="accuracy", max_iter=1000), marks=pytest.mark.slow),
    ],
)
def test_classifiers_choose_as_refits_do(estimator):
    """Within 3 standard errors of 16 refits and the 3% of classifiers with a given penalty."""
    rows, labels = datasets.load("digits", count=700)
    found = theory_curve(estimator, rows, labels, train_sizes=[300], groups=0)
    real = refit_curve(estimator, rows, labels, train_sizes=[300], repeats=16)
    assert np.all(np.abs(found.test_error - real.refit_error) < 3 * real.refit_error_stderr + 0.03 * real.refit_error)
    assert np.all(found.tuning_cost >= -1e-9) and np.all(found.unknown_lams == 0)


def test_a_score_of_a_tuned_estimator():
    found = theory_curve(RidgeCV(ALPHAS), X, Y, train_sizes=[50, 200], scoring="r2")
    plain = theory_curve(RidgeCV(ALPHAS), X, Y, train_sizes=[50, 200])
    assert found.test_score.values == pytest.approx(1 - plain.test_error.values / Y.var(), rel=1e-6)
    assert found.tuned_lam.values == pytest.approx(plain.tuned_lam.values) and np.all(found.test_score_stderr > 0)
    assert found.attrs["lam"] == ALPHAS.tolist()


def test_one_penalty_leaves_no_choice():
    tuned, plain = (theory_curve(one, X, Y, train_sizes=[50, 200]) for one in (RidgeCV([3.0]), Ridge(3.0)))
    assert tuned.test_error.values == pytest.approx(plain.test_error.values)
    assert tuned.test_error_stderr.values == pytest.approx(plain.test_error_stderr.values)
    assert np.all(tuned.tuning_cost == 0)


def test_equal_penalties_are_told_apart_by_chance_and_the_better_one_by_rows():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(500)
    laws = [ScoreLaw(y, y + width * rng.standard_normal(500), np.zeros(500), classify=False) for width in (1.0, 1.0, 1.3)]
    few, many = (choices(laws, n, SCORINGS["neg_mean_squared_error"], np.random.default_rng(0)) for n in (5, 400))
    assert few[2] > 0.05 and many[2] == 0 and few.sum() == pytest.approx(1)
    assert choices([laws[2], laws[2]], 5, SCORINGS["neg_mean_absolute_error"], rng).tolist() == [1.0, 0.0]  # the first of equals


def test_settings_are_read():
    assert read_tuning(Ridge()) is None
    assert read_tuning(RidgeCV([1.0, 2.0])) == ((1.0, 2.0), None, "neg_mean_squared_error")
    assert read_tuning(RidgeClassifierCV([1.0], cv=3)) == ((1.0,), 3, "accuracy")
    found = read_tuning(LogisticRegressionCV(Cs=3))
    assert found.lams == pytest.approx((1e4, 1.0, 1e-4)) and found.folds == 5 and found.criterion == "accuracy"


@pytest.mark.parametrize(
    ("estimator", "text"),
    [
        (RidgeCV([1.0, -1.0]), "positive alphas"),
        (RidgeCV([1.0], cv=[(0, 1)]), "`cv` must be"),
        (RidgeCV([1.0], scoring="max_error"), "`scoring` must be"),
        (LogisticRegressionCV(refit=False), "`refit` must be"),
        (LogisticRegressionCV(l1_ratios=[0.5], solver="saga"), "l2 penalty"),
    ],
)
def test_other_settings_are_refused(estimator, text):
    with pytest.raises(ArgumentError, match=text):
        theory_curve(estimator, X, Y > 150 if "Logistic" in str(estimator) else Y, train_sizes=[50])
    with pytest.raises(ArgumentError, match="method"):
        theory_curve(RidgeCV(), X, Y, train_sizes=[50], method="moments")


def test_penalties_that_are_not_known_are_told():
    rows, labels = datasets.load("digits", count=300)
    with pytest.warns(AccuracyWarning, match="50% of the penalties are not known"):
        theory_curve(LogisticRegressionCV(Cs=[0.1, 1e12], max_iter=1000), rows, labels, train_sizes=[40], groups=0)
