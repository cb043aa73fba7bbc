"""`theory_curve` reads scikit-learn's estimators rightly and predicts refits."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from gaussequiv import datasets, plot
from gaussequiv.errors import AccuracyWarning, ArgumentError
from gaussequiv.estimators.curves import read_student, refit_curve, theory_curve
from gaussequiv.estimators.feature_maps import DeepRandomFeatures
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.reading import read_sizes, read_targets, weigh_classes

DIGITS = datasets.load("digits")


def objective(loss, lam, w, c, X, y):
    return np.sum(losses.get(loss).value(y, X @ w + c)) + 0.5 * lam * w @ w


@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(alpha=3.0),
        RidgeClassifier(alpha=3.0),
        LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000),
        LogisticRegression(C=0.5, solver="liblinear", tol=1e-10, intercept_scaling=2.0),
        LinearSVC(C=0.1, tol=1e-10, max_iter=100_000, intercept_scaling=3.0),
        LinearSVC(C=0.1, loss="hinge", tol=1e-10, max_iter=1_000_000),
    ],
)
def test_the_student_read_off_is_what_scikit_learn_minimises(estimator):
    """No small move of scikit-learn's solution lowers the objective that was read off it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = np.where(X[:, 0] + rng.standard_normal(60) > 0.3, 1.0, -1.0)
    student = read_student(estimator)
    fitted = estimator.fit(X, y)
    w, c = np.ravel(fitted.coef_), float(np.ravel(fitted.intercept_)[0])
    design, start = X, np.append(w, c)
    if student.constant is not None:  # the intercept's coefficient is penalised, its column is the constant
        design, start = np.column_stack([X, np.full(60, student.constant)]), np.append(w, c / student.constant)

    def value(v):
        return objective(
            student.loss, student.lam, v if student.constant is not None else v[:-1], 0.0 if student.constant else v[-1], design, y
        )

    best = value(start)
    for _ in range(200):
        assert value(start + 1e-3 * rng.standard_normal(5)) > best - 1e-9


def test_features_and_weights_are_read():
    assert read_student(Ridge(fit_intercept=False)).intercept is False
    assert read_student(LogisticRegression(class_weight={0: 1.0, 7: 2.0})).class_weight == {0: 1.0, 7: 2.0}
    assert read_student(LogisticRegression(class_weight={})).class_weight is None
    assert read_student(RidgeClassifier(class_weight="balanced")).class_weight == "balanced"
    assert read_student(LinearSVC(fit_intercept=False)).constant is None
    assert read_student(LinearRegression(fit_intercept=False)) == read_student(Ridge(alpha=0.0, fit_intercept=False))
    assert read_student(LogisticRegression(C=np.inf)).lam == 0


LABELS = np.repeat([0, 1], [70, 50])


@pytest.mark.parametrize("names", [np.array([0, 1]), np.array(["bad", "good"]), np.array([False, True]), np.array([-1.0, 1.0])])
@pytest.mark.parametrize("weights", [lambda a, b: {a: 2.0, b: 5}, lambda a, b: {b: 3}, lambda a, b: {b: 3, a: 1, "else": 7}])
@pytest.mark.parametrize("model", [LogisticRegression, LinearSVC])
def test_class_weights_are_those_that_scikit_learn_fits_with(names, weights, model):
    y = names[LABELS]
    given = weights(*names.tolist())
    student = weigh_classes(read_student(model(class_weight=given)), y, names.tolist())
    X = np.random.default_rng(0).standard_normal((120, 3)) + LABELS[:, None]
    rows = np.where(LABELS == 1, student.class_weight[1], student.class_weight[-1])
    settings = {"tol": 1e-10, "max_iter": 100_000}
    ours, theirs = model(**settings).fit(X, y, sample_weight=rows), model(class_weight=given, **settings).fit(X, y)
    assert ours.coef_ == pytest.approx(theirs.coef_, rel=1e-4)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ({"good": 1, "bad": 9}, r"must fit the classes \[0, 1\] of y.*not in class_weight"),
        ({0: 1.0, 2: 5.0}, r"\[.*1.*\], are not in class_weight"),
        ({0: 1.0, 1: 0.0}, "positive"),
        ({0: 1.0, 1: -2.0}, "positive"),
        ({0: 1.0, 1: "two"}, "class_weight"),
        ("balance", "None, 'balanced' or a dict"),
        ([1.0, 2.0], "None, 'balanced' or a dict"),
    ],
)
@pytest.mark.parametrize("model", [RidgeClassifier, LogisticRegression, LinearSVC])
def test_class_weights_that_scikit_learn_refuses_are_refused(weights, text, model):
    X = np.random.default_rng(0).standard_normal((120, 3))
    for curve in (theory_curve, refit_curve):
        with pytest.raises(ArgumentError, match=text):
            curve(model(class_weight=weights), X, LABELS, train_sizes=[50])


def test_a_weight_of_one_class_reaches_the_curve():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 5))
    y = (X[:, 0] + rng.standard_normal(600) > 1).astype(int)
    one, both, none, plain = (
        theory_curve(RidgeClassifier(class_weight=w), X, y, train_sizes=[100], groups=0).test_error.values
        for w in ({1: 3}, {0: 1.0, 1: 3.0}, {}, None)
    )
    assert one == both and one != none and none == plain


@pytest.mark.parametrize(
    "estimator",
    [
        Lasso(),
        SVC(),
        Ridge(positive=True),
        LinearRegression(positive=True),
        LogisticRegression(l1_ratio=1.0, solver="saga"),
        LinearSVC(penalty="l1"),
        "ridge",
    ],
)
def test_other_estimators_are_refused(estimator):
    with pytest.raises(ArgumentError, match="estimator"):
        read_student(estimator)


@pytest.mark.parametrize(
    ("estimator", "features"),
    [
        (Ridge(alpha=10.0), None),
        (RidgeClassifier(alpha=10.0), None),
        (LogisticRegression(C=1.0, max_iter=1000), None),
        (LinearSVC(C=0.5), None),
        (make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=1000)), None),
        (RidgeClassifier(alpha=0.3), DeepRandomFeatures(100, random_state=0)),
    ],
)
def test_it_predicts_refits_on_digits(estimator, features):
    """Predicted from all 1,797 rows; refits on subsets of the same rows. 10%: measured in the table of real data."""
    X, y = DIGITS
    sizes = [100, 300, 800]
    theory = theory_curve(estimator, X, y, train_sizes=sizes, features=features, groups=0)
    refits = refit_curve(estimator, X, y, train_sizes=sizes, features=features, repeats=16)
    gap = np.abs(theory.test_error.values - refits.refit_error.values)
    assert np.all(gap < 4 * refits.refit_error_stderr.values + 0.1 * refits.refit_error.values)


@pytest.mark.parametrize("estimator", [LinearRegression(), Ridge(alpha=0.1)])
def test_it_predicts_refits_on_diabetes(estimator):
    X, y = load_diabetes(return_X_y=True)
    sizes = [30, 60, 200, 350]
    theory = theory_curve(estimator, X, y, train_sizes=sizes)
    refits = refit_curve(estimator, X, y, train_sizes=sizes, repeats=64)
    gap = np.abs(theory.test_error.values / refits.refit_error.values - 1)
    assert np.all(gap < 4 * refits.refit_error_stderr.values / refits.refit_error.values + 0.05)


def test_the_dataset_says_where_it_came_from():
    X, y = DIGITS
    found = theory_curve(Ridge(alpha=10.0), X, y, train_sizes=[0.1, 0.5], method="moments")
    assert found["train_size"].values.tolist() == [180, 898]
    assert set(found.data_vars) >= {"test_error", "test_error_stderr", "status", "converged"}
    assert found.attrs["n_total"] == 1797 and found.attrs["lam"] == 10 and "Ridge" in found.attrs["estimator"]
    assert np.all(found.test_error_stderr > 0)


def test_many_classes_give_one_curve_each():
    X, digit = datasets.load("digits", target="class")
    keep = digit < 3
    found = theory_curve(RidgeClassifier(alpha=10.0), X[keep], digit[keep], train_sizes=[100, 400], groups=0)
    assert found.test_error.dims == ("class", "train_size") and found["class"].values.tolist() == [0, 1, 2]
    one = theory_curve(RidgeClassifier(alpha=10.0), X[keep], digit[keep] == 2, train_sizes=[100, 400], groups=0)
    assert found.test_error.sel({"class": 2}).values == pytest.approx(one.test_error.values, rel=1e-6)
    with pytest.raises(ArgumentError, match="class_weight"):
        theory_curve(RidgeClassifier(class_weight={0: 1, 1: 2}), X[keep], digit[keep])


def test_fitted_transformers_are_used_as_they_are():
    X, y = DIGITS
    scaler = StandardScaler().fit(X[:50])
    direct = theory_curve(RidgeClassifier(), scaler.transform(X), y, train_sizes=[200], groups=0)
    piped = theory_curve(make_pipeline(FrozenEstimator(scaler), RidgeClassifier()), X, y, train_sizes=[200], groups=0)
    given = theory_curve(RidgeClassifier(), X, y, train_sizes=[200], groups=0, features=scaler)
    mapped = theory_curve(RidgeClassifier(), X, y, train_sizes=[200], groups=0, features=scaler.transform)
    assert direct.test_error.values == pytest.approx(piped.test_error.values, rel=1e-12)
    assert direct.test_error.values == pytest.approx(mapped.test_error.values, rel=1e-12)
    assert direct.test_error.values == pytest.approx(given.test_error.values, rel=1e-12)
    anew = theory_curve(make_pipeline(scaler, RidgeClassifier()), X, y, train_sizes=[200], groups=0)  # cloned, as scikit-learn does
    fresh = theory_curve(make_pipeline(StandardScaler(), RidgeClassifier()), X, y, train_sizes=[200], groups=0)
    assert anew.test_error.values == fresh.test_error.values and anew.test_error.values != piped.test_error.values


def test_few_rows_are_warned_about():
    X, y = DIGITS
    with pytest.warns(AccuracyWarning, match="n_total = 60 rows are few"):
        theory_curve(RidgeClassifier(), X[:60], y[:60], train_sizes=[30])
    with pytest.warns(AccuracyWarning, match="1 of 2 points are not known"):
        found = theory_curve(Ridge(alpha=1e-3), X[:40], y[:40], train_sizes=[30, 5000], method="moments", groups=0)
    assert found.status.values.tolist() == [Status.converged, Status.nonfinite] and np.isnan(found.test_error[1])


def test_sizes():
    assert read_sizes([0.1, 1.0], 50).tolist() == [5, 50]
    assert read_sizes([10, 2000, 10], 50).tolist() == [10, 2000]
    for bad in ([1.5], [1], [0.0, 0.5], [[10]]):
        with pytest.raises(ArgumentError, match="train_sizes"):
            read_sizes(bad, 50)


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.ones(1797), "two classes"),
        (np.ones(3), "1797 labels"),
        (np.arange(1797) // 9, "looks continuous: 200 different values; use Ridge"),
        (np.arange(1797) % 3 + 0.5, "looks continuous: 3 different values"),
        (np.where(np.arange(1797) < 5, np.nan, DIGITS[1]), "`y` must be finite, but 5 of its 1797"),
        (np.where(np.arange(1797) < 5, None, "yes"), "`y` must be finite, but 5 of its 1797"),
        (np.array([1, "yes", 2] * 599, dtype=object), "labels of one type"),
    ],
)
@pytest.mark.parametrize("groups", [0, 10])
def test_labels_are_checked_before_any_work(y, text, groups):
    untouched = FunctionTransformer(lambda X: pytest.fail("work before the refusal"))
    with pytest.raises(ArgumentError, match=text):
        theory_curve(make_pipeline(untouched, RidgeClassifier()), DIGITS[0], y, groups=groups)


def test_targets_may_be_a_column_and_are_numbers_for_ridge():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 3))
    y = rows[:, 0] + rng.standard_normal(200)
    vector, column = (theory_curve(Ridge(1.0), rows, one, train_sizes=[100], groups=0) for one in (y, y[:, None]))
    assert vector.test_error.item() == column.test_error.item()
    with pytest.raises(ArgumentError, match=r"`y` must be numbers for a regression .*y='no'"):
        theory_curve(Ridge(1.0), rows, ["no", *np.where(y > 0, "yes", "no")[1:]], train_sizes=[100])
    made = make_pipeline(StandardScaler(), Ridge(1.0))  # whose refits would warn of a column
    assert theory_curve(made, rows, y[:, None], train_sizes=[100], groups=0).test_error.item() > 0
    refits = [refit_curve(made, rows, one, train_sizes=[100], repeats=2).refit_error.item() for one in (y, y[:, None])]
    assert refits[0] == refits[1]
    with pytest.raises(ArgumentError, match="a vector of 200 labels"):
        theory_curve(Ridge(1.0), rows, np.stack([y, y], axis=1), train_sizes=[100])


def test_seeds_are_those_of_scikit_learn():
    X, y = load_diabetes(return_X_y=True)
    for seed in (None, np.random.RandomState(0), 3):
        assert refit_curve(Ridge(1.0), X, y, train_sizes=[100], repeats=2, random_state=seed).refit_error.item() > 0
        assert theory_curve(Ridge(1.0), X, y, train_sizes=[100], random_state=seed).test_error.item() > 0
    with pytest.raises(ArgumentError, match=r"`random_state` .*-1"):
        theory_curve(Ridge(1.0), X, y, random_state=-1)


def test_predictions_are_drawn_along_their_sizes():
    X, y = load_diabetes(return_X_y=True)
    ax = plot.curve(theory_curve(Ridge(1.0), X, y, train_sizes=[50, 100, 200]))
    assert ax.lines[0].get_xdata().tolist() == [50, 100, 200]


def test_measurements_are_no_classes_but_many_named_classes_are():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ArgumentError, match="y looks continuous: 214 different values; use Ridge"):
        theory_curve(LogisticRegression(), X, y)
    student = read_student(RidgeClassifier())
    assert len(read_targets(y.astype(str), student, 442)[0]) == 214
    assert len(read_targets(np.arange(400) % 40, student, 400)[0]) == 40  # ten rows for each


def test_columns_of_text_are_named():
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "town": list("xyxy"), "size": ["s", "m", "s", "m"]})
    for model in (Ridge(), make_pipeline(StandardScaler(), Ridge())):
        with pytest.raises(ArgumentError, match="these hold text: town, size"):
            theory_curve(model, frame, [1.0, 2, 3, 4], train_sizes=[3])
    with pytest.raises(ArgumentError, match="these hold text: 1, 2"):
        theory_curve(Ridge(), frame.to_numpy(), [1.0, 2, 3, 4], train_sizes=[3])


def test_refusals_read_well():
    with pytest.raises(ArgumentError, match="`estimator` must be an estimator with an l2 penalty"):
        read_student(LinearSVC(penalty="l1"))


@pytest.mark.parametrize(
    ("size", "text"), [(120, None), (180, "up to 180 = 1.8 times"), (400, "= 4 times: extrapolation, not a prediction")]
)
def test_extrapolations_warn(size, text):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    y = X.sum(axis=1) + rng.standard_normal(100)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        theory_curve(Ridge(), X, y, train_sizes=[50, size], groups=0)
    assert len(caught) == (text is not None)
    assert text is None or (text in str(caught[0].message) and caught[0].category is AccuracyWarning)


def test_what_few_rows_cannot_carry_is_nan():
    """Wine, class 0 against the rest: the one mistake among 178 rows is gone at 220, which says nothing about the error."""
    X, y = load_wine(return_X_y=True)
    with pytest.warns(AccuracyWarning, match="not identified by these rows, status nonfinite"):
        found = theory_curve(make_pipeline(StandardScaler(), LogisticRegression()), X, y == 0, train_sizes=[120, 220, 267], groups=0)
    assert found.status.values.tolist() == [Status.converged, Status.nonfinite, Status.nonfinite]
    assert np.isnan(found.test_error.values[1:]).all()


def test_no_warning_of_numpy_leaks_and_points_beyond_the_rows_are_predicted():
    """Breast cancer, from half of the rows: refits on three quarters of them make 4.9(4) mistakes in a hundred."""
    X, y = load_breast_cancer(return_X_y=True)
    X, found = StandardScaler().fit_transform(X), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        whole = theory_curve(RidgeClassifier(), X, y, train_sizes=[300, 569, 850, 1200])
    assert {w.category for w in caught} == {AccuracyWarning}
    assert whole.status.values.tolist() == [0] * 4 and np.all(whole.test_error_stderr > 0)
    for seed in range(16):
        pool = np.random.default_rng(seed).permutation(len(y))[:284]
        found.append(theory_curve(RidgeClassifier(), X[pool], y[pool], train_sizes=[142, 284, 426], groups=0).test_error.values)
    refits = refit_curve(RidgeClassifier(), X, y, train_sizes=[142, 284, 426], repeats=32)
    error = np.hypot(np.std(found, axis=0, ddof=1) / 4, refits.refit_error_stderr.values)
    assert np.all(np.abs(np.mean(found, axis=0) - refits.refit_error.values) < 4 * error)


def test_groups_are_checked():
    with pytest.raises(ArgumentError, match="jackknife"):
        theory_curve(Ridge(), *DIGITS, groups=1)
