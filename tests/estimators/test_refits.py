"""`refit_curve` is scikit-learn's `learning_curve` on random splits: the whole pipeline, original labels."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gaussequiv.estimators.curves import refit_curve
from gaussequiv.estimators.refits import rows_at, split_errors

X, Y = load_breast_cancer(return_X_y=True)


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (make_pipeline(StandardScaler(), PCA(3), RidgeClassifier()), np.array(["ill", "well"])[Y]),
        (make_pipeline(StandardScaler(), SelectKBest(k=4), LogisticRegression(class_weight={"ill": 5})), np.array(["ill", "well"])[Y]),
        (make_pipeline(PCA(4), Ridge(10.0)), X[:, 2]),
    ],
)
@pytest.mark.parametrize("table", [np.asarray, pd.DataFrame])
def test_all_steps_are_fitted_to_the_training_rows_alone(model, labels, table):
    found = refit_curve(model, table(X), labels, train_sizes=[40, 200], repeats=3, random_state=1)
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(3):
        order = rng.permutation(len(X))
        for size in (40, 200):
            guess = model.fit(X[order[:size]], labels[order[:size]]).predict(X[order[size:]])
            wrong = labels[order[size:]]
            errors.append(np.mean(guess != wrong) if labels.dtype.kind == "U" else np.mean((guess - wrong) ** 2))
    errors = np.reshape(errors, (3, 2))
    assert found.refit_error.values == pytest.approx(errors.mean(axis=0), rel=1e-9)
    assert found.refit_error_stderr.values == pytest.approx(errors.std(axis=0, ddof=1) / 3**0.5, rel=1e-9)


def test_selection_on_noise_helps_nobody():
    rng = np.random.default_rng(0)
    noise, labels = rng.standard_normal((150, 2000)), np.repeat([0, 1], 75)
    found = refit_curve(make_pipeline(SelectKBest(k=20), RidgeClassifier()), noise, labels, train_sizes=[100])
    assert abs(found.refit_error.values[0] - 0.5) < 4 * found.refit_error_stderr.values[0] + 0.03


def test_one_class_is_guessed():
    labels = np.array([1, 1, 1, 0, 0, 1])
    error = split_errors(LogisticRegression(), np.eye(6), labels, [(np.arange(3), np.arange(3, 6)), (np.arange(5), np.array([5]))], True)
    assert error[0] == pytest.approx(2 / 3) and error[1] in (0.0, 1.0)


def test_rows_of_lists_and_tables():
    assert rows_at(list("abc"), np.array([2, 0])) == ["c", "a"]
    assert rows_at(pd.DataFrame({"a": [1, 2, 3]}), np.array([2]))["a"].tolist() == [3]
