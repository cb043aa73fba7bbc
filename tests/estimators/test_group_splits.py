"""Rows in groups: splits keep groups apart, and predictions are those of other groups."""

import re

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GroupShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gaussequiv.errors import AccuracyWarning, ArgumentError
from gaussequiv.estimators.curves import refit_curve, theory_curve
from gaussequiv.estimators.group_splits import group_split, largest_size, read_groups

PEOPLE, ROWS, D = 40, 15, 30


def table(rng, people=PEOPLE, own=1.0):
    """Every person has a place of their own in the columns, and a label of their own beside what the columns tell."""
    who = np.repeat(np.arange(people), ROWS)
    X = (rng.standard_normal((people, D)) * own)[who] + rng.standard_normal((len(who), D))
    return X, X[:, 0] + (own * rng.standard_normal(people))[who] + 0.5 * rng.standard_normal(len(who)), who


def test_splits_keep_groups_apart_and_have_the_size():
    rng = np.random.default_rng(0)
    number = rng.integers(0, 9, 200)
    seen = np.zeros(200)
    for size in (1, 37, largest_size(number)):
        for _ in range(50):
            train, test = group_split(number, size, rng)
            assert len(train) == len(set(train)) == size and len(test) > 0
            assert not set(number[train]) & set(number[test])
            assert set(test) == set(np.flatnonzero(np.isin(number, np.unique(number[test]))))  # all rows of them
            seen[train] += 1
    assert seen.min() > 0


def test_names_of_any_kind():
    assert read_groups(list("aabbccdd"), 8).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert read_groups(np.array([5, 5, 2, 9, 7]), 5).tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        (list("abc"), "a vector of 6 names"),
        ("a", "a vector of 6 names"),
        (["a", "b", "c", "d", None, "a"], "1 are missing"),
        ([1.0, 2, 3, 4, 5, np.nan], "1 are missing"),
        (list("aabbcc"), "at least 4 groups.* has 3"),
    ],
)
def test_refusals(groups, text):
    with pytest.raises(ArgumentError, match=text):
        theory_curve(Ridge(), np.eye(6), np.arange(6.0), train_sizes=[3], groups=groups)


def test_refits_are_those_of_group_shuffle_split():
    """With groups of one size, sizes that are whole groups, and test rows of all others: the same mean, within 4 standard errors."""
    X, y, who = table(np.random.default_rng(0))
    found = refit_curve(Ridge(), X, y, train_sizes=[300], groups=who, repeats=40)
    splits = GroupShuffleSplit(40, train_size=20, random_state=1)
    scores = -cross_val_score(Ridge(), X, y, groups=who, cv=splits, scoring="neg_mean_squared_error")
    spread = np.hypot(found.refit_error_stderr.item(), scores.std() / np.sqrt(40))
    assert abs(found.refit_error.item() - scores.mean()) < 4 * spread
    plain = refit_curve(Ridge(), X, y, train_sizes=[300], repeats=40).refit_error.item()
    assert found.refit_error.item() > plain + 4 * spread  # groups cost something here


def test_refits_need_a_group_to_test_on():
    X, y, who = table(np.random.default_rng(0))
    assert refit_curve(Ridge(), X, y, train_sizes=[585], groups=who, repeats=2).sizes["train_size"] == 1
    with pytest.raises(ArgumentError, match=r"below 586, so that a group is left"):
        refit_curve(Ridge(), X, y, train_sizes=[586], groups=who)


@pytest.mark.filterwarnings("ignore::gaussequiv.errors.AccuracyWarning")
def test_predictions_are_those_of_other_people():
    """Truth: fits on fresh people, tested on many fresh ones. Means over 16 tables within 4 standard errors; without groups far off."""
    sizes, truth = [150, 300], []
    world = np.random.default_rng(1)
    X, y, _ = table(world, 2000)
    for size in sizes:
        errors = []
        for _ in range(100):
            train = table(world, size // ROWS)
            errors.append(np.mean((LinearRegression().fit(*train[:2]).predict(X) - y) ** 2))
        truth.append((np.mean(errors), np.std(errors) / 10))
    mean, error = np.array(truth).T
    predicted, plain = [], []
    for seed in range(16):
        rows, labels, who = table(np.random.default_rng(100 + seed))
        predicted.append(theory_curve(LinearRegression(), rows, labels, train_sizes=sizes, groups=who).test_error.values)
        plain.append(theory_curve(LinearRegression(), rows, labels, train_sizes=sizes).test_error.values)
    for values, holds in ((predicted, True), (plain, False)):
        z = (np.mean(values, axis=0) - mean) / np.hypot(np.std(values, axis=0, ddof=1) / 4, error)
        assert bool(np.all(np.abs(z) < 4)) == holds, z


def test_what_groups_cost_is_told_and_larger_sizes_are_not_guessed():
    X, y, who = table(np.random.default_rng(0))
    with pytest.warns(AccuracyWarning) as told:
        found = theory_curve(LinearRegression(), X, y, train_sizes=[150, 300, 600], groups=who)
    assert re.search(r"one of the 40 groups are alike.*2 of 3 points have this added.*larger sizes are not known", str(told[0].message))
    assert "1 of 3 points are not known" in str(told[1].message) and len(told) == 2
    assert np.isfinite(found.test_error.values).tolist() == [True, True, False]
    plain = theory_curve(LinearRegression(), X, y, train_sizes=[150, 300, 600])
    assert np.all(found.test_error.values[:2] > plain.test_error.values[:2])
    assert np.all(found.test_error_stderr.values[:2] > plain.test_error_stderr.values[:2])


def test_groups_that_mean_nothing_change_nothing():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((800, 6))
    y = X[:, 0] + rng.standard_normal(800)
    one, two = (
        theory_curve(make_pipeline(StandardScaler(), Ridge()), X, y, train_sizes=[100, 400, 800], groups=groups)
        for groups in (None, rng.integers(0, 50, 800))
    )
    assert two.test_error.values == pytest.approx(one.test_error.values)


def test_a_whole_number_is_the_jackknife_of_before():
    X, y, _ = table(np.random.default_rng(0), own=0.0)
    assert np.isnan(theory_curve(RidgeClassifier(), X, y > 0, train_sizes=[100], groups=0).test_error_stderr.item())
    assert np.isnan(theory_curve(RidgeClassifier(), X, y > 0, train_sizes=[100], jackknife=0).test_error_stderr.item())
    with pytest.raises(ArgumentError, match="`jackknife`"):
        theory_curve(Ridge(), X, y, train_sizes=[100], jackknife=1)
